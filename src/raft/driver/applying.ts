/**
 * Hands the layer above what is committed: in order, each index once, and in slices, so that a long log does not hold up other work.
 *
 * Invariant: entries that are handed over are committed, and durable here.
 */
import { assert } from "../../base/assert.ts";
import { changed } from "../membership.ts";
import { EntryType, type AppendEntry, type PeerState } from "../messages.ts";
import type { RaftSnapshot } from "../state.ts";
import { decodeAppend } from "../wire.ts";
import type { GroupLog } from "./group-log.ts";
import type { CommittedEntry } from "./layer.ts";
import { RecentEntries } from "./recent-entries.ts";

export interface ApplyingHost {
  readonly log: GroupLog;
  soon(work: () => void): void;
  /** The layer is being called. */
  readonly isBusy: boolean;
  apply(committed: CommittedEntry): void;
  restore(snapshot: RaftSnapshot): void;
  /** Nothing more is applicable now. */
  settled(): void;
  /** The next entry cannot be read. */
  unreadable(index: number): void;
}

/** Entries of one slice, and about so many bytes. */
const SLICE_ENTRIES = 256;
const SLICE_BYTES = 256 * 1024;

export class Applying {
  readonly recent = new RecentEntries();
  /** The last index that the layer has. */
  applied: number;
  /** The membership there. */
  peers: PeerState;
  private applicable: number;
  private readonly host: ApplyingHost;
  private phase: "idle" | "applying" | "asked" | "paused" | "ended" = "idle";
  /** A snapshot from a leader becomes durable. */
  private isReplacing = false;
  /** It is durable, and the layer does not have it yet. */
  private snapshot: RaftSnapshot | undefined;

  constructor(host: ApplyingHost, peers: PeerState) {
    const { snapshot } = host.log;
    this.host = host;
    this.applied = snapshot?.index ?? 0;
    this.applicable = this.applied;
    this.peers = snapshot?.peers ?? peers;
  }

  /** The log is being replaced. */
  replacing(): void {
    this.isReplacing = true;
    this.recent.clear();
  }

  /** The log has been replaced by a snapshot, durably. */
  replaced(snapshot: RaftSnapshot): void {
    this.isReplacing = false;
    assert(snapshot.index >= this.applied, "a snapshot does not take back what was applied");
    this.snapshot = snapshot;
    this.reach(snapshot.index);
  }

  /** Everything up to an index is committed, and durable. */
  reach(index: number): void {
    this.applicable = Math.max(this.applicable, index);
    if (this.phase !== "idle") return;
    if (this.host.isBusy) this.goOnSoon();
    else this.run();
  }

  pause(): void {
    if (this.phase !== "ended") this.phase = "paused";
  }

  resume(): void {
    if (this.phase !== "paused") return;
    this.phase = "idle";
    this.goOnSoon();
  }

  end(): void {
    this.phase = "ended";
    this.recent.clear();
  }

  get isPaused(): boolean {
    return this.phase === "paused";
  }

  private goOnSoon(): void {
    this.phase = "asked";
    this.host.soon(() => {
      if (this.phase !== "asked") return;
      this.phase = "idle";
      this.run();
    });
  }

  private run(): void {
    this.phase = "applying";
    this.restore();
    if (this.isInterrupted()) return;
    let bytes = 0;
    for (let count = 0; this.applied < this.applicable && !this.isReplacing; count++) {
      if (count >= SLICE_ENTRIES || bytes >= SLICE_BYTES) return this.goOnSoon();
      const append = this.next();
      if (append === undefined) {
        this.phase = "paused";
        return this.host.unreadable(this.applied + 1);
      }
      for (const { data } of append.entries) bytes += data.length;
      this.applyOne(append);
      // the layer may have paused or closed the group
      if (this.isInterrupted()) return;
    }
    this.phase = "idle";
    this.host.settled();
  }

  private restore(): void {
    const { snapshot } = this;
    if (snapshot === undefined) return;
    this.snapshot = undefined;
    this.applied = snapshot.index;
    this.peers = snapshot.peers;
    this.host.restore(snapshot);
  }

  private isInterrupted(): boolean {
    return this.phase !== "applying";
  }

  private applyOne(append: AppendEntry): void {
    this.applied++;
    for (const { type, data } of append.entries)
      if (type !== EntryType.NORMAL) this.peers = changed(this.peers, type, data) ?? this.peers;
    const { term, leader, entries } = append;
    this.host.apply({ index: this.applied, term, leader, entries });
  }

  private next(): AppendEntry | undefined {
    const index = this.applied + 1;
    const recent = this.recent.take(index);
    if (recent !== undefined) return recent;
    const [first, ...others] = this.host.log.read(index, SLICE_BYTES).map(({ index: at, bytes }) => {
      const append = decodeAppend(bytes);
      assert(append !== undefined, "what was stored as an append entry is one");
      return { index: at, append, bytes: bytes.length };
    });
    this.recent.addRead(others);
    return first?.append;
  }
}
