/**
 * Signals to the process, and `--signal` to another one. SIGTERM and SIGINT, which orchestrators and people send, mean lame duck
 * mode, and a second one the end; SIGQUIT means the end at once. The others are as with nats-server.
 */
import type { Logger } from "../base/logger.ts";
import type { Log } from "../log/log.ts";
import type { Server } from "./server.ts";

export type SignalCommand = "ldm" | "stop" | "quit" | "term" | "reopen" | "reload";

const SIGNAL_OF: Readonly<Record<SignalCommand, NodeJS.Signals>> = {
  ldm: "SIGUSR2",
  stop: "SIGKILL",
  quit: "SIGQUIT",
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
  let terminations = 0;
  const ended = (): void => void server.closed().then(() => exit(0));
  const stop = (): void => {
    // One more does not wait for those who still read.
    if (server.state === "stopped") return exit(0);
    server.stop();
    ended();
  };
  const drain = (): void => {
    if (server.state !== "ready") return;
    server.lameDuck().then(ended, (error: unknown) => {
      logger.error("Lame duck mode failed", { error: String(error) });
      server.stop();
      exit(1);
    });
  };
  const leave = (signal: NodeJS.Signals): void => {
    const isLeaving = server.state === "lame duck" || server.state === "stopped";
    // A hook that has said `--signal ldm` is followed by the orchestrator's SIGTERM, which asks for nothing new then.
    const isImpatient = ++terminations > 1 || (isLeaving && signal === "SIGINT");
    if (isImpatient) stop();
    else drain();
  };
  const handlers: [NodeJS.Signals, (signal: NodeJS.Signals) => void][] = [
    ["SIGINT", leave],
    ["SIGTERM", leave],
    ["SIGQUIT", stop],
    ["SIGUSR2", drain],
    ["SIGUSR1", () => reopen(log, logger)],
    ["SIGHUP", () => void server.reload("signal")],
  ];
  const traps = handlers.map(([signal, act]) => {
    const trap = (): void => {
      logger.debug(`Trapped "${signal}" signal`);
      act(signal);
    };
    return { signal, trap };
  });
  for (const { signal, trap } of traps) process.on(signal, trap);
  return { [Symbol.dispose]: () => traps.forEach(({ signal, trap }) => process.off(signal, trap)) };
}

function reopen(log: Log, logger: Logger): void {
  try {
    log.reopen();
    logger.info("File log re-opened");
  } catch (error) {
    logger.error("The log file cannot be opened again", { error: String(error) });
  }
}
