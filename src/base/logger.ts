/**
 * The interface through which every room logs facts for operators. The message is a fixed text and data goes into fields; the log room
 * decides about destination and form. The hot path never logs per message, except behind `tracing`.
 */

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal";

/**
 * `peer` (host:port) with `cid`, `rid`, `lid`, `gid`, `wid` or `mid`, and optionally `client` and `user`, name the
 * connection that a line is about: the classic form writes them in front of the message, as nats-server does.
 * `event` names a fact that programs wait for. `level`, `time`, `pid` and `msg` belong to the line itself.
 */
export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  /** Protocol tracing is on: ask before you put a line together. Changes at run time. */
  readonly tracing: boolean;
  readonly debugging: boolean;
  trace(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** Only writes the line; the caller ends the process. */
  fatal(message: string, fields?: LogFields): void;
  /** A logger that adds these fields to every line. Cheap: made once per connection. */
  child(fields: LogFields): Logger;
}

/** Discards all lines. */
export const silentLogger: Logger = {
  tracing: false,
  debugging: false,
  trace: drop,
  debug: drop,
  info: drop,
  warn: drop,
  error: drop,
  fatal: drop,
  child: () => silentLogger,
};

function drop(): void {
  // what silentLogger does with a line
}
