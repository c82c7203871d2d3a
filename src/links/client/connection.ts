/**
 * A client's connection as such: bytes that come and go, PINGs, slowness, and its end. What its operations mean is in
 * session.ts, which builds on this. While the session waits for something, bytes that come are kept and the wire is paused.
 */
import { beginChange, endChange } from "../../base/assert.ts";
import type { Logger } from "../../base/logger.ts";
import * as errors from "../../protocol/errors.ts";
import type { PeerError } from "../../protocol/errors.ts";
import type { Wire, WireReceiver } from "../../transport/wire.ts";
import { FAULT_REASON } from "../trunk/faults.ts";
import { Heartbeat } from "../trunk/heartbeat.ts";
import type { Inbound } from "../trunk/inbound.ts";
import { Outbox, type SlowReason } from "../trunk/outbox.ts";
import { ReadStall } from "../trunk/read-stall.ts";
import type { ClientHost } from "./host.ts";

/** What a timer of Node can be set to. */
const TIMER_MAX_MS = 2 ** 31 - 1;

export abstract class ClientConnection implements WireReceiver {
  readonly cid: number;
  readonly wire: Wire;
  readonly startedMs: number;
  readonly outbox: Outbox;
  readonly heartbeat: Heartbeat;
  lastActivityMs: number;
  /** How often it was made to wait for slower readers. */
  stalls = 0;
  /** With its outbox, when it was cut as a slow consumer. */
  droppedMessages = 0;
  droppedBytes = 0;
  /** Why it was closed; "" while it is open. */
  closedFor = "";
  private leavingFor = "";
  /** The answer to a CONNECT takes its time: nothing is read meanwhile. */
  isWaiting = false;
  readonly host: ClientHost;
  protected abstract readonly inbound: Inbound;
  /** Until the client has said who it is; after that, until its grant expires. */
  protected authTimer: Disposable | null = null;
  log: Logger;
  private readonly stall: ReadStall;

  constructor(host: ClientHost, wire: Wire, cid: number) {
    this.host = host;
    this.wire = wire;
    this.cid = cid;
    this.startedMs = this.lastActivityMs = host.clock.nowMs();
    this.log = host.logger.child({ peer: `${wire.remote.address}:${wire.remote.port}`, cid });
    this.outbox = new Outbox(wire, host.turn, host.limits, (reason, pending) => this.onSlow(reason, pending));
    this.stall = new ReadStall(wire, host.clock);
    this.heartbeat = new Heartbeat(host.clock, host.limits, {
      sendPing: () => this.say("PING\r\n"),
      onStale: () => this.onStale(),
    });
  }

  /** Gives back what the session holds; the outbox still takes no more. */
  protected abstract release(): void;
  /** From now on nothing is to be delivered. */
  protected abstract dropInterest(done?: () => void): void;

  get isOpen(): boolean {
    return this.closedFor === "";
  }

  onBytes(length: number): boolean {
    if (!this.isOpen) return true;
    this.heartbeat.heard();
    this.lastActivityMs = this.host.clock.nowMs();
    if (this.isWaiting) {
      if (!this.inbound.hold(length)) this.cut("Read Error");
      return false;
    }
    this.host.turn.enter();
    try {
      this.inbound.take(length);
    } catch (error) {
      this.contain(error);
    }
    return this.endTurn();
  }

  /** What the session waited for has come: `act` on it, which returns whether to read what was kept. */
  protected goOn(act: () => boolean): void {
    this.isWaiting = false;
    if (!this.isOpen) return;
    this.host.turn.enter();
    try {
      if (act()) this.inbound.take(0);
    } catch (error) {
      this.contain(error);
    }
    if (this.endTurn() && this.isOpen) this.wire.resume();
  }

  /** Ends the connection where that mends it. */
  private contain(error: unknown): void {
    this.host.faults.contain(error, this.log);
    this.cut(FAULT_REASON);
  }

  /** Returns false for the wire to pause. */
  private endTurn(): boolean {
    const congested = this.host.turn.leave();
    if (!this.isOpen) return true;
    if (this.isWaiting) return false;
    if (congested.length === 0 || this.host.limits.dropsForSlow || !this.stall.begin(congested)) return true;
    this.host.counters.stalls++;
    this.stalls++;
    return false;
  }

  onWritten(): void {
    this.outbox.onWritten();
  }

  onClosed(problem: string): void {
    if (problem !== "" && this.isOpen && !this.isLeaving)
      this.log.debug("Client connection ended by the network", { problem });
    this.close(this.leavingFor || (problem === "" ? "Client Closed" : "Read Error"));
    this.outbox.afterClosed();
  }

  onThrottled(): void {
    this.onPeerError(errors.throttled, "");
  }

  /** TLS came to nothing. A probe, or a client that speaks in the open, is no error of anybody. */
  onFailed({ text, isProbe }: { readonly text: string; readonly isProbe: boolean }): void {
    if (!this.isOpen) return;
    if (isProbe) this.log.debug(`TLS handshake error: ${text}`);
    else this.log.error(`TLS handshake error: ${text}`);
    this.host.counters.tlsFailures++;
    this.cut("TLS Handshake Failure");
  }

  onPeerError(error: PeerError, detail: string): boolean {
    if (error.text !== null) this.say(`-ERR '${error.text}'\r\n`);
    this.log.error(error.text ?? "Client sent what makes no sense", { detail });
    if (error.closes === null) return this.isOpen;
    this.close(error.closes);
    return false;
  }

  /** Everything that is said but messages. */
  say(line: string): void {
    this.outbox.writeText(line);
  }

  /** At `error`'s time the connection ends with it; takes the place of an earlier such time. */
  protected endAfter(delayMs: number, error: PeerError): void {
    this.authTimer?.[Symbol.dispose]();
    const onTime = (): unknown =>
      delayMs > TIMER_MAX_MS ? this.endAfter(delayMs - TIMER_MAX_MS, error) : this.onPeerError(error, "");
    this.authTimer = this.host.clock.setTimer(Math.min(delayMs, TIMER_MAX_MS), onTime);
  }

  /** Somebody else decides who the client is, in a time of its own; or it is known. */
  stopAuthTimer(): void {
    this.authTimer?.[Symbol.dispose]();
    this.authTimer = null;
  }

  /** Ends the connection after what is in the outbox is out. `reason` in the words of nats-server. */
  close(reason: string): void {
    if (!this.isOpen) return;
    this.outbox.finish();
    this.end(reason);
    this.wire.end();
  }

  /**
   * Lets the client go without losing what it has sent: says nothing more, but takes what still comes, until the client has ended
   * its side as well. `reason` in the words of nats-server.
   */
  leave(reason: string, patienceMs: number): void {
    if (!this.isOpen || this.isLeaving) return;
    this.leavingFor = reason;
    this.outbox.finish();
    this.heartbeat[Symbol.dispose]();
    this.dropInterest();
    this.wire.endWriting(patienceMs);
  }

  get isLeaving(): boolean {
    return this.leavingFor !== "";
  }

  /** Ends the connection at once. */
  private cut(reason: string): void {
    if (!this.isOpen) return;
    this.end(reason);
    this.wire.destroy();
  }

  private end(reason: string): void {
    beginChange();
    this.closedFor = reason;
    this.log.debug("Client connection closed", { reason });
    this.authTimer?.[Symbol.dispose]();
    this.heartbeat[Symbol.dispose]();
    this.stall[Symbol.dispose]();
    this.release();
    this.outbox.close();
    endChange();
  }

  private onStale(): void {
    this.host.counters.staleConnections++;
    this.onPeerError(errors.staleConnection, "");
  }

  private onSlow(reason: SlowReason, pendingBytes: number): void {
    const { counters, limits } = this.host;
    counters.slowConsumers++;
    this.droppedBytes = pendingBytes;
    this.droppedMessages = this.outbox.pendingMessages();
    if (reason === "deadline") counters.slowConsumersByDeadline++;
    const { maxPendingBytes, writeDeadlineMs } = limits;
    this.log.warn("Slow Consumer Detected", {
      event: "slow_consumer",
      reason,
      pendingBytes,
      maxPendingBytes,
      writeDeadlineMs,
    });
    this.cut(reason === "deadline" ? "Slow Consumer (Write Deadline)" : "Slow Consumer (Pending Bytes)");
  }
}
