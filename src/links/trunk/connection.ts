/**
 * What every connection is, whatever it speaks: bytes that come and go, PINGs, slowness, tracing, and its end. What operations mean
 * lives with the kinds of connections, which build on this.
 *
 * Invariants: `phase` only moves on, and a connection that has ended stays so. Bounded by the outbox and by the inbound.
 */
import { assertOwn, halfChanged } from "../../base/assert.ts";
import type { Work } from "../../base/work.ts";
import type { Logger } from "../../base/logger.ts";
import {
  INTERNAL_ERROR,
  READ_ERROR,
  SLOW_DEADLINE,
  SLOW_PENDING,
  type CloseCause,
} from "../../protocol/close-cause.ts";
import * as errors from "../../protocol/errors.ts";
import type { PeerError } from "../../protocol/errors.ts";
import { READ_SIZE } from "../../slab/layout.ts";
import type { Wire, WireReceiver } from "../../transport/wire.ts";
import { Heartbeat, type Rhythm } from "./heartbeat.ts";
import type { ConnectionHost } from "./host.ts";
import type { Inbound } from "./inbound.ts";
import { Outbox, type ReaderRules, type SlowReason } from "./outbox.ts";
import { OPEN, standingIn, withStanding, type Phase, type Standing } from "./phase.ts";
import { Tap } from "./tap.ts";

/** How long a connection that fills each read is read from before others have their turn. */
const READS_MS = 1;

/** What differs between kinds of connections. */
export interface ConnectionKind {
  /** What the log calls its number, such as "cid". */
  readonly idField: string;
  /** The peer's address as a proxy tells it; absent or "": none does. */
  readonly forwardedFor?: string | undefined;
  readonly reader: ReaderRules;
  readonly rhythm: Rhythm;
}

export abstract class Connection<Host extends ConnectionHost> implements WireReceiver {
  /** Unique in the server, among all kinds of connections. */
  readonly id: number;
  readonly host: Host;
  private readonly work: Work;
  readonly wire: Wire;
  readonly startedMs: number;
  readonly outbox: Outbox;
  readonly heartbeat: Heartbeat;
  inMessages = 0;
  inBytes = 0;
  outMessages = 0;
  outBytes = 0;
  /** With its outbox, when it was cut as a slow consumer. */
  droppedMessages = 0;
  droppedBytes = 0;
  lastActivityMs: number;
  log: Logger;
  phase: Phase;
  /** null: tracing is off. */
  tap: Tap | null = null;
  /** Its messages were more work than fits into a round. What it has sent besides is read in a later one. */
  private isResting = false;
  /** When the first of the reads began that each filled the window; 0: the last one did not. */
  private fullSinceMs = 0;
  protected abstract readonly inbound: Inbound;

  constructor(host: Host, wire: Wire, id: number, kind: ConnectionKind & { readonly phase: Standing }) {
    const { idField, reader, rhythm, phase } = kind;
    this.host = host;
    this.work = host.turn.work;
    this.wire = wire;
    this.id = id;
    this.phase = phase;
    this.startedMs = this.lastActivityMs = host.clock.nowMs();
    const { address, port } = wire.remote;
    const through = (kind.forwardedFor ?? "") === "" ? "" : `${kind.forwardedFor}/`;
    this.log = host.logger.child({ peer: `${through}${address}:${port}`, [idField]: id });
    const onSlow = (reason: SlowReason, pendingBytes: number): void => this.onSlow(reason, pendingBytes);
    this.outbox = new Outbox(wire, host.turn, host.limits, onSlow, reader);
    const actions = {
      sendPing: () => this.say("PING\r\n"),
      onStale: () => void this.onPeerError(errors.staleConnection, ""),
    };
    this.heartbeat = new Heartbeat(host.clock, host.limits, actions, rhythm);
  }

  /** Gives back what the connection holds, and tells its host. Its phase is "closed" already; the outbox still takes no more. */
  protected abstract release(cause: CloseCause): void;
  /** Why the connection ends, whose wire is gone for this problem ("": none). */
  protected abstract endedBy(problem: string): CloseCause;
  /** Has the parser call the tap first, or call the connection itself (null). */
  protected abstract tapOperations(tap: Tap | null): void;
  /** Reports the error to the peer, and ends the connection if the error demands it. Returns whether the connection continues. */
  abstract onPeerError(error: PeerError, detail: string): boolean;

  // ---- its phase ----

  get isOpen(): boolean {
    return this.phase === OPEN || this.phase.kind !== "closed";
  }

  /** null: it has not ended. */
  get closeCause(): CloseCause | null {
    return this.phase.kind === "closed" ? this.phase.cause : null;
  }

  /** Why it was closed, for people; "" while it is open. */
  get closedFor(): string {
    return this.closeCause?.reason ?? "";
  }

  /** null: it has ended. */
  get standing(): Standing | null {
    return standingIn(this.phase);
  }

  protected stand(standing: Standing): void {
    this.phase = withStanding(this.phase, standing);
  }

  /** The answer to its CONNECT takes its time, or it rests: nothing is read. */
  get isWaiting(): boolean {
    return this.isResting || (this.phase !== OPEN && this.standing?.kind === "deciding");
  }

  /** A message has been acted on. Returns whether to read on, as far as work goes. */
  protected hasRoom(): boolean {
    return !this.work.isSpent || this.rest();
  }

  /** Reads on in a later round. */
  private rest(): false {
    if (this.isResting) return false;
    this.isResting = true;
    this.work.whenThereIsRoom(() => {
      this.isResting = false;
      if (this.isOpen && this.asRead(() => void this.inbound.take(0)) && this.isOpen) this.wire.resume();
    });
    return false;
  }

  /** Has what comes kept until `goOn`. */
  protected wait(): void {
    const { standing } = this;
    assertOwn(standing !== null, "a connection that has ended waits for nothing");
    this.stand({ kind: "deciding", before: standing });
  }

  /** What the connection waited for has come: `act` on it, which returns whether to read what was kept. */
  protected goOn(act: () => boolean): void {
    const { standing } = this;
    if (standing === null) return;
    assertOwn(standing.kind === "deciding", "a connection goes on that waits for nothing");
    this.stand(standing.before);
    if (this.asRead(() => void (act() && this.inbound.take(0))) && this.isOpen) this.wire.resume();
  }

  // ---- the wire ----

  onBytes(length: number): boolean {
    if (!this.isOpen) return true;
    this.heartbeat.heard();
    const nowMs = (this.lastActivityMs = this.host.clock.nowMs());
    if (this.isWaiting) {
      if (!this.inbound.hold(length)) this.cut(READ_ERROR);
      return false;
    }
    this.host.turn.enter();
    try {
      this.inbound.take(length);
    } catch (error) {
      this.contain(error);
    }
    if (length === READ_SIZE) return this.endFullRead(nowMs);
    this.fullSinceMs = 0;
    return this.endTurn();
  }

  /**
   * More is there to be read. The event loop reads up to 32 times from one connection before it looks at the next, which is too long for
   * the others where messages take their time: those of streams do.
   */
  private endFullRead(sinceMs: number): boolean {
    if (this.fullSinceMs === 0) this.fullSinceMs = sinceMs;
    const goesOn = this.endTurn();
    if (!goesOn || !this.isOpen || this.host.clock.nowMs() - this.fullSinceMs < READS_MS) return goesOn;
    this.fullSinceMs = 0;
    return this.rest();
  }

  /** Acts as within a read: what is written goes out at its end. Returns false for the wire to pause. */
  protected asRead(act: () => void): boolean {
    this.host.turn.enter();
    try {
      act();
    } catch (error) {
      this.contain(error);
    }
    return this.endTurn();
  }

  /**
   * Returns false for the wire to pause. A kind of connection that carries what is for everybody never pauses for a slow reader: it
   * would hold up all the others, until the peer takes this server for the slow one.
   */
  protected endTurn(): boolean {
    this.host.turn.leave();
    return !this.isWaiting;
  }

  onWritten(): void {
    this.outbox.onWritten();
  }

  onClosed(problem: string): void {
    this.close(this.phase.kind === "leaving" ? this.phase.cause : this.endedBy(problem));
    this.outbox.afterClosed();
  }

  // ---- what goes out ----

  /** Everything that is said but messages. */
  say(line: string): void {
    this.tap?.sentText(line);
    this.outbox.writeText(line);
  }

  /** Tracing has been switched on or off, or the connection begins. */
  followTracing(): void {
    const isTraced = this.host.logger.tracing;
    if (isTraced === (this.tap !== null)) return;
    this.tap = isTraced ? new Tap(this) : null;
    this.tapOperations(this.tap);
  }

  // ---- the end ----

  /** Ends the connection after what is in the outbox is out. */
  close(cause: CloseCause): void {
    if (!this.isOpen) return;
    this.outbox.finish();
    this.end(cause);
    this.wire.end(cause);
  }

  /** Ends the connection at once. */
  protected cut(cause: CloseCause): void {
    if (!this.isOpen) return;
    this.end(cause);
    this.wire.destroy();
  }

  private end(cause: CloseCause): void {
    try {
      this.phase = { kind: "closed", cause };
      for (const counter of cause.counts) this.host.counters[counter]++;
      this.heartbeat[Symbol.dispose]();
      this.release(cause);
      this.outbox.close();
    } catch (error) {
      throw halfChanged(error);
    }
  }

  /** Ends the connection where that mends it. */
  private contain(error: unknown): void {
    this.host.faults.contain(error, this.log);
    this.cut(INTERNAL_ERROR);
  }

  private onSlow(reason: SlowReason, pendingBytes: number): void {
    if (!this.isOpen) return;
    this.droppedBytes = pendingBytes;
    this.droppedMessages = this.outbox.pendingMessages();
    const { maxPendingBytes, writeDeadlineMs } = this.host.limits.current;
    const fields = { event: "slow_consumer", reason, pendingBytes, maxPendingBytes, writeDeadlineMs };
    this.log.warn("Slow Consumer Detected", fields);
    this.cut(reason === "deadline" ? SLOW_DEADLINE : SLOW_PENDING);
  }
}
