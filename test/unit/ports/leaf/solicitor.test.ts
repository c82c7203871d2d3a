/** A hub that is given by a name: it is looked up for each dial, and all its addresses are tried. */
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, expect, it } from "vitest";
import { systemClock } from "../../../../src/base/clock.ts";
import { silentLogger } from "../../../../src/base/logger.ts";
import { seededRandom } from "../../../../src/base/random.ts";
import { dialLeaf } from "../../../../src/ports/leaf/dial.ts";
import type { LeafRemoteSettings } from "../../../../src/ports/leaf/leaf-settings.ts";
import { Solicitor } from "../../../../src/ports/leaf/solicitor.ts";
import { OpenWires } from "../../../../src/transport/open-wires.ts";
import { Handshakes, type TlsTerms } from "../../../../src/transport/tls.ts";

const INFO =
  'INFO {"server_id":"N1","server_name":"hub","client_id":1,"info_on_connect":true,"leafnode_urls":[]}\r\n';
const UNUSED_TLS = {} as TlsTerms;
const NOBODY = ["127.0.0.9", "127.0.0.8"];

const servers: Server[] = [];
const sockets: Socket[] = [];

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

async function hub(): Promise<number> {
  const server = createServer((socket) => {
    sockets.push(socket.on("error", () => undefined));
    socket.write(INFO);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

function remote(port: number): LeafRemoteSettings {
  return {
    addresses: [{ host: "hubs.test", port, isSecured: false, webSocketPath: null, user: null, pass: null }],
    ...{ account: "$G", credentials: { kind: "none" }, isHub: false, denyImports: [], denyExports: [] },
    ...{ isIsolated: false, asksForIsolation: false, keepsOrder: false, ignoresDiscovered: false },
    ...{ hasTls: false, isTlsFirst: false, isDisabled: false, dialTimeoutMs: 60_000, infoTimeoutMs: 60_000 },
    compression: { mode: "off", rttThresholdsMs: [] },
    webSocket: { compression: false, masks: true, messageMaxBytes: 1024 },
  };
}

/** Connects by a name that leads to each of the lists in turn, to the last one from then on. */
async function connect(answers: readonly (readonly string[] | Error)[]): Promise<readonly string[]> {
  const asked: string[] = [];
  const wires = new OpenWires();
  const { promise, resolve } = Promise.withResolvers<void>();
  const solicitor = new Solicitor({
    settings: remote(await hub()),
    reconnectMs: () => 1,
    ...{ clock: systemClock, random: seededRandom(1), logger: silentLogger, dial: dialLeaf },
    dialHost: {
      ...{ wires, handshakes: new Handshakes(), clock: systemClock },
      deflate: () => null,
      lookup: async (name) => {
        const answer = answers[Math.min(asked.length, answers.length - 1)]!;
        asked.push(name);
        if (answer instanceof Error) throw answer;
        return Promise.resolve(answer);
      },
    },
    tls: () => UNUSED_TLS,
    hasAccount: () => true,
    onWire: (wire, infoJson) => {
      expect(infoJson).toContain('"hub"');
      wire.destroy();
      resolve();
    },
  });
  solicitor.start();
  await promise;
  solicitor[Symbol.dispose]();
  return asked;
}

it("is tried at all its addresses, one after the other", async () => {
  expect(await connect([[...NOBODY, "127.0.0.1"]])).toEqual(["hubs.test"]);
});

it("is looked up again for each dial", async () => {
  const nowhere = new Error("queryA ENOTFOUND hubs.test");
  const asked = await connect([nowhere, NOBODY, [], [...NOBODY, "127.0.0.1"]]);
  expect(asked).toHaveLength(4);
});
