/** A server in this process with its monitoring port open, and raw connections to such a port. All of it ends with the test. */
import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { afterEach } from "vitest";
import type { ConfigOverrides } from "../../src/config/config.ts";
import type { Disk } from "../../src/store/disk.ts";
import { startInProcess, type InProcessServer } from "../support/in-process-server.ts";

export const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const act of cleanup.splice(0).reverse()) await act();
});

export interface Monitored extends InProcessServer {
  readonly base: string;
}

export async function start(overrides: ConfigOverrides = {}, disk?: Disk): Promise<Monitored> {
  const monitor = { host: "127.0.0.1", port: 0, ...overrides.monitor };
  const started = await startInProcess({ ...overrides, monitor }, disk);
  cleanup.push(() => started[Symbol.asyncDispose]());
  return { ...started, base: `http://127.0.0.1:${started.server.monitorPort}` };
}

export async function dial(port: number): Promise<Socket> {
  const socket = connectTcp(port, "127.0.0.1");
  socket.on("error", () => undefined);
  cleanup.push(() => socket.destroy());
  await once(socket, "connect");
  return socket;
}

/** Resolves with what it has said when the other side has ended it. */
export async function closing(socket: Socket): Promise<string> {
  let said = "";
  socket.setEncoding("utf8").on("data", (text: string) => (said += text));
  // not `once`, which rejects where the end is a reset
  if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
  return said;
}
