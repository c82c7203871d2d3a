/** The command line program: arguments to configuration to a running server. */
import { writeRunFiles } from "./app/run-files.ts";
import { Server } from "./app/server.ts";
import { followSignals, sendSignal, type SignalCommand } from "./app/signals.ts";
import { VERSION } from "./app/version.ts";
import type { Config } from "./config/config.ts";
import { loadConfig } from "./config/load.ts";
import { openLog } from "./log/log.ts";
import { NATS_LEVEL } from "./protocol/info.ts";

const loaded = loadConfig(process.argv.slice(2), process.env);
switch (loaded.kind) {
  case "help":
  case "check-ok":
    process.stdout.write(`${loaded.text}\n`);
    break;
  case "version":
    process.stdout.write(`shoal: v${VERSION} (nats-server v${NATS_LEVEL} level)\n`);
    break;
  case "signal":
    signalAnother(loaded.command, loaded.pid);
    break;
  case "error":
    fail(loaded.messages);
    break;
  case "run":
    await run(loaded.config, loaded.warnings);
}

async function run(config: Config, warnings: readonly string[]): Promise<void> {
  const { log: options } = config;
  const log = openLog({
    format: options.format,
    file: options.file ?? undefined,
    time: !options.time ? "none" : options.timeUtc ? "utc" : "local",
    debug: options.debug,
    trace: options.trace,
  });
  const { logger } = log;
  for (const warning of warnings) logger.warn(warning);
  try {
    const server = new Server({ config, logger });
    await server.start();
    const files = writeRunFiles(server, config.server);
    followSignals(server, log, logger, (code) => {
      files[Symbol.dispose]();
      process.exitCode = code;
      endSoon(code);
    });
  } catch (error) {
    logger.fatal(`The server cannot start: ${error instanceof Error ? error.message : String(error)}`);
    endSoon(1);
  }
}

/** Sockets take leave for a moment; then the process ends in any case. */
function endSoon(code: number): void {
  process.exitCode = code;
  setTimeout(() => process.exit(code), 200).unref();
}

function signalAnother(command: SignalCommand, pid: number | null): void {
  if (pid === null) return fail([`--signal ${command}: which process? Name it as --signal ${command}=PID`]);
  try {
    sendSignal(command, pid);
  } catch (error) {
    fail([`--signal ${command}: process ${pid}: ${String(error)}`]);
  }
}

function fail(messages: readonly string[]): void {
  for (const message of messages) process.stderr.write(`shoal: ${message}\n`);
  process.exitCode = 1;
}
