/** Long work in steps of bounded size: the first step is done at once, the others in turns of their own, those of several one after the other. */
import { DiskError } from "../../store/disk.ts";
import type { AccountHost } from "../host.ts";

const RETRY_MS = 1000;

/** Does a part of the work. */
export type WorkStep = () => "done" | "more";

export class LongWork {
  private readonly host: Pick<AccountHost, "soon" | "clock" | "logger">;
  private readonly open: WorkStep[] = [];
  private isDue = false;
  private retry: Disposable | null = null;
  private isStopped = false;

  constructor(host: Pick<AccountHost, "soon" | "clock" | "logger">) {
    this.host = host;
  }

  get isBusy(): boolean {
    return this.open.length > 0;
  }

  begin(step: WorkStep): void {
    if (step() === "done") return;
    this.open.push(step);
    this.later();
  }

  stop(): void {
    this.isStopped = true;
    this.retry?.[Symbol.dispose]();
    this.open.length = 0;
  }

  private later(): void {
    if (this.isDue || this.isStopped) return;
    this.isDue = true;
    this.host.soon(() => {
      this.isDue = false;
      const step = this.open.shift();
      if (step !== undefined && !this.isStopped) this.take(step);
    });
  }

  private take(step: WorkStep): void {
    try {
      if (step() === "more") this.open.push(step);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.open.push(step);
      this.host.logger.warn("long work on a stream waits for the disk", { error: error.message });
      this.retry = this.host.clock.setTimer(RETRY_MS, () => this.later());
      return;
    }
    if (this.open.length > 0) this.later();
  }
}
