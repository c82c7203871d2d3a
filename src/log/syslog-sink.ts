/**
 * Sends log lines to a syslog server. Shoal never waits for that server and never ends because of it: while it cannot be reached or does
 * not read, lines are kept up to QUEUE_MAX_BYTES, beyond which they are lost and counted. The caller learns at most once a minute that
 * the server cannot be reached.
 */
import { assert } from "../base/assert.ts";
import { systemClock } from "../base/clock.ts";
import { openSyslogLink, type SyslogLink, type SyslogTarget } from "./syslog-link.ts";

const QUEUE_MAX_BYTES = 1024 * 1024;
const RETRY_MS = 1000;
const TELL_AGAIN_MS = 60_000;

export class SyslogSink implements Disposable {
  private readonly target: SyslogTarget;
  private readonly tell: (reason: string) => void;
  private link: SyslogLink | null = null;
  private isUp = false;
  private retry: Disposable | null = null;
  /** Lines from before the link was up. */
  private queue: string[] = [];
  private queuedBytes = 0;
  private lost = 0;
  private toldMs = -Infinity;

  constructor(target: SyslogTarget, tell: (reason: string) => void) {
    this.target = target;
    this.tell = tell;
    this.open();
  }

  /** Lines that were lost because the syslog server did not take them; with UDP, those that this host knows of. */
  get linesLost(): number {
    return this.lost;
  }

  /** Without line breaks. */
  write(line: string): void {
    const size = Buffer.byteLength(line);
    const waiting = this.isUp ? (this.link?.waitingBytes ?? 0) : this.queuedBytes;
    if (waiting + size > QUEUE_MAX_BYTES) this.lost++;
    else if (this.isUp) this.link?.send(line);
    else {
      this.queue.push(line);
      this.queuedBytes += size;
      assert(this.queuedBytes <= QUEUE_MAX_BYTES, "queued lines stay within their bound");
    }
  }

  /** Has no effect: only files are reopened. */
  reopen(): void {}

  [Symbol.dispose](): void {
    this.retry?.[Symbol.dispose]();
    this.link?.close();
    this.lost += this.queue.length;
    this.queue = [];
    this.link = null;
  }

  private open(): void {
    this.link = openSyslogLink(this.target, {
      onUp: () => this.flush(),
      onDown: (reason) => this.onDown(reason),
    });
  }

  private flush(): void {
    this.isUp = true;
    const lines = this.queue;
    this.queue = [];
    this.queuedBytes = 0;
    for (const line of lines) this.link?.send(line);
  }

  private onDown(reason: string): void {
    this.isUp = false;
    this.link = null;
    this.retry = systemClock.setTimer(RETRY_MS, () => this.open());
    const now = systemClock.nowMs();
    if (now - this.toldMs < TELL_AGAIN_MS) return;
    this.toldMs = now;
    this.tell(reason);
  }
}
