/**
 * Leaf nodes and clients over WebSocket that come and go by the thousand: what they leave behind does not add up. SHOAL_CONNECTS says how many come
 * of each kind; what lives in the server is compared once the first tenth has come and gone.
 */
import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { findProgram } from "../support/cluster-programs.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { freePort } from "../support/free-port.ts";
import { INSPECTED, Inspector } from "../support/inspector.ts";
import { startServer } from "../support/nats-server.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { frame } from "../support/websocket-frames.ts";

const CONNECTS = Number(process.env["SHOAL_CONNECTS"] ?? 10_000);
const AT_ONCE = 50;
/** Far less than a connection that stays would take: some KiB each. */
const GROWN_MAX_MIB = 6;

interface Ports {
  readonly leaf: number;
  readonly webSocket: number;
}

let comers = 0;

const KINDS: Readonly<Record<string, (ports: Ports) => Promise<RawConnection>>> = {
  "leaf nodes": async ({ leaf }) => {
    const connection = await RawConnection.open(leaf);
    await connection.has("\r\n");
    const name = `edge${++comers}`;
    const connect = {
      name,
      cluster: name,
      server_id: name,
      version: "2.15.3",
      headers: true,
      remote_account: "A",
    };
    connection.send(`CONNECT ${JSON.stringify(connect)}\r\nLS+ a.${name}\r\nLS+ b q ${comers}\r\nPING\r\n`);
    await connection.has("PONG\r\n");
    connection.send(`LMSG a.x 5\r\nhello\r\nPING\r\n`);
    return connection;
  },
  "clients over WebSocket": async ({ webSocket }) => {
    const connection = await RawConnection.open(webSocket);
    const key = randomBytes(16).toString("base64");
    connection.send(
      `GET / HTTP/1.1\r\nHost: 127.0.0.1:${webSocket}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n` +
        `Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n\r\n`,
    );
    await connection.has("\r\n\r\n");
    const say = (text: string): void => connection.send(frame({ payload: text }));
    say(`CONNECT {}\r\nSUB a.${++comers} 1\r\nPUB a.${comers} 5\r\nhello\r\nPING\r\n`);
    await connection.has("PONG");
    return connection;
  },
};

it.each(Object.entries(KINDS))(
  `%s that come and go leave nothing that adds up, ${CONNECTS} of them`,
  { timeout: Math.max(240_000, CONNECTS * 10) },
  async (_, come) => {
    const ports = { leaf: await freePort(), webSocket: await freePort() };
    const server = await startServer(
      findProgram("shoal")!,
      // What the server remembers of clients that are gone is bounded: the first ones fill it. Nobody is too slow here.
      `max_closed_clients: 100
       authorization { timeout: "10m" }
       leafnodes { listen: "127.0.0.1:${ports.leaf}", isolate_leafnode_interest: true, authorization { timeout: "10m" } }
       websocket { listen: "127.0.0.1:${ports.webSocket}", no_tls: true, compression: true, handshake_timeout: "10m" }`,
      INSPECTED,
    );
    const inspector = await Inspector.of(server);
    try {
      const round = async (connects: number): Promise<void> => {
        for (let done = 0; done < connects; done += AT_ONCE) {
          const many = await Promise.all(Array.from({ length: AT_ONCE }, async () => come(ports)));
          for (const connection of many) connection.reset();
        }
      };
      await round(CONNECTS / 10);
      const early = await inspector.liveMiB();
      await round(CONNECTS);
      let late = early;
      await waitFor(
        `at most ${GROWN_MAX_MIB} MiB more that live`,
        async () => (late = await inspector.liveMiB()) - early < GROWN_MAX_MIB,
        () => JSON.stringify({ early, late }),
      );
      process.stdout.write(
        `${CONNECTS} connects: ${early.toFixed(1)} MiB before, ${late.toFixed(1)} MiB after\n`,
      );
      expect(late - early).toBeLessThan(GROWN_MAX_MIB);
    } finally {
      inspector.close();
      await server.stop();
    }
  },
);
