import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { READ_START } from "../../../../src/slab/layout.ts";
import { slice } from "../../../../src/slab/memory.ts";
import { MemoryWire } from "../../../../src/transport/memory.ts";
import { Dialling } from "../../../../src/transport/websocket/dialling.ts";
import type { Wire } from "../../../../src/transport/wire.ts";

interface Rig {
  readonly below: MemoryWire;
  readonly upgraded: Wire[];
  readonly failures: string[];
  readonly request: string;
  readonly answer: string;
}

function rig({ masks = true } = {}): Rig {
  const below = new MemoryWire();
  const [upgraded, failures]: [Wire[], string[]] = [[], []];
  const limits = { strangerMaxBytes: 1000, admittedMaxBytes: 1000 };
  const wish = { host: "hub:80", path: "/a/leafnode", compression: false, masks };
  const dialling = new Dialling(
    below,
    wish,
    { deflate: null, limits },
    {
      onUpgrade: (wire) => void upgraded.push(wire),
      onFailed: (problem) => void failures.push(problem),
    },
  );
  dialling.begin();
  const request = below.takeText();
  const key = /Sec-WebSocket-Key: (\S+)/.exec(request)?.[1] ?? "";
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  const answer = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n`;
  return { below, upgraded, failures, request, answer };
}

const INFO = Buffer.from([0x82, 6, ...Buffer.from("INFO\r\n")]);

describe("a hub that is dialled over WebSocket", () => {
  it("is asked for the path, and may say INFO together with its answer", () => {
    for (const length of [1, 10, 1000]) {
      const { below, upgraded, failures, request, answer } = rig();
      expect(request).toMatch(/^GET \/a\/leafnode HTTP\/1\.1\r\nHost: hub:80\r\n/);
      const bytes = Buffer.concat([Buffer.from(`${answer}\r\n`, "latin1"), INFO]);
      for (let from = 0; from < bytes.length; from += length)
        below.receive(bytes.subarray(from, from + length));
      expect([upgraded.length, failures]).toEqual([1, []]);
      const received: string[] = [];
      upgraded[0]!.start({
        onBytes: (count) => received.push(Buffer.from(slice(READ_START, count)).toString()) > 0,
        onWritten: () => undefined,
        onClosed: () => undefined,
      });
      expect(received.join("")).toBe("INFO\r\n");
      expect(below.isPaused).toBe(false);
      below.receive(INFO);
      expect(received.join("")).toBe("INFO\r\nINFO\r\n");
    }
  });

  it("gets masked frames, unless both do without", () => {
    const write = (masks: boolean, more: string): Buffer => {
      const { below, upgraded, answer } = rig({ masks });
      below.receiveText(`${answer}${more}\r\n`);
      upgraded[0]!.write(Buffer.from("PING\r\n"));
      return below.take();
    };
    for (const [masks, more] of [
      [true, "Nats-No-Masking: true\r\n"],
      [false, ""],
    ] as const) {
      const frame = write(masks, more);
      expect([frame[0], frame[1]]).toEqual([0x82, 0x80 | 6]);
      const payload = Buffer.from(frame.subarray(6).map((byte, i) => byte ^ frame[2 + (i & 3)]!));
      expect(payload.toString()).toBe("PING\r\n");
    }
    expect(write(false, "Nats-No-Masking: true\r\n")).toEqual(
      Buffer.from([0x82, 6, ...Buffer.from("PING\r\n")]),
    );
  });

  it("is refused where its answer is another one", () => {
    const wrong = (change: (answer: string) => string): string => {
      const { below, upgraded, failures, answer } = rig();
      below.receiveText(`${change(answer)}\r\n`);
      expect([upgraded.length, below.state]).toEqual([0, "closing"]);
      return failures.join();
    };
    expect(wrong((answer) => answer.replace("101", "404"))).toContain("HTTP/1.1 404");
    expect(wrong((answer) => answer.replace(/Accept: ./, "Accept: !"))).toContain("another request");
    expect(wrong((answer) => answer.replace("Upgrade: websocket", "Upgrade: h2c"))).toContain(
      "something else",
    );
    expect(wrong((answer) => `${answer}Sec-WebSocket-Extensions: permessage-deflate\r\n`)).toContain(
      "extension",
    );
    expect(wrong(() => "INFO {}\r\n")).toContain("no HTTP");
    expect(wrong((answer) => `${answer}X: ${"x".repeat(40_000)}\r\n`)).toContain("too long");
    const { below, failures } = rig();
    below.hangUp();
    expect(failures).toEqual(["the connection has ended before the answer"]);
  });
});
