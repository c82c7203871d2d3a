/** A server that sends each message of WebSocket back as it came, by the frames and upgrades of shoal: what Autobahn talks to. */
import { READ_START } from "../../src/slab/layout.ts";
import { slice } from "../../src/slab/memory.ts";
import { OpenWires } from "../../src/transport/open-wires.ts";
import { listenTcp, tcpWire, type TcpListener } from "../../src/transport/tcp.ts";
import { Deflate } from "../../src/transport/websocket/deflate.ts";
import { Upgrading } from "../../src/transport/websocket/upgrading.ts";
import { WebSocketWire } from "../../src/transport/websocket/wire.ts";
import type { Wire, WireReceiver } from "../../src/transport/wire.ts";

const MESSAGE_MAX_BYTES = 64 * 1024 * 1024;
const deflate = Deflate.open();

/** Keeps what comes until its message ends. */
export class EchoWire extends WebSocketWire {
  private readonly pieces: Buffer[] = [];
  private readonly plain: Wire;

  constructor(below: Wire, rules: ConstructorParameters<typeof WebSocketWire>[1]) {
    super(below, rules, { strangerMaxBytes: MESSAGE_MAX_BYTES, admittedMaxBytes: MESSAGE_MAX_BYTES });
    this.plain = below;
    this.start({
      onBytes: (length) => {
        this.pieces.push(Buffer.from(slice(READ_START, length)));
        return true;
      },
      onWritten: () => undefined,
      onClosed: () => undefined,
    });
  }

  onMessageEnd(kind: "text" | "binary"): void {
    const message = Buffer.concat(this.pieces.splice(0));
    if (kind === "text") this.plain.write(asText(message));
    else this.write(message);
  }
}

/** shoal itself sends no text. */
function asText(message: Buffer): Buffer {
  const { length } = message;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head[0] = 0x81;
  head[1] = length < 126 ? length : length < 65_536 ? 126 : 127;
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, message]);
}

export function listenForEchoes(port: number): Promise<TcpListener> {
  const wires = new OpenWires();
  return listenTcp("127.0.0.1", port, (socket) => {
    const wire = tcpWire(socket, wires);
    const terms = { compression: true, sameOrigin: false, allowedOrigins: [], headers: "" };
    const upgrading = new Upgrading(wire, {
      terms: (isSecured) => ({ ...terms, isSecured }),
      onUpgrade: (_, { isMasked, compression }): WireReceiver =>
        new EchoWire(wire, { isMasked, deflate: compression ? deflate : null }),
      onRefused: () => undefined,
      onClosed: () => undefined,
    });
    wire.start(upgrading);
  });
}
