/** The command line program: arguments to configuration to a running server. */
import { findOtherServer } from "./app/process/find-process.ts";
import { nameProcess, programOf, refusalLines, versionText } from "./app/program.ts";
import { sendSignal } from "./app/process/signals.ts";
import type { Config } from "./config/config.ts";
import type { SignalCommand } from "./config/formats/flags.ts";
import { loadConfigInAnyFormat, type LoadResult } from "./config/load.ts";

const program = programOf(process.env);
nameProcess(program, process.argv.slice(2));
const load = (): Promise<LoadResult> => loadConfigInAnyFormat(process.argv.slice(2), process.env);
await main();

async function main(): Promise<void> {
  // nats-server has no such command.
  if (process.argv[2] === "doctor" && !program.isNatsServer) return examine();
  const loaded = await load();
  switch (loaded.kind) {
    case "help":
      process.stdout.write(`${loaded.text}\n`);
      break;
    case "check-ok":
      await check(loaded.text, loaded.config);
      break;
    case "version":
      process.stdout.write(`${versionText(program)}\n`);
      break;
    case "signal":
      signalAnother(loaded.command, loaded.pid);
      break;
    case "error":
      fail(refusalLines(program, loaded));
      break;
    case "run":
      await runServer(loaded);
  }
}

/** A file of certificates that cannot be used would keep the server from starting. */
async function check(
  text: string,
  { client, cluster, websocket, leafNodes, operator }: Config,
): Promise<void> {
  const leafRemotes = leafNodes.remotes.map(({ tls }) => tls);
  const blocks = [
    client.tls,
    cluster.tls,
    websocket.tls,
    leafNodes.tls,
    operator.resolverTls,
    ...leafRemotes,
  ];
  if (blocks.some((tls) => tls !== null)) {
    const { tlsFileProblems } = await import("./ports/port-tls.ts");
    const problems = tlsFileProblems({
      client: client.tls,
      cluster: cluster.tls,
      websocket: websocket.tls,
      leafnodes: leafNodes.tls,
      leafRemotes,
      resolver: operator.resolverTls,
    });
    if (problems.length > 0) return fail(problems.map((problem) => `${program.name}: ${problem}`));
  }
  process.stdout.write(`${program.name}: ${text}\n`);
}

/** A command of its own: it reads no configuration. */
async function examine(): Promise<void> {
  const { doctor } = await import("./app/doctor/command.ts");
  const { exitCode, lines, problem } = await doctor(process.argv.slice(3), process.env);
  for (const line of lines) process.stdout.write(`${line}\n`);
  if (problem !== "") process.stderr.write(`${program.name} doctor: ${problem}\n`);
  process.exitCode = exitCode;
}

/** What a server consists of is loaded here alone: it takes longer than all other commands. */
async function runServer(loaded: LoadResult & { kind: "run" }): Promise<void> {
  const [{ run }, { Server }] = await Promise.all([import("./app/run.ts"), import("./app/server.ts")]);
  try {
    await run({ serverOf: (options) => new Server(options), program, load, loaded });
  } catch (error) {
    fail([`${program.name}: ${error instanceof Error ? error.message : String(error)}`]);
  }
}

function signalAnother(command: SignalCommand, pid: number | null): void {
  try {
    sendSignal(command, pid ?? findOtherServer(program));
  } catch (error) {
    fail([`${program.name}: --signal ${command}: ${error instanceof Error ? error.message : String(error)}`]);
  }
}

function fail(lines: readonly string[]): void {
  for (const line of lines) process.stderr.write(`${line}\n`);
  process.exitCode = 1;
}
