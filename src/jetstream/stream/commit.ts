/**
 * Group commit: answers are held until what they confirm is on the disk. All that a turn stored is written by one call; one sync
 * covers all that waits. A single answer gets a sync of its own at once, since the way through the thread pool takes longer; where the disk
 * is slow that is little, and others would wait too long.
 *
 * Invariants: answers leave in the order they were given; none leaves before what it confirms is as durable as the policy says.
 */
import { assert } from "../../base/assert.ts";
import { DiskError } from "../../store/disk.ts";
import { HeldAnswers, type AnswerHost, type CommitAnswer } from "./held-answers.ts";

/** "sync": an answer means that the disk has it. "lazy": that the kernel has it; a sync follows within the interval. */
export type SyncPolicy = "sync" | "lazy";

export interface CommitHost extends AnswerHost {
  /** Messages up to this sequence are as durable as the policy says. Null: nobody waits for that, answers alone are. */
  readonly committed: ((sequence: number) => void) | null;
  /** The held messages cannot be confirmed. */
  failed(error: DiskError, answers: readonly CommitAnswer[]): void;
}

/** The data to commit: messages of a stream, or entries of a consumer. */
export interface Committed {
  readonly isInMemory: boolean;
  /** Others have to have it as well: it is never durable at once. Absent: it may be. */
  readonly isShared?: boolean;
  /** Its disk takes so long for a sync that nobody shall wait for one. Absent: it does not. */
  readonly isSlow?: boolean;
  /** Number of the last one, and of the last that was written. */
  readonly last: number;
  readonly written: number;
  /** Writes what was appended. Throws `DiskError`. */
  flush(): void;
  /** Calls back when all that is written is on the disk. */
  sync(done: (error: DiskError | null) => void): void;
  /** Writes, and returns when it is on the disk. Throws `DiskError`. */
  syncNow(): void;
}

export class Commit {
  /** Messages up to here are as durable as the policy says. */
  sequence: number;
  private policy: SyncPolicy;
  private readonly store: Committed;
  private readonly host: CommitHost;
  private readonly held = new HeldAnswers();
  /** Counts the answers that have left. */
  private left = 0;
  private isSyncing = false;
  /** What had been written when the last sync in the background began. */
  private synced = 0;
  /** Counts what makes a sync under way pointless. */
  private generation = 0;

  constructor(store: Committed, policy: SyncPolicy, host: CommitHost) {
    this.store = store;
    this.policy = policy;
    this.host = host;
    this.sequence = store.last;
  }

  hold(answer: CommitAnswer): void {
    this.held.add(answer);
  }

  /** Confirms the message of a sequence to the subject that lies there. */
  confirm(memory: Uint8Array, at: number, length: number, sequence: number): void {
    this.held.confirm(memory, at, length, sequence);
  }

  /** The turn ends. */
  end(): void {
    const { store } = this;
    try {
      store.flush();
      if (store.isInMemory || (this.policy === "lazy" && store.written === store.last))
        this.release(this.held.count, store.last);
      else if (this.held.count === 1 && this.mayWait) this.syncOne();
      else if (this.isAwaited) this.sync();
    } catch (error) {
      this.fail(error);
    }
  }

  /** Whether a sync may be waited for. */
  private get mayWait(): boolean {
    const { isShared, isSlow } = this.store;
    return !this.isSyncing && isShared !== true && isSlow !== true;
  }

  /** Whether anybody waits for what is not on the disk yet. */
  private get isAwaited(): boolean {
    return this.held.count > 0 || (this.host.committed !== null && this.sequence < this.store.last);
  }

  /** Everything is on the disk when this returns, and confirmed. */
  finish(): void {
    this.generation++;
    this.isSyncing = false;
    if (this.store.isShared === true) {
      this.held.takeAll(); // whether the others have it is not known
      return;
    }
    try {
      this.store.flush();
      this.store.syncNow();
      this.release(this.held.count, this.store.last);
    } catch (error) {
      this.fail(error);
    }
  }

  /** In the background; only what has not been synced. Where it fails, the next time comes. */
  syncWritten(): void {
    const { store } = this;
    const { written } = store;
    if (written === this.synced || this.isSyncing) return;
    this.isSyncing = true;
    const { generation } = this;
    store.sync((error) => {
      if (generation !== this.generation) return;
      this.isSyncing = false;
      if (error === null) this.synced = written;
      else this.host.failed(error, []);
    });
  }

  private syncOne(): void {
    this.store.syncNow();
    this.release(this.held.count, this.store.last);
  }

  private sync(): void {
    if (this.isSyncing) return; // the next one begins when this one ends
    const { store } = this;
    const upTo = this.left + this.held.count;
    const { last } = store; // written, or on the way: `end` has seen to it
    const { generation } = this;
    this.isSyncing = true;
    store.sync((error) => {
      if (generation !== this.generation) return;
      this.isSyncing = false;
      if (error !== null) {
        this.fail(error);
        return;
      }
      // with the lazy policy they have left already if they were written meanwhile
      this.release(Math.max(0, upTo - this.left), last);
      if (this.isAwaited) this.end();
    });
  }

  private release(count: number, sequence: number): void {
    const { host, store } = this;
    assert(store.isInMemory || sequence <= store.written, "nothing is confirmed before it is written");
    if (sequence > this.sequence) {
      this.sequence = sequence;
      host.committed?.(sequence);
    }
    this.left += count;
    this.held.release(count, host);
  }

  private fail(error: unknown): void {
    if (!(error instanceof DiskError)) throw error;
    const answers = this.held.takeAll();
    this.generation++;
    this.isSyncing = false;
    this.host.failed(error, answers);
  }
}
