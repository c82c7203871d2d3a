/** The command line program: arguments to configuration to a running server. */
import { flushCompileCache } from "node:module";
import {
  isStoppedByOrchestrator,
  nameOfContainer,
  nameOfPodInDns,
  realSurroundings,
} from "./app/container.ts";
import { findOtherServer } from "./app/find-process.ts";
import { logOptions } from "./app/config-slices.ts";
import { logOptionsAs, nameProcess, programOf, refusalLines, versionText } from "./app/program.ts";
import { askedBy } from "./app/reload.ts";
import { RunFiles } from "./app/run-files.ts";
import { Server } from "./app/server.ts";
import { followSignals, sendSignal, type SignalCommand } from "./app/signals.ts";
import { StartError } from "./app/start-error.ts";
import { systemClock } from "./base/clock.ts";
import type { Config } from "./config/config.ts";
import { loadConfigInAnyFormat, type LoadResult } from "./config/load.ts";
import { openLog, type Log, type LogOptions } from "./log/log.ts";
import { limitRepeats } from "./log/repeat-limit.ts";

const program = programOf(process.env);
nameProcess(program, process.argv.slice(2));
const load = (): Promise<LoadResult> => loadConfigInAnyFormat(process.argv.slice(2), process.env);
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
    await run(loaded);
}

/** A file of certificates that cannot be used would keep the server from starting. */
async function check(text: string, { client, cluster }: Config): Promise<void> {
  if (client.tls !== null || cluster.tls !== null) {
    const { tlsFileProblems } = await import("./app/port-tls.ts");
    const problems = tlsFileProblems(client.tls, cluster.tls);
    if (problems.length > 0) return fail(problems.map((problem) => `${program.name}: ${problem}`));
  }
  process.stdout.write(`${program.name}: ${text}\n`);
}

async function run({
  config,
  warnings,
  files: configFiles,
  digest: configDigest,
}: LoadResult & { kind: "run" }): Promise<void> {
  const log = tryToOpenLog(config);
  if (log === null) return;
  // What a peer does wrong again and again is told once a while, with a count.
  const { logger } = limitRepeats(log.logger, systemClock);
  for (const warning of warnings) logger.warn(warning);
  // Until somebody listens, SIGHUP would end the process.
  let reloadsAsked = 0;
  const onEarlyHangUp = (): void => void reloadsAsked++;
  process.on("SIGHUP", onEarlyHangUp);
  const files = new RunFiles(program.name, logger);
  const parts = [
    { prepare: (next: Config) => askedBy("log.file", () => log.prepare(logOptionsOf(next))) },
    files,
  ];
  try {
    const server = new Server({
      config,
      logger,
      configDigest,
      configSource: { load, files: configFiles, parts },
      defaultName: nameOfContainer(realSurroundings),
      ownDnsName: nameOfPodInDns(realSurroundings),
    });
    server.logLinesLost = () => log.snapshot().linesLost;
    await server.start();
    files.write(server);
    // Node writes its compile cache at a regular end only; a server that is killed would never fill it.
    setTimeout(() => flushCompileCache(), 1000).unref();
    followSignals({
      server,
      log,
      logger,
      isOrchestrated: isStoppedByOrchestrator(realSurroundings),
      source: process,
      exit(code) {
        files[Symbol.dispose]();
        endSoon(code);
      },
    });
    process.off("SIGHUP", onEarlyHangUp);
    if (reloadsAsked > 0) void server.reload("signal");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    logger.fatal(error instanceof StartError ? reason : `The server cannot start: ${reason}`);
    endSoon(1);
  }
}

/** null: it cannot be opened, and that has been said. */
function tryToOpenLog(config: Config): Log | null {
  try {
    return openLog(logOptionsOf(config));
  } catch (error) {
    fail([`${program.name}: ${error instanceof Error ? error.message : String(error)}`]);
    return null;
  }
}

function logOptionsOf(config: Config): LogOptions {
  return logOptionsAs(program, logOptions(config));
}

/** What was written last still goes out; then the process ends in any case. */
function endSoon(code: number): void {
  process.exitCode = code;
  setTimeout(() => process.exit(code), 50).unref();
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
