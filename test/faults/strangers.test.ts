/**
 * Whom a server presents the credentials of its cluster to: those that the configuration names, and nobody whom another one names
 * that has not been told them.
 */
import { createServer, type Server as Listener, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { newNkey } from "../../src/keys/nkey.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { startInProcess } from "../support/in-process-server.ts";

const listeners: Listener[] = [];
const sockets = new Set<Socket>();

afterEach(() => {
  for (const listener of listeners.splice(0)) listener.close();
  for (const socket of sockets) socket.destroy();
});

/** Listens, says INFO that names `elsewhere`, keeps or refuses who comes, and remembers what was presented. */
async function impostor(elsewhere: () => number, behaves: "keeps" | "refuses"): Promise<Impostor> {
  const presented: string[] = [];
  const id = newNkey("server").publicKey;
  const listener = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    const info = {
      server_id: id,
      server_name: "impostor",
      version: "2.15.3",
      proto: 3,
      headers: true,
      cluster: "c",
    };
    const port = elsewhere();
    const where = { host: "127.0.0.1", port, ip: `nats-route://127.0.0.1:${port}/`, route_pool_size: 1 };
    socket.write(
      `INFO ${JSON.stringify({ ...info, ...where, max_payload: 1048576, auth_required: true })}\r\n`,
    );
    socket.on("data", (data) => {
      const connect = /CONNECT (\{.*?\})/.exec(data.toString("latin1"))?.[1];
      if (connect === undefined) return;
      const { user, pass } = JSON.parse(connect) as { user?: string; pass?: string };
      presented.push(`${user}:${pass}`);
      if (behaves === "refuses") socket.end("-ERR 'Authorization Violation'\r\n");
      else socket.write("PONG\r\n");
    });
  });
  listeners.push(listener);
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  return { port: (listener.address() as { port: number }).port, presented };
}

interface Impostor {
  readonly port: number;
  readonly presented: readonly string[];
}

describe("the credentials of the cluster", () => {
  it.each([
    ["refuses", { user: "u", password: "other" }, "u:other"],
    ["refuses", { user: null, password: null }, "undefined:undefined"],
    ["keeps", { user: null, password: null }, "undefined:undefined"],
  ] as const)(
    "go to no address that one names who %s what %o presents",
    async (behaves, credentials, wanted) => {
      const trap = await impostor(() => trap.port, behaves);
      const listed = await impostor(() => trap.port, behaves);
      const marker = await impostor(() => marker.port, "refuses");
      const own = { user: "u", password: "SECRET" };
      const routes = [
        { host: "127.0.0.1", port: listed.port, ...credentials },
        { host: "127.0.0.1", port: marker.port, ...own },
      ];
      await using server = await startInProcess({ cluster: { name: "c", routes, ...own } });
      // Where it is refused it dials again, ever more seldom: by then the trap would have had its turn.
      await waitFor("the marker to be dialled again and again", () => marker.presented.length >= 6);
      expect(new Set(listed.presented)).toEqual(new Set([wanted]));
      expect(trap.presented).toEqual([]);
      await waitFor("one route at most to each of the two", () => server.server.cluster!.sessions.size <= 2);
    },
  );
});
