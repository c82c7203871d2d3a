/**
 * Throws damaged inputs at the targets, the modules beside this file that export `fuzz`.
 *
 *     node fuzz/run.ts [--target parser] [--seconds 60 | --inputs 10000000] [--seed 1]
 *     node fuzz/run.ts --target parser --replay fuzz/corpus/parser/crash-…
 *
 * A target fails by throwing or by taking more than HANG_CPU_MS of the processor over one input, which is then kept in
 * fuzz/corpus/<target>/, from where every later run plays it first; or by growing past RSS_MAX.
 */
import { createHash } from "node:crypto";
import { existsSync, globSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { SHARED_SIZE, type FuzzReport, type FuzzTask } from "./driver/worker.ts";

/** Processor time: on a busy machine an input may take any time. */
const HANG_CPU_MS = 1000;
/** An input that waits for what never comes. */
const HANG_MS = 60_000;
const RSS_MAX = 1536 * 1024 * 1024;
const WATCH_EVERY_MS = 200;
const PROGRESS_EVERY_MS = 10_000;
/** Starting the thread and loading the target is no hang. */
const START_MS = 120_000;
const folder = import.meta.dirname;

const { values: flags } = parseArgs({
  options: {
    target: { type: "string" },
    inputs: { type: "string" },
    seconds: { type: "string" },
    seed: { type: "string", default: "1" },
    replay: { type: "string" },
  },
});

const targets = globSync("*.ts", { cwd: folder })
  .map((file) => basename(file, ".ts"))
  .filter((name) => name !== "run" && (flags.target === undefined || name === flags.target))
  .sort();
if (targets.length === 0)
  throw new Error(`no fuzz target ${flags.target ?? ""}: it has to be a file in ${folder}`);

const inputs = flags.inputs === undefined ? Infinity : count(flags.inputs, "--inputs");
const seconds = count(flags.seconds ?? (flags.inputs === undefined ? "60" : "86400"), "--seconds");
for (const target of targets) await fuzzTarget(target, seconds / targets.length);

async function fuzzTarget(target: string, targetSeconds: number): Promise<void> {
  const corpus = join(folder, "corpus", target);
  const stored = existsSync(corpus) ? readdirSync(corpus).map((file) => join(corpus, file)) : [];
  const seedFiles = flags.replay === undefined ? stored : [flags.replay];
  const task: FuzzTask = {
    module: join(folder, `${target}.ts`),
    seedFiles,
    seed: count(flags.seed, "--seed"),
    inputs: flags.replay === undefined ? inputs : 1,
    deadlineMs: Date.now() + targetSeconds * 1000,
    shared: new SharedArrayBuffer(SHARED_SIZE),
  };
  const startedMs = Date.now();
  const report = await runWatched(target, task);
  const begun = Atomics.load(new Int32Array(task.shared, 0, 1), 0);
  if (report.kind === "failed" && begun === 0) throw new Error(`${target} cannot be loaded: ${report.error}`);
  if (report.kind === "failed") fail(target, corpus, task, report.error);
  if (report.kind === "grew") {
    console.error(`${target} grew to ${Math.round(report.rssBytes / 1024 / 1024)} MiB; to replay it:`);
    console.error(`    ${command(target)} --seed ${task.seed}`);
    process.exit(1);
  }
  const seconds = Math.max(0.001, (Date.now() - startedMs) / 1000);
  console.log(`${target}: ${report.inputs} inputs in ${seconds.toFixed(1)} s, seed ${task.seed}, no failure`);
}

/** Runs the target in a thread, and ends the thread where it hangs or grows. */
async function runWatched(target: string, task: FuzzTask): Promise<FuzzReport> {
  const worker = new Worker(join(folder, "driver/worker.ts"), { workerData: task });
  const { promise, resolve } = Promise.withResolvers<FuzzReport>();
  const failed = (error: string): void => resolve({ kind: "failed", error });
  worker.once("message", resolve);
  worker.once("error", (error) => failed(String(error)));
  worker.once("exit", (code) => failed(`the thread ended with code ${code}`));
  const counters = new Int32Array(task.shared, 0, 2);
  let seen = 0;
  let seenAtMs = Date.now();
  let seenCpuMs = cpuMs();
  let progressAtMs = Date.now();
  const watch = setInterval(() => {
    const begun = Atomics.load(counters, 0);
    const nowMs = Date.now();
    if (begun !== seen) [seen, seenAtMs, seenCpuMs] = [begun, nowMs, cpuMs()];
    const hasBegun = seen > 0;
    if (hasBegun && cpuMs() - seenCpuMs > HANG_CPU_MS) failed(`one input took ${HANG_CPU_MS} ms and more`);
    if (nowMs - seenAtMs > (hasBegun ? HANG_MS : START_MS)) failed("one input waits for what never comes");
    const rss = process.memoryUsage.rss();
    if (rss > RSS_MAX) resolve({ kind: "grew", rssBytes: rss });
    if (nowMs - progressAtMs > PROGRESS_EVERY_MS) {
      progressAtMs = nowMs;
      console.log(`${target}: ${begun} inputs`);
    }
  }, WATCH_EVERY_MS);
  const report = await promise;
  clearInterval(watch);
  await worker.terminate();
  return report;
}

/** Processor time of all threads; this one only watches. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function fail(target: string, corpus: string, task: FuzzTask, error: string): never {
  const length = Atomics.load(new Int32Array(task.shared, 0, 2), 1);
  const input = Buffer.from(new Uint8Array(task.shared, 8, length));
  const name = `crash-${createHash("sha256").update(input).digest("hex").slice(0, 12)}`;
  mkdirSync(corpus, { recursive: true });
  writeFileSync(join(corpus, name), input);
  const file = relative(process.cwd(), join(corpus, name));
  console.error(`${target} failed: ${error}\n\ninput of ${length} bytes kept in ${file}; to replay it:`);
  console.error(`    ${command(target)} --replay ${file}`);
  process.exit(1);
}

function command(target: string): string {
  return `node ${relative(process.cwd(), join(folder, "run.ts"))} --target ${target}`;
}

function count(text: string, flag: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${flag} ${text}: give a whole number`);
  return value;
}
