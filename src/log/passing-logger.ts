/** A logger that passes every line to another one. Subclasses override what should differ, and `child`, so that children differ too. */
import type { LogFields, Logger } from "../base/logger.ts";

export abstract class PassingLogger implements Logger {
  protected readonly inner: Logger;

  constructor(inner: Logger) {
    this.inner = inner;
  }

  get tracing(): boolean {
    return this.inner.tracing;
  }

  get debugging(): boolean {
    return this.inner.debugging;
  }

  trace(message: string, fields?: LogFields): void {
    this.inner.trace(message, fields);
  }

  debug(message: string, fields?: LogFields): void {
    this.inner.debug(message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.inner.info(message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.inner.warn(message, fields);
  }

  error(message: string, fields?: LogFields): void {
    this.inner.error(message, fields);
  }

  fatal(message: string, fields?: LogFields): void {
    this.inner.fatal(message, fields);
  }

  abstract child(fields: LogFields): Logger;
}
