/**
 * Starts and ends the servers under test. Each is told the same: listen on loopback, and for one hop form a cluster of two, or become a leaf
 * node and its hub, or listen for WebSocket; everything else is its default.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readSync, writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { ContenderArgument } from "./arguments.ts";
import { register } from "./children.ts";
import type { Workload } from "./workloads.ts";

const READY_TIMEOUT_MS = 20_000;
const CONFIG_FILE = "server.conf";
const loopback = "127.0.0.1";

/** A server, or a cluster of two, that answers. `secondPort` is the other node's. */
export interface RunningServer {
  readonly host: string;
  readonly port: number;
  readonly secondPort: number | undefined;
  readonly pids: readonly number[];
  /** What the server says about itself in INFO. */
  readonly version: string;
  stop(): Promise<void>;
}

/** Undefined when this contender cannot offer the topology: an attached one without a second node. */
export async function startContender(
  contender: ContenderArgument,
  { topology, config }: Pick<Workload, "topology" | "config">,
): Promise<RunningServer | undefined> {
  switch (contender.kind) {
    case "attached":
      if (topology === "leaf" || topology === "websocket") return undefined;
      if (topology === "hop" && contender.secondPort === undefined) return undefined;
      if (config !== "") return undefined; // it is configured already
      return {
        ...contender,
        version: await versionOf(contender.host, contender.port, () => undefined),
        secondPort: topology === "hop" ? contender.secondPort : undefined,
        stop: () => Promise.resolve(),
      };
    case "command":
      return STARTS[topology](contender.command, config);
  }
}

const STARTS = {
  one: startSingle,
  hop: startPair,
  leaf: startLeafPair,
  websocket: startForWebSocket,
} as const;

async function startSingle(command: string, config: string): Promise<RunningServer> {
  const [port = 0] = await freePorts(1);
  const node = await startNode(command, port, [], config);
  return { host: loopback, port, secondPort: undefined, ...node, pids: [node.pid] };
}

/** The generator connects to the port of WebSocket. */
async function startForWebSocket(command: string): Promise<RunningServer> {
  const [port = 0, webPort = 0] = await freePorts(2);
  const config = `websocket { listen: "${loopback}:${webPort}", no_tls: true }\n`;
  const node = await startNode(command, port, [], config);
  return { host: loopback, port: webPort, secondPort: undefined, ...node, pids: [node.pid] };
}

async function startPair(command: string): Promise<RunningServer> {
  const [port = 0, secondPort = 0, routePort = 0, secondRoutePort = 0] = await freePorts(4);
  const routes = [routePort, secondRoutePort].map((each) => `nats://${loopback}:${each}`);
  const clusterArguments = (own: number): string[] => [
    "--cluster_name",
    "bench",
    "--cluster",
    routes[own] ?? "",
    "--routes",
    routes[1 - own] ?? "",
  ];
  const first = await startNode(command, port, clusterArguments(0));
  return withSecond({ port, secondPort }, first, async () =>
    startNode(command, secondPort, clusterArguments(1)),
  );
}

/** The leaf node is the one that publishers connect to. */
async function startLeafPair(command: string): Promise<RunningServer> {
  const [port = 0, secondPort = 0, leafPort = 0] = await freePorts(3);
  const hub = await startNode(command, secondPort, [], `leafnodes { listen: "${loopback}:${leafPort}" }\n`);
  const remote = `leafnodes { remotes: [{ url: "nats-leaf://${loopback}:${leafPort}" }] }\n`;
  return withSecond({ port, secondPort }, hub, async () => startNode(command, port, [], remote));
}

async function withSecond(
  ports: Pick<RunningServer, "port" | "secondPort">,
  first: ServerNode,
  start: () => Promise<ServerNode>,
): Promise<RunningServer> {
  try {
    const second = await start();
    const stop = async (): Promise<void> => {
      await Promise.all([first.stop(), second.stop()]);
    };
    const { version } = first;
    return { host: loopback, ...ports, pids: [first.pid, second.pid], version, stop };
  } catch (error) {
    await first.stop();
    throw error;
  }
}

interface ServerNode {
  readonly pid: number;
  readonly version: string;
  stop(): Promise<void>;
}

async function startNode(
  command: string,
  port: number,
  clusterArguments: readonly string[],
  config = "",
): Promise<ServerNode> {
  const folder = mkdtempSync(join(tmpdir(), "shoal-bench-"));
  const log = openSync(join(folder, "server.log"), "w+");
  if (config !== "") writeFileSync(join(folder, CONFIG_FILE), config);
  const configArguments = config === "" ? [] : ["-c", CONFIG_FILE];
  const own = ["-a", loopback, "-p", String(port), ...configArguments, ...clusterArguments];
  const child = spawn(command, own, {
    cwd: folder,
    stdio: ["ignore", log, log],
  });
  register(child, folder);
  let failure: string | undefined;
  const ended = new Promise<void>((resolve) => {
    child.once("error", (error) => resolve(void (failure = error.message)));
    child.once("exit", (code, signal) => resolve(void (failure = `ended (${signal ?? code})`)));
  });
  const stop = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended;
    closeSync(log);
  };
  try {
    const version = await versionOf(loopback, port, () => failure);
    return { pid: child.pid ?? 0, version, stop };
  } catch (error) {
    const start = logStart(log);
    await stop();
    throw new Error(`${command}: ${error instanceof Error ? error.message : String(error)}\n${start}`, {
      cause: error,
    });
  }
}

/** What the server said first, which is where it says why it does not start. The folder may be gone already. */
function logStart(log: number): string {
  const text = Buffer.alloc(2000);
  return text.toString("utf8", 0, readSync(log, text, 0, text.length, 0)).trimEnd();
}

/** Waits until the server greets with INFO. */
async function versionOf(host: string, port: number, failure: () => string | undefined): Promise<string> {
  const end = performance.now() + READY_TIMEOUT_MS;
  while (performance.now() < end) {
    const reason = failure();
    if (reason !== undefined) throw new Error(reason);
    const greeting = await firstLine(host, port);
    if (greeting?.startsWith("INFO ") === true) {
      const info = JSON.parse(greeting.slice(5)) as { version?: string; go?: string };
      return [info.version, info.go].filter(Boolean).join(", ");
    }
    await delay(20);
  }
  throw new Error(`no INFO from ${host}:${port} within ${READY_TIMEOUT_MS / 1000} s`);
}

/** Undefined when there is nobody, or no line within a second. */
async function firstLine(host: string, port: number): Promise<string | undefined> {
  const socket = connect({ host, port });
  try {
    const timeout = AbortSignal.timeout(1000);
    await once(socket, "connect", { signal: timeout });
    let text = "";
    while (!text.includes("\r\n")) text += String((await once(socket, "data", { signal: timeout }))[0]);
    return text.slice(0, text.indexOf("\r\n"));
  } catch {
    return undefined; // not listening yet: the caller asks again, and knows when to give up
  } finally {
    socket.on("error", () => undefined).destroy();
  }
}

async function freePorts(count: number): Promise<number[]> {
  const holders = await Promise.all(
    Array.from({ length: count }, async () => {
      const holder = createServer().listen(0, loopback);
      await once(holder, "listening");
      return holder;
    }),
  );
  const ports = holders.map((holder) => (holder.address() as AddressInfo).port);
  for (const holder of holders) holder.close();
  return ports;
}
