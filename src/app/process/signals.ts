/**
 * Signals to the process, and `--signal` to another one. SIGINT and SIGQUIT stop the server at once. SIGTERM starts lame duck mode
 * where clients have somewhere to go, or where an orchestrator waits for the end of a container; otherwise it stops the server,
 * as nats-server does. A second SIGTERM stops it at once. The other signals act as in nats-server.
 */
import type { EventEmitter } from "node:events";
import { systemClock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { SignalCommand } from "../../config/formats/flags.ts";
import type { Log } from "../../log/log.ts";
import type { DrainsUntil, LifeState } from "../../health/lifecycle.ts";
import type { ReloadReason } from "../reload.ts";

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

/** How long SIGINT waits for clients to end their side of the connection. */
const INTERRUPT_PATIENCE_MS = 250;

/** What signals act on. */
export interface SignalledServer {
  readonly state: LifeState;
  readonly hasRefuge: boolean;
  stop(): void;
  closed(): Promise<void>;
  lameDuck(until: DrainsUntil): Promise<void>;
  reload(reason: ReloadReason): Promise<unknown>;
}

export interface SignalOptions {
  readonly server: SignalledServer;
  readonly log: Log;
  readonly logger: Logger;
  /** Whether an orchestrator stops this process and waits until it has ended. */
  readonly isOrchestrated: boolean;
  /** Emits the signals: the process. */
  readonly source: Pick<EventEmitter, "on" | "off">;
  /** Ends the process, once the server has stopped. */
  readonly exit: (code: number) => void;
}

/** Signals act on the server until the result is disposed of. */
export function followSignals(options: SignalOptions): Disposable {
  const { server, log, logger, source } = options;
  let terminations = 0;
  let hasEnded = false;
  const exit = (code: number): void => {
    if (hasEnded) return;
    hasEnded = true;
    options.exit(code);
  };
  const ended = (): void => void server.closed().then(() => exit(0));
  const stop = (): void => {
    // A repeated signal does not wait for clients that still read.
    if (server.state === "stopped") return exit(0);
    server.stop();
    ended();
  };
  const interrupt = (): void => {
    stop();
    systemClock.setTimer(INTERRUPT_PATIENCE_MS, () => exit(0));
  };
  const drain = (until: DrainsUntil): void => {
    if (server.state !== "ready") return;
    server.lameDuck(until).then(ended, (error: unknown) => {
      logger.error("Lame duck mode failed", { error: String(error) });
      server.stop();
      exit(1);
    });
  };
  const terminate = (): void => {
    // A hook that has said `--signal ldm` is followed by the orchestrator's SIGTERM, which asks for nothing new then.
    if (++terminations > 1) stop();
    else if (options.isOrchestrated) drain("done");
    else if (server.hasRefuge || server.state === "lame duck") drain("alone");
    else stop();
  };
  const handlers: [NodeJS.Signals, () => void][] = [
    ["SIGINT", interrupt],
    ["SIGTERM", terminate],
    ["SIGQUIT", interrupt],
    ["SIGUSR2", () => drain("done")],
    ["SIGUSR1", () => reopen(log, logger)],
    ["SIGHUP", () => void server.reload("signal")],
  ];
  const traps = handlers.map(([signal, act]) => {
    const trap = (): void => {
      logger.debug(`Trapped "${signal}" signal`);
      act();
    };
    return { signal, trap };
  });
  for (const { signal, trap } of traps) source.on(signal, trap);
  return { [Symbol.dispose]: () => traps.forEach(({ signal, trap }) => source.off(signal, trap)) };
}

function reopen(log: Log, logger: Logger): void {
  try {
    log.reopen();
    logger.info("File log re-opened");
  } catch (error) {
    logger.error("The log file cannot be opened again", { error: String(error) });
  }
}
