/**
 * What one client, one request or one reload does to everybody else: the longest round trip of PING on another connection while it
 * is done.
 *
 *     npm run bench:stalls [-- --server bin/shoal --server nats-server --rounds 3 --only TEXT --turns --write]
 *
 * `--turns` measures the processor time of the longest turn of the event loop instead, in servers of Node.js alone: on a busy machine
 * the round trip says little.
 *
 * Of several rounds the least is told, since everything that disturbs only adds. `--write` writes docs/benchmarks/stalls.md.
 */
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { startServer } from "../../test/support/nats-server.ts";
import { describeMachine } from "../report/machine.ts";
import { JETSTREAM_PATHS } from "./jetstream-paths.ts";
import { PATHS, type Path, type Started } from "./paths.ts";
import { RELOAD_PATHS } from "./reload-paths.ts";

const { values } = parseArgs({
  options: {
    server: { type: "string", multiple: true, default: ["bin/shoal"] },
    rounds: { type: "string", default: "3" },
    only: { type: "string", default: "" },
    turns: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
  },
});
const ALL = [...PATHS, ...RELOAD_PATHS, ...JETSTREAM_PATHS];
const ROUNDS = Number(values.rounds);
const LIMIT_MS = 20;
/** What takes longer is bad enough. */
const ACT_MAX_MS = 15_000;

const rows: { readonly name: string; readonly worstMs: readonly number[] }[] = [];
for (const path of ALL.filter(({ name }) => name.includes(values.only))) {
  const worstMs: number[] = [];
  for (const command of values.server) worstMs.push(await leastOf(() => measure(command, path)));
  rows.push({ name: path.name, worstMs });
  console.log(`${path.name.padEnd(66)} ${worstMs.map((ms) => ms.toFixed(1).padStart(8)).join("")} ms`);
  if (values.write) writeFileSync(join(import.meta.dirname, "../../docs/benchmarks/stalls.md"), report());
}

async function leastOf(measured: () => Promise<number>): Promise<number> {
  let least = Infinity;
  for (let round = 0; round < ROUNDS; round++) least = Math.min(least, await measured());
  return least;
}

async function measure(command: string, path: Path): Promise<number> {
  path.before?.();
  const [monitorPort, routePort] = [await freePort(), await freePort()];
  const folder = mkdtempSync(join(tmpdir(), "shoal-stalls-"));
  const meter = join(folder, "meter.sock");
  if (values.turns) {
    process.env.SHOAL_TURN_METER = meter;
    process.env.NODE_OPTIONS = `--import ${join(import.meta.dirname, "turn-meter.ts")}`;
  }
  const own = path.config.replaceAll("<route>", String(routePort)).replaceAll("<folder>", folder);
  const config = `http: "127.0.0.1:${monitorPort}"\nmax_payload: 1048576\n${own}`;
  const started: Started = {
    process: await startServer(command, config).finally(() => delete process.env.NODE_OPTIONS),
    command,
    monitorPort,
    routePort,
    config,
    others: [],
  };
  try {
    const act = await path.prepare(started);
    if (values.turns) return await longestTurn(meter, act);
    const watcher = new Worker(new URL("watcher.ts", import.meta.url), {
      workerData: { port: started.process.port, hello: {} },
    });
    await said(watcher);
    await Promise.race([act(), delay(ACT_MAX_MS)]);
    watcher.postMessage("stop");
    return (await said(watcher)) as number;
  } finally {
    await Promise.all([started.process, ...started.others].map((server) => server.stop()));
    rmSync(folder, { recursive: true, force: true });
  }
}

async function longestTurn(meter: string, act: () => Promise<void>): Promise<number> {
  const socket = connect(meter);
  await once(socket, "data");
  await Promise.race([act(), delay(ACT_MAX_MS)]);
  socket.write("stop");
  const [worst] = (await once(socket, "data")) as [Buffer];
  return Number(worst.toString());
}

function said(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}

function report(): string {
  const servers = values.server.map((command) => command.split("/").at(-1)!);
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    "# Stalls",
    "",
    "What one client, one request or one reload does to everybody else: the longest round trip of PING on another connection while",
    `it is done, in ms; the least of ${ROUNDS} rounds. Meant: at most ${LIMIT_MS} ms, or nats-server's own.`,
    "",
    "```sh",
    `npm run bench:stalls -- ${servers.map((name) => `--server ${name === "shoal" ? "bin/shoal" : name}`).join(" ")} --rounds ${ROUNDS} --write`,
    "```",
    "",
    machineText(),
    "",
    line(["", ...servers]),
    line(["---", ...servers.map(() => "---:")]),
    ...rows.map(({ name, worstMs }) => line([name, ...worstMs.map((ms) => ms.toFixed(1))])),
    "",
  ].join("\n");
}

function machineText(): string {
  const { cpu, cores, memoryGiB, kernel, node, shoal } = describeMachine();
  return `${cores} cores of ${cpu}, ${memoryGiB} GiB, ${kernel}; Node.js ${node}; shoal ${shoal}.`;
}
