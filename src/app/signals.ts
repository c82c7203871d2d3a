/** Signals to the process, and `--signal` to another one. The numbers are those of nats-server. */
import type { Logger } from "../base/logger.ts";
import type { Log } from "../log/log.ts";
import type { Server } from "./server.ts";

export type SignalCommand = "ldm" | "stop" | "quit" | "term" | "reopen" | "reload";

const SIGNAL_OF: Readonly<Record<SignalCommand, NodeJS.Signals>> = {
  ldm: "SIGUSR2",
  stop: "SIGKILL",
  quit: "SIGINT",
  term: "SIGTERM",
  reopen: "SIGUSR1",
  reload: "SIGHUP",
};

/** Throws the operating system's error where there is no such process. */
export function sendSignal(command: SignalCommand, pid: number): void {
  process.kill(pid, SIGNAL_OF[command]);
}

/** Until disposed of, signals act on the server. `exit` ends the process once it has stopped. */
export function followSignals(
  server: Server,
  log: Log,
  logger: Logger,
  exit: (code: number) => void,
): Disposable {
  const stop = (signal: NodeJS.Signals): void => {
    logger.debug(`Trapped "${signal}" signal`);
    // A second one does not wait for those who still read.
    if (server.state === "stopped") return exit(0);
    server.stop();
    void server.closed().then(() => exit(0));
  };
  const drain = (): void => {
    server.lameDuck().then(
      () => server.closed().then(() => exit(0)),
      (error: unknown) => {
        logger.error("Lame duck mode failed", { error: String(error) });
        server.stop();
        exit(1);
      },
    );
  };
  const handlers: [NodeJS.Signals, (signal: NodeJS.Signals) => void][] = [
    ["SIGINT", stop],
    ["SIGTERM", stop],
    ["SIGUSR2", drain],
    ["SIGUSR1", () => reopen(log, logger)],
    ["SIGHUP", () => logger.warn("Reloading the configuration is not supported yet: restart the server")],
  ];
  for (const [signal, handler] of handlers) process.on(signal, handler);
  return {
    [Symbol.dispose]: () => handlers.forEach(([signal, handler]) => process.off(signal, handler)),
  };
}

function reopen(log: Log, logger: Logger): void {
  try {
    log.reopen();
    logger.info("File log re-opened");
  } catch (error) {
    logger.error("The log file cannot be opened again", { error: String(error) });
  }
}
