/**
 * A server as a process: its log, its signals, the files that tell of it. Loaded only where a server is to run, so that commands such
 * as --version and -t are answered without it.
 */
import { flushCompileCache } from "node:module";
import { systemClock } from "../base/clock.ts";
import type { Config } from "../config/config.ts";
import type { LoadResult } from "../config/load.ts";
import { openLog, type LogOptions } from "../log/log.ts";
import { limitRepeats } from "../log/repeat-limit.ts";
import { logOptions } from "./slices/log.ts";
import {
  isStoppedByOrchestrator,
  nameOfContainer,
  nameOfPodInDns,
  realSurroundings,
} from "./process/container.ts";
import { logOptionsAs, type Program } from "./program.ts";
import { askedBy } from "../base/option-refused.ts";
import { RunFiles, type ShownServer } from "./process/run-files.ts";
import type { ServerOptions } from "./server.ts";
import { followSignals, type SignalledServer } from "./process/signals.ts";
import { StartError } from "../ports/start-error.ts";

/** A server as the process sees it. */
type ProcessServer = SignalledServer & ShownServer & { start(): Promise<void> };

export interface RunOptions {
  /** Builds the server; throws what is wrong with its configuration. */
  readonly serverOf: (options: ServerOptions) => ProcessServer;
  readonly program: Program;
  /** Asked again at each reload. */
  readonly load: () => Promise<LoadResult>;
  readonly loaded: LoadResult & { readonly kind: "run" };
}

/** Starts the server, and follows signals until it ends. Throws where the log cannot be opened. */
export async function run({ serverOf, program, load, loaded }: RunOptions): Promise<void> {
  const { config, warnings, files: configFiles, digest: configDigest } = loaded;
  const optionsOf = (next: Config): LogOptions => logOptionsAs(program, logOptions(next));
  const log = openLog(optionsOf(config));
  // What a peer does wrong again and again is told once a while, with a count.
  const { logger } = limitRepeats(log.logger, systemClock);
  for (const warning of warnings) logger.warn(warning);
  // Until somebody listens, SIGHUP would end the process.
  let reloadsAsked = 0;
  const onEarlyHangUp = (): void => void reloadsAsked++;
  process.on("SIGHUP", onEarlyHangUp);
  // A signal that arrives just as the server announces that it is ready is handled as by a ready server.
  for (const signal of ENDING_SIGNALS) process.on(signal, endEarly);
  const files = new RunFiles(program.name, logger);
  const parts = [
    { prepare: (next: Config) => askedBy("log.file", () => log.prepare(optionsOf(next))) },
    files,
  ];
  try {
    const server = serverOf({
      config,
      logger,
      configDigest,
      configSource: { load, files: configFiles, parts },
      defaultName: nameOfContainer(realSurroundings),
      ownDnsName: nameOfPodInDns(realSurroundings),
      logLinesLost: () => log.snapshot().linesLost,
      warmsUp: true,
    });
    await server.start();
    // Node writes its compile cache at a regular end only; a server that is killed would never fill it.
    systemClock.setTimer(1000, () => flushCompileCache());
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
    for (const signal of ENDING_SIGNALS) process.off(signal, endEarly);
    files.write(server);
    if (reloadsAsked > 0) void server.reload("signal");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    logger.fatal(error instanceof StartError ? reason : `The server cannot start: ${reason}`);
    endSoon(1);
  }
}

const ENDING_SIGNALS = ["SIGINT", "SIGTERM", "SIGQUIT"] as const;

/** A server that still starts ends at once, as a process without handlers does. */
function endEarly(_signal: NodeJS.Signals, number: number): void {
  process.exit(128 + number);
}

/** The last output still goes out; then the process ends in any case. */
function endSoon(code: number): void {
  process.exitCode = code;
  systemClock.setTimer(50, () => process.exit(code));
}
