/**
 * The log of a server: one sink, two forms. JSON lines for programs, the classic nats-server line for people. Debug and trace are switched at run time for every child logger at once.
 *
 * Every line passes `redact`. No worker threads, no buffering: a line is written when the call returns.
 */
import { hostname } from "node:os";
import { isatty } from "node:tty";
import { isDeepStrictEqual } from "node:util";
import type { LogFields, Logger, LogLevel } from "../base/logger.ts";
import type { Prepared } from "../base/prepared.ts";
import { classicText, formatClassic, type ClassicStyle } from "./classic-format.ts";
import { redact, redactText } from "./redact.ts";
import type { RotationOptions } from "./rotation.ts";
import { Sink } from "./sink.ts";
import { formatSyslog } from "./syslog-line.ts";
import type { SyslogTarget } from "./syslog-link.ts";
import { SyslogSink } from "./syslog-sink.ts";

export interface LogOptions {
  /** `auto`: classic on a terminal and for syslog, otherwise JSON. */
  readonly format: "auto" | "json" | "classic";
  /** Appended to; without it lines go to standard error. */
  readonly file?: string | undefined;
  /** Destination of lines if there is no file. */
  readonly syslog?: SyslogTarget | undefined;
  /** Rotation of the file; undefined: the file grows until another program moves it and has it reopened. */
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
  /** Opens what the new options need; throws if that fails. Once applied, they are valid for every logger and child. */
  prepare(options: LogOptions): Prepared;
  /** Reopens the log file after a rotation has moved it; no effect on standard error. Throws if that fails. */
  reopen(): void;
  snapshot(): { readonly linesLost: number };
}

export const defaultLogOptions: LogOptions = { format: "auto", time: "local", debug: false, trace: false };

type WriteLine = (level: LogLevel, message: string, fields: LogFields) => void;

const STDERR = 2;

/** Destination and form of lines. */
interface Output {
  readonly sink: Destination;
  readonly write: WriteLine;
}

interface Destination extends Disposable {
  readonly linesLost: number;
  reopen(): void;
}

/** The state that all loggers of a log share. */
interface State extends Output {
  sink: Destination;
  write: WriteLine;
  debug: boolean;
  trace: boolean;
}

/** Throws when the log file cannot be opened. */
export function openLog(options: LogOptions): Log {
  let current = options;
  let linesLostBefore = 0;
  const state: State = { ...openOutput(options), debug: options.debug, trace: options.trace };
  return {
    logger: new SwitchedLogger(state, {}),
    setSwitches: ({ debug, trace }) => void Object.assign(state, { debug, trace }),
    prepare(next) {
      const output = isSameOutput(current, next) ? null : openOutput(next);
      return {
        apply() {
          const { debug, trace } = next;
          current = next;
          if (output !== null) {
            linesLostBefore += state.sink.linesLost;
            state.sink[Symbol.dispose]();
          }
          Object.assign(state, { ...output, debug, trace });
        },
        discard: () => output?.sink[Symbol.dispose](),
      };
    },
    reopen: () => state.sink.reopen(),
    snapshot: () => ({ linesLost: linesLostBefore + state.sink.linesLost }),
    [Symbol.dispose]: () => state.sink[Symbol.dispose](),
  };
}

function openOutput(options: LogOptions): Output {
  const { file, syslog } = options;
  return file === undefined && syslog !== undefined ? openSyslog(options, syslog) : openFileOrStderr(options);
}

function openFileOrStderr(options: LogOptions): Output {
  const sink = new Sink({ path: options.file, rotation: options.rotation });
  const onTerminal = options.file === undefined && isatty(STDERR);
  const classic = options.format === "classic" || (options.format === "auto" && onTerminal);
  const colour = onTerminal && !process.env["NO_COLOR"] ? "labels" : "never";
  const write = classic
    ? classicWriter(sink, { colour, time: options.time })
    : jsonWriter(sink, options.time === "none" ? "none" : "utc");
  return { sink, write };
}

/** If syslog fails, standard error says so, and says why the server cannot start. */
function openSyslog(options: LogOptions, target: SyslogTarget): Output {
  const aside = openFileOrStderr({ ...options, file: undefined });
  const address = `${target.protocol}://${target.host}:${target.port}`;
  const sink = new SyslogSink(target, (reason) =>
    aside.write("error", "Syslog server cannot be reached; trying again", {
      address,
      error: redactText(reason),
    }),
  );
  const write = syslogWriter(sink, options);
  return {
    sink,
    write(level, message, fields) {
      write(level, message, fields);
      if (level === "fatal") aside.write(level, message, fields);
    },
  };
}

function isSameOutput(a: LogOptions, b: LogOptions): boolean {
  const { debug: _, trace: __, ...before } = a;
  const { debug: ___, trace: ____, ...after } = b;
  return isDeepStrictEqual(before, after);
}

/** Writes one object per line, the message last. */
function jsonWriter(sink: { write(line: string): void }, time: "utc" | "none"): WriteLine {
  const { pid } = process;
  return (level, message, fields) => {
    const at = time === "none" ? {} : { time: new Date().toISOString() };
    const own = { level, ...at, pid };
    sink.write(`${JSON.stringify({ ...own, ...fields, ...own, msg: message })}\n`);
  };
}

function classicWriter(sink: Sink, style: ClassicStyle): WriteLine {
  const pid = process.pid;
  return (level, message, fields) => {
    const timeMicros = Math.floor((performance.timeOrigin + performance.now()) * 1000);
    sink.write(formatClassic({ level, pid, timeMicros, message, fields }, style));
  };
}

function syslogWriter(sink: SyslogSink, { format, time }: LogOptions): WriteLine {
  const pid = process.pid;
  const hostName = hostname();
  let json = "";
  const writeJson = jsonWriter(
    { write: (line) => void (json = line.trimEnd()) },
    time === "none" ? "none" : "utc",
  );
  return (level, message, fields) => {
    if (format === "json") writeJson(level, message, fields);
    const text = format === "json" ? json : classicText(message, fields);
    const timeMs = time === "none" ? null : Date.now();
    sink.write(formatSyslog({ level, pid, timeMs, hostName, event: fields["event"], text }));
  };
}

class SwitchedLogger implements Logger {
  private readonly state: State;
  private readonly fields: LogFields;

  constructor(state: State, fields: LogFields) {
    this.state = state;
    this.fields = fields;
  }

  get tracing(): boolean {
    return this.state.trace;
  }

  get debugging(): boolean {
    return this.state.debug;
  }

  trace(message: string, fields?: LogFields): void {
    if (this.state.trace) this.line("trace", message, fields);
  }

  debug(message: string, fields?: LogFields): void {
    if (this.state.debug) this.line("debug", message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.line("info", message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.line("warn", message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.line("error", message, fields);
  }

  fatal(message: string, fields?: LogFields): void {
    this.line("fatal", message, fields);
  }

  child(fields: LogFields): Logger {
    return new SwitchedLogger(this.state, { ...this.fields, ...fields });
  }

  private line(level: LogLevel, message: string, fields: LogFields | undefined): void {
    this.state.write(level, redactText(message), redact({ ...this.fields, ...fields }) as LogFields);
  }
}
