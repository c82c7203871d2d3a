/**
 * A client's connection: it waits for slower readers, must authenticate in time, and ends without losing data. session.ts builds on it
 * and gives its operations their meaning; trunk/connection.ts has what all kinds of connections share.
 */
import { TIMER_MAX_MS } from "../../base/duration.ts";
import { CLIENT_CLOSED, READ_ERROR, TLS_FAILED, type CloseCause } from "../../protocol/close-cause.ts";
import * as errors from "../../protocol/errors.ts";
import type { PeerError } from "../../protocol/errors.ts";
import type { Wire } from "../../transport/wire.ts";
import { Connection } from "../trunk/connection.ts";
import { CLIENT_READER } from "../trunk/outbox.ts";
import { NEGOTIATING } from "../trunk/phase.ts";
import { ReadStall } from "../trunk/read-stall.ts";
import type { Arrival } from "./arrival.ts";
import type { ClientHost } from "./host.ts";

const KIND = { reader: CLIENT_READER, rhythm: "while silent", phase: NEGOTIATING } as const;

export abstract class ClientConnection extends Connection<ClientHost> {
  /** How often it was made to wait for slower readers. */
  stalls = 0;
  /** Runs until the client has authenticated; afterwards, until its grant expires. */
  protected authTimer: Disposable | null = null;
  private readonly stall: ReadStall;
  readonly arrival: Arrival;

  constructor(host: ClientHost, wire: Wire, id: number, arrival: Arrival) {
    const { entrance, forwardedFor } = arrival;
    super(host, wire, id, { ...KIND, idField: entrance.idField, forwardedFor });
    this.arrival = arrival;
    this.stall = new ReadStall(wire, host.clock);
  }

  /** Stops deliveries. */
  protected abstract dropInterest(done?: () => void): void;

  get cid(): number {
    return this.id;
  }

  protected override endTurn(): boolean {
    const { turn, limits, counters } = this.host;
    const congested = turn.leave();
    if (!this.isOpen) return true;
    if (this.isWaiting) return false;
    if (congested.length === 0 || limits.current.dropsForSlow || !this.stall.begin(congested)) return true;
    counters.stalls++;
    this.stalls++;
    return false;
  }

  protected override endedBy(problem: string): CloseCause {
    if (problem === "") return CLIENT_CLOSED;
    if (this.isOpen) this.log.debug("Client connection ended by the network", { problem });
    return READ_ERROR;
  }

  onPong(): boolean {
    this.heartbeat.onPong();
    return this.isOpen;
  }

  onThrottled(): void {
    this.onPeerError(errors.throttled, "");
  }

  /** The TLS handshake failed. A port probe is not an error. */
  onFailed({ text, isProbe }: { readonly text: string; readonly isProbe: boolean }): void {
    if (!this.isOpen) return;
    if (isProbe) this.log.debug(`TLS handshake error: ${text}`);
    else this.log.error(`TLS handshake error: ${text}`);
    this.host.counters.tlsFailures++;
    this.cut(TLS_FAILED);
  }

  onPeerError(error: PeerError, detail: string): boolean {
    if (error.text !== null) this.say(`-ERR '${error.text}'\r\n`);
    this.log.error(error.text ?? "Client sent a malformed operation", { detail });
    if (error.closes === null) return this.isOpen;
    this.close(error.closes);
    return false;
  }

  /** At `error`'s time the connection ends with it; takes the place of an earlier such time. */
  protected endAfter(delayMs: number, error: PeerError): void {
    this.authTimer?.[Symbol.dispose]();
    const onTime = (): unknown =>
      delayMs > TIMER_MAX_MS ? this.endAfter(delayMs - TIMER_MAX_MS, error) : this.onPeerError(error, "");
    this.authTimer = this.host.clock.setTimer(Math.min(delayMs, TIMER_MAX_MS), onTime);
  }

  /** A service with its own time limit decides who the client is, or the client is known. */
  stopAuthTimer(): void {
    this.authTimer?.[Symbol.dispose]();
    this.authTimer = null;
  }

  /**
   * Closes the connection without losing what the client has sent: sends nothing more, but receives until the client has ended its side as
   * well.
   */
  leave(cause: CloseCause, patienceMs: number): void {
    const { standing } = this;
    if (standing === null || this.isLeaving) return;
    this.phase = { kind: "leaving", cause, standing };
    this.outbox.finish();
    this.heartbeat[Symbol.dispose]();
    this.dropInterest();
    this.wire.endWriting(patienceMs);
  }

  get isLeaving(): boolean {
    return this.phase.kind === "leaving";
  }

  protected override release({ reason }: CloseCause): void {
    this.log.debug("Client connection closed", { reason });
    this.authTimer?.[Symbol.dispose]();
    this.stall[Symbol.dispose]();
  }
}
