/**
 * The log of a server: one sink, two forms. JSON lines for programs (made by pino, whose only importer is this room),
 * the classic nats-server line for people. Debug and trace are switched at run time for every child logger at once.
 *
 * Every line passes `redact`. No worker threads, no buffering: a line is written when the call returns.
 */
import { isatty } from "node:tty";
import pino from "pino";
import type { LogFields, Logger, LogLevel } from "../base/logger.ts";
import { formatClassic, type ClassicStyle } from "./classic-format.ts";
import { redact, redactText } from "./redact.ts";
import type { RotationOptions } from "./rotation.ts";
import { Sink } from "./sink.ts";

export interface LogOptions {
  /** `auto`: classic on a terminal, else JSON. */
  readonly format: "auto" | "json" | "classic";
  /** Appended to; without it lines go to standard error. */
  readonly file?: string | undefined;
  /** Of the file; undefined: it grows until somebody else moves it and calls `reopen`. */
  readonly rotation?: RotationOptions | undefined;
  readonly time: "local" | "utc" | "none";
  readonly debug: boolean;
  readonly trace: boolean;
}

interface LogSwitches {
  readonly debug: boolean;
  readonly trace: boolean;
}

export interface Log extends Disposable {
  readonly logger: Logger;
  /** Takes effect for every logger and child at once. */
  setSwitches(switches: LogSwitches): void;
  /** Opens the log file again after a rotation moved it; nothing to do on standard error. Throws if it cannot. */
  reopen(): void;
  snapshot(): { readonly linesLost: number };
}

export const defaultLogOptions: LogOptions = { format: "auto", time: "local", debug: false, trace: false };

type WriteLine = (level: LogLevel, message: string, fields: LogFields) => void;

const STDERR = 2;

/** Throws when the log file cannot be opened. */
export function openLog(options: LogOptions): Log {
  const sink = new Sink({ path: options.file, rotation: options.rotation });
  const onTerminal = options.file === undefined && isatty(STDERR);
  const classic = options.format === "classic" || (options.format === "auto" && onTerminal);
  const colour = onTerminal && !process.env["NO_COLOR"] ? "labels" : "never";
  const write = classic
    ? classicWriter(sink, { colour, time: options.time })
    : jsonWriter(sink, options.time === "none" ? "none" : "utc");
  const switches = { debug: options.debug, trace: options.trace };
  return {
    logger: new SwitchedLogger(write, switches, {}),
    setSwitches: ({ debug, trace }) => void Object.assign(switches, { debug, trace }),
    reopen: () => sink.reopen(),
    snapshot: () => ({ linesLost: sink.linesLost }),
    [Symbol.dispose]: () => sink[Symbol.dispose](),
  };
}

function jsonWriter(sink: Sink, time: "utc" | "none"): WriteLine {
  const out = pino(
    {
      level: "trace",
      base: { pid: process.pid },
      timestamp: time === "none" ? false : pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    sink,
  );
  return (level, message, fields) => out[level](fields, message);
}

function classicWriter(sink: Sink, style: ClassicStyle): WriteLine {
  const pid = process.pid;
  return (level, message, fields) => {
    const timeMicros = Math.floor((performance.timeOrigin + performance.now()) * 1000);
    sink.write(formatClassic({ level, pid, timeMicros, message, fields }, style));
  };
}

class SwitchedLogger implements Logger {
  readonly #write: WriteLine;
  readonly #switches: LogSwitches;
  readonly #fields: LogFields;

  constructor(write: WriteLine, switches: LogSwitches, fields: LogFields) {
    this.#write = write;
    this.#switches = switches;
    this.#fields = fields;
  }

  get tracing(): boolean {
    return this.#switches.trace;
  }

  get debugging(): boolean {
    return this.#switches.debug;
  }

  trace(message: string, fields?: LogFields): void {
    if (this.#switches.trace) this.#line("trace", message, fields);
  }

  debug(message: string, fields?: LogFields): void {
    if (this.#switches.debug) this.#line("debug", message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#line("info", message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#line("warn", message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.#line("error", message, fields);
  }

  fatal(message: string, fields?: LogFields): void {
    this.#line("fatal", message, fields);
  }

  child(fields: LogFields): Logger {
    return new SwitchedLogger(this.#write, this.#switches, { ...this.#fields, ...fields });
  }

  #line(level: LogLevel, message: string, fields: LogFields | undefined): void {
    this.#write(level, redactText(message), redact({ ...this.#fields, ...fields }) as LogFields);
  }
}
