/**
 * Measures one workload on all contenders: starts them, lets each warm up, runs them in turns (A B, B A, A B, ...) and
 * stops them. Runs are bounded in messages and in time.
 */
import { execFile } from "node:child_process";
import { startContender, type RunningServer } from "./contenders.ts";
import type { ContenderArgument } from "./arguments.ts";
import { register } from "./children.ts";
import { MAPPED, WEBSOCKET, type Workload } from "./workloads.ts";

const DEADLINE_SECONDS = 60;
const HOLD_ROUNDS_MAX = 3;
const SIZING_FACTOR_MAX = 10;

/** One line of the generator: numbers by name, such as messagesPerSecond or rssKb. */
export type Sample = Readonly<Record<string, number>>;

export interface Measurement {
  readonly workload: Workload;
  /** By contender; empty when the contender was skipped or failed. */
  readonly samples: ReadonlyMap<string, readonly Sample[]>;
  readonly errors: ReadonlyMap<string, string>;
  /** The generator against its stand-in server: what it could do at most. Absent for hold workloads. */
  readonly ceiling: Sample | undefined;
}

export interface MeasureOptions {
  readonly generator: string;
  readonly rounds: number;
  readonly runSeconds: number;
  /** Called with what each contender said about itself. */
  readonly onVersion: (contender: string, version: string) => void;
}

/** What a contender brings to each round. */
interface Entrant {
  readonly name: string;
  run(): Promise<Sample>;
  stop(): Promise<void>;
}

export async function measureWorkload(
  workload: Workload,
  contenders: readonly ContenderArgument[],
  options: MeasureOptions,
): Promise<Measurement> {
  const samples = new Map<string, Sample[]>();
  const errors = new Map<string, string>();
  const entrants: Entrant[] = [];
  const attempt = async (name: string, action: () => Promise<void>): Promise<void> => {
    if (errors.has(name)) return;
    try {
      await action();
    } catch (error) {
      errors.set(name, error instanceof Error ? error.message : String(error));
    }
  };
  try {
    for (const contender of contenders)
      await attempt(contender.name, async () => {
        const entrant = await enter(workload, contender, options);
        if (entrant) entrants.push(entrant);
      });
    const rounds = workload.kind === "hold" ? Math.min(options.rounds, HOLD_ROUNDS_MAX) : options.rounds;
    for (let round = 0; round < rounds; round++)
      for (const entrant of round % 2 === 0 ? entrants : entrants.toReversed())
        await attempt(entrant.name, async () => {
          samples.set(entrant.name, [...(samples.get(entrant.name) ?? []), await entrant.run()]);
        });
  } finally {
    await Promise.all(entrants.map((entrant) => entrant.stop()));
  }
  return { workload, samples, errors, ceiling: await measureCeiling(workload, options) };
}

async function enter(
  workload: Workload,
  contender: ContenderArgument,
  options: MeasureOptions,
): Promise<Entrant | undefined> {
  if (workload.kind === "hold") return enterHold(workload, contender, options);
  const server = await startContender(contender, workload);
  if (!server) return undefined;
  options.onVersion(contender.name, server.version);
  const runOnce = (messages: number): Promise<Sample> =>
    runGenerator(options.generator, [...workload.generator, ...messageCount(messages), ...addressOf(server)]);
  try {
    const messages = await sizeRun(workload, options.runSeconds, runOnce);
    return { name: contender.name, run: () => runOnce(messages), stop: () => server.stop() };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Memory is measured on a server that has done nothing else. */
function enterHold(workload: Workload, contender: ContenderArgument, options: MeasureOptions): Entrant {
  const run = async (): Promise<Sample> => {
    const server = await startContender(contender, workload);
    if (!server) throw new Error("cannot be started again");
    options.onVersion(contender.name, server.version);
    try {
      return await runGenerator(options.generator, [...workload.generator, ...addressOf(server)]);
    } finally {
      await server.stop();
    }
  };
  return { name: contender.name, run, stop: () => Promise.resolve() };
}

/**
 * Warms the server up, and finds how many messages it handles in the wanted time. The last pass is as long as a measured run: an engine that
 * compiles in the background counts a few hundred nanoseconds for each of the first million messages, which would be attributed to them.
 */
async function sizeRun(
  workload: Workload,
  runSeconds: number,
  runOnce: (messages: number) => Promise<Sample>,
): Promise<number> {
  let messages = Math.ceil(workload.messages / 10);
  for (let pass = 0; pass < 2; pass++) {
    const { wallSeconds = runSeconds } = await runOnce(messages);
    const wanted = (messages * runSeconds) / wallSeconds;
    messages = Math.ceil(Math.min(wanted, workload.messages * SIZING_FACTOR_MAX));
  }
  await runOnce(messages);
  return messages;
}

async function measureCeiling(workload: Workload, options: MeasureOptions): Promise<Sample | undefined> {
  if (workload.kind === "hold") return undefined;
  return runGenerator(options.generator, [
    "--calibrate",
    ...workload.generator.filter((option) => ![MAPPED, WEBSOCKET].includes(option)), // which the stand-in cannot do
    ...messageCount(workload.messages),
  ]);
}

function messageCount(messages: number): string[] {
  return ["--messages", String(messages)];
}

function addressOf(server: RunningServer): string[] {
  const secondPort = server.secondPort === undefined ? [] : ["--sub-port", String(server.secondPort)];
  return [
    "--host",
    server.host,
    "--port",
    String(server.port),
    "--pids",
    server.pids.join(","),
    ...secondPort,
  ];
}

/** Rejects with the generator's own words when a message was lost, doubled, damaged or out of order. */
function runGenerator(generator: string, generatorArguments: readonly string[]): Promise<Sample> {
  const all = [...generatorArguments, "--deadline-seconds", String(DEADLINE_SECONDS)];
  const limits = { timeout: (DEADLINE_SECONDS + 10) * 1000, killSignal: "SIGKILL" } as const;
  return new Promise((resolve, reject) => {
    const child = execFile(generator, all, limits, (failure, stdout) => {
      const line = stdout.trim().split("\n").at(-1) ?? "";
      if (!line.startsWith("{")) return reject(failure ?? new Error(`the generator printed '${line}'`));
      const { error, ...values } = JSON.parse(line) as Record<string, unknown>;
      if (typeof error === "string") return reject(new Error(error));
      resolve(Object.fromEntries(Object.entries(values).filter(isNumberEntry)));
    });
    register(child);
  });
}

function isNumberEntry(entry: [string, unknown]): entry is [string, number] {
  return typeof entry[1] === "number";
}
