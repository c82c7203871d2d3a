/**
 * Rounds of everything that takes memory, again and again: what a round leaves behind must not add up. The server is a
 * process of its own. Its inspector collects the garbage first and then tells what lives; what the system tells as well
 * holds what the engine keeps for later, and so bounds only what no heap shows.
 */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { startServer, type ServerProcess } from "../support/nats-server.ts";
import { INSPECTED, Inspector } from "../support/inspector.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { findProgram } from "../support/cluster-programs.ts";
import { RawConnection } from "../support/raw-connection.ts";

const LIVE_GROWN_MAX_MIB = 4;
const RESIDENT_GROWN_MAX_MIB = 64;
const ROUNDS_BEFORE = 12;
const ROUNDS_BETWEEN = 24;

interface Memory {
  liveMiB: number;
  residentMiB: number;
}

function residentMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

async function memoryOf(server: ServerProcess, inspector: Inspector): Promise<Memory> {
  return { liveMiB: await inspector.liveMiB(), residentMiB: residentMiB(server.pid) };
}

async function pong(connection: RawConnection): Promise<void> {
  connection.text = "";
  connection.send("PING\r\n");
  await connection.until("PONG", () => connection.text.includes("PONG\r\n"));
}

const rounds: Record<string, (port: number) => Promise<void>> = {
  "connections that come and go": async (port) => {
    const many = await Promise.all(Array.from({ length: 1000 }, () => RawConnection.greeted(port)));
    for (const connection of many) connection.destroy();
  },
  "subscriptions by the hundred thousand": async (port) => {
    const connection = await RawConnection.greeted(port);
    for (const pattern of ["a.#", "b.#.*", "c.*.#.>"]) {
      connection.send(
        Array.from(
          { length: 50_000 },
          (_, n) => `SUB ${pattern.replace("#", `${n}`)} ${pattern}${n}\r\n`,
        ).join(""),
      );
    }
    await pong(connection);
    connection.destroy();
  },
  "subjects that are used once": async (port) => {
    const connection = await RawConnection.greeted(port);
    const mark = Math.random().toString(36);
    connection.send(Array.from({ length: 100_000 }, (_, n) => `PUB once.${mark}.${n} 0\r\n\r\n`).join(""));
    await pong(connection);
    connection.destroy();
  },
  "half messages": async (port) => {
    const many = await Promise.all(Array.from({ length: 50 }, () => RawConnection.greeted(port)));
    for (const connection of many) connection.send(`PUB a 1000000\r\n${"x".repeat(900_000)}`);
    await Promise.all(
      many.map((connection) => new Promise((resolve) => connection.socket.write("x", resolve))),
    );
    for (const connection of many) connection.reset();
  },
  "dead subscribers": async (port) => {
    const dead = await Promise.all(Array.from({ length: 5 }, () => RawConnection.greeted(port)));
    for (const connection of dead) {
      connection.send("SUB load 1\r\n");
      await pong(connection);
      connection.stopReading();
    }
    const writer = await RawConnection.greeted(port);
    const frame = Buffer.from(`PUB load 60000\r\n${"x".repeat(60_000)}\r\n`);
    for (let n = 0; n < 400; n++) await new Promise((resolve) => writer.socket.write(frame, resolve));
    await pong(writer);
    for (const connection of [...dead, writer]) connection.destroy();
  },
};

it.each(Object.entries(rounds))(
  "%s leave nothing that adds up",
  { timeout: 240_000 },
  async (_name, round) => {
    const server = await startServer(findProgram("shoal")!, "max_pending: 8MB", INSPECTED);
    const inspector = await Inspector.of(server);
    try {
      const rounds = async (count: number): Promise<void> => {
        for (let n = 0; n < count; n++) await round(server.port);
      };
      await rounds(ROUNDS_BEFORE);
      const early = await memoryOf(server, inspector);
      await rounds(ROUNDS_BETWEEN);
      let late = early;
      // More than once, until the server has seen the last connections go.
      await waitFor(
        `at most ${LIVE_GROWN_MAX_MIB} MiB more that live`,
        async () => {
          late = await memoryOf(server, inspector);
          return late.liveMiB - early.liveMiB < LIVE_GROWN_MAX_MIB;
        },
        () => JSON.stringify({ early, late }),
      );
      expect(late.residentMiB - early.residentMiB).toBeLessThan(RESIDENT_GROWN_MAX_MIB);
      const client = await RawConnection.greeted(server.port);
      client.destroy();
    } finally {
      inspector.close();
      await server.stop();
    }
  },
);
