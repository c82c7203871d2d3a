/** The bound on handshakes under way, with a small one: who comes beyond it takes the place of who has taken longest. */
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterEach, describe, expect, it } from "vitest";
import { PortTls } from "../../src/ports/port-tls.ts";
import { VirtualClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { OpenWires } from "../../src/transport/open-wires.ts";
import { listenTcp } from "../../src/transport/tcp.ts";
import { CROWDED_OUT } from "../../src/transport/tls-problem.ts";
import { Handshakes, TlsWire } from "../../src/transport/tls.ts";
import { Authority, missingOpenssl } from "../support/certificates.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { configOf } from "../unit/config/sources.ts";

const MAX = 3;
const open: Socket[] = [];
afterEach(() => open.splice(0).forEach((socket) => socket.destroy()));

describe.skipIf(missingOpenssl())("handshakes under way", () => {
  it.each([
    ["of clients that say nothing", ""],
    ["of clients that begin and stop", "160301"],
  ])("%s are bounded, and keep nobody out", async (_, words) => {
    using authority = new Authority();
    const { certFile, keyFile } = authority.issue();
    const text = `tls { cert_file: "${certFile}", key_file: "${keyFile}", handshake_first: true }`;
    const { tls } = configOf({ files: { "test.conf": text } }).client;
    const port = new PortTls(
      { client: tls, cluster: null, websocket: null, allowsPlain: false },
      new VirtualClock(),
      silentLogger,
    );
    const handshakes = new Handshakes(MAX);
    const failed: [nth: number, why: string][] = [];
    let arrived = 0;
    let opened = 0;
    const listener = await listenTcp("127.0.0.1", 0, (socket) => {
      const nth = arrived++;
      new TlsWire(socket, new OpenWires(), port.client!, handshakes).negotiate({
        sayHello: () => undefined,
        onOpen: () => void opened++,
        onThrottled: () => undefined,
        onFailed: (problem) => void failed.push([nth, problem.text]),
      });
    });
    try {
      const at = { port: listener.endpoint.port, host: "127.0.0.1" };
      for (let i = 1; i <= MAX + 2; i++) {
        const socket = connect(at).on("error", () => undefined);
        open.push(socket);
        socket.write(Buffer.from(words, "hex"));
        await waitFor("it to have arrived", () => arrived === i);
        expect(handshakes.size).toBe(Math.min(i, MAX));
      }
      const crowdedOut = (nth: number): [number, string] => [nth, CROWDED_OUT.text];
      expect(failed).toEqual([0, 1].map(crowdedOut));
      expect(handshakes.crowdedOut).toBe(2);
      open.push(connectTls({ ...at, ca: readFileSync(authority.caFile) }));
      await waitFor("a whole handshake among the half ones", () => opened === 1);
      expect(failed).toEqual([0, 1, 2].map(crowdedOut));
      expect(handshakes.size).toBe(MAX - 1);
    } finally {
      listener.close();
    }
  });
});
