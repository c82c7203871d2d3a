/** Group commit: what all groups of a journal hand it in one turn becomes durable together, and so does what comes while the disk is busy. */
import type { RaftJournal } from "./group-log.ts";

export class Committer {
  readonly journal: RaftJournal;
  private readonly soon: (work: () => void) => void;
  private waiting: (() => void)[] = [];
  private phase: "idle" | "asked" | "committing" | "stopped" = "idle";

  constructor(journal: RaftJournal, soon: (work: () => void) => void) {
    this.journal = journal;
    this.soon = soon;
  }

  /** Calls back when what the journal has taken so far is durable. In the order of the calls, and never before this returns. */
  add(done: () => void): void {
    this.waiting.push(done);
    this.ask();
  }

  /** The journal is closed next. Nobody is called any more. */
  stop(): void {
    this.phase = "stopped";
    this.waiting = [];
  }

  private ask(): void {
    if (this.phase !== "idle" || this.waiting.length === 0) return;
    this.phase = "asked";
    this.soon(() => this.commit());
  }

  private commit(): void {
    if (this.phase === "stopped") return;
    const { waiting } = this;
    this.waiting = [];
    this.phase = "committing";
    this.journal.commit(() => {
      if (this.phase === "stopped") return;
      this.phase = "idle";
      this.ask();
      for (const done of waiting) done();
    });
  }
}
