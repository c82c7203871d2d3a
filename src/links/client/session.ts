/**
 * A client's connection: what its operations do, and how messages reach it. Owns its subscriptions, its outbox, and its
 * heartbeat. What is said before and at CONNECT lives in handshake.ts, the rare ways of a delivery in delivery.ts.
 *
 * `isPlain` is the gate of the hot path: it is set once nothing but routing is to be done for a message of this client.
 */
import type { Logger } from "../../base/logger.ts";
import { hashBytes } from "../../base/hash.ts";
import { CHUNK_SIZE, COPY_WORDS_MAX, copyLong, readText, words } from "../../base/slab.ts";
import type { Account } from "../../core/account.ts";
import type { Interest } from "../../core/interest.ts";
import type { Plan } from "../../core/plan.ts";
import type { InterestChange } from "../../core/local-interest.ts";
import { publish } from "../../core/router.ts";
import { Subscription, type Subscriber } from "../../core/subscription.ts";
import { ClientParser, type ClientOperations } from "../../protocol/client-parser.ts";
import { defaultHello, type ClientHello } from "../../protocol/connect.ts";
import * as errors from "../../protocol/errors.ts";
import type { PeerError } from "../../protocol/errors.ts";
import type { Message } from "../../protocol/message.ts";
import { isValidLiteralSubject, isValidSubject } from "../../subject/subject.ts";
import type { Wire, WireReceiver } from "../../transport/wire.ts";
import { Heartbeat } from "../heartbeat.ts";
import { Inbound } from "../inbound.ts";
import { Outbox, type SlowReason } from "../outbox.ts";
import { ReadStall } from "../read-stall.ts";
import { deliverRarely } from "./delivery.ts";
import { admit, type Admission } from "./handshake.ts";
import type { ClientHost } from "./host.ts";
import { reservedReply, reservedSubject } from "./reserved.ts";

/** Groups of this name belong to the server. */
const RESERVED_QUEUE = "_sys_";

export class ClientSession implements ClientOperations, Subscriber, WireReceiver {
  readonly cid: number;
  readonly wire: Wire;
  readonly startedMs: number;
  readonly outbox: Outbox;
  readonly subscriptions = new Map<string, Subscription>();
  hello: ClientHello = defaultHello();
  user = "";
  account: Account;
  inMessages = 0;
  inBytes = 0;
  outMessages = 0;
  outBytes = 0;
  /** How often it was made to wait for slower readers. */
  stalls = 0;
  lastActivityMs: number;
  /** Why it was closed; "" while it is open. */
  closedFor = "";
  readonly heartbeat: Heartbeat;
  private interest: Interest;
  private isAdmitted: boolean;
  private hasConnected = false;
  private hasSaidAccount = false;
  private isPlain = false;
  /** Itself, when the client wants no echo. */
  private mute: Subscriber | null = null;
  private memoPlan: Plan | null = null;
  private memoVersion = -1;
  private authTimer: Disposable | null = null;
  private readonly host: ClientHost;
  private readonly inbound: Inbound;
  private readonly stall: ReadStall;
  protected log: Logger;

  constructor(host: ClientHost, wire: Wire, cid: number) {
    this.host = host;
    this.wire = wire;
    this.cid = cid;
    this.startedMs = this.lastActivityMs = host.clock.nowMs();
    this.account = host.accounts.global;
    this.interest = this.account.interest;
    this.isAdmitted = !host.authenticator.isRequired;
    this.log = host.logger.child({ peer: `${wire.remote.address}:${wire.remote.port}`, cid });
    this.outbox = new Outbox(wire, host.turn, host.limits, (reason, pending) => this.onSlow(reason, pending));
    this.inbound = new Inbound(new ClientParser(this, host.limits));
    this.stall = new ReadStall(wire, host.clock);
    this.heartbeat = new Heartbeat(host.clock, host.limits, {
      sendPing: () => this.say("PING\r\n"),
      onStale: () => this.onStale(),
    });
  }

  /** Says INFO and begins to read. */
  open(): void {
    this.account.connections++;
    this.log.debug("Client connection created");
    this.say(this.host.info(this.infoContext()));
    if (!this.isAdmitted) {
      const { clock, limits } = this.host;
      this.authTimer = clock.setTimer(limits.authTimeoutMs, () =>
        this.onPeerError(errors.authenticationTimeout, ""),
      );
    }
    this.heartbeat.start();
    this.wire.start(this);
  }

  get isOpen(): boolean {
    return this.closedFor === "";
  }

  // ---- the wire ----

  onBytes(length: number): boolean {
    if (!this.isOpen) return true;
    const { turn, clock } = this.host;
    turn.enter();
    this.heartbeat.heard();
    this.lastActivityMs = clock.nowMs();
    this.inbound.take(length);
    const congested = turn.leave();
    if (congested.length === 0 || !this.isOpen) return true;
    this.host.counters.stalls++;
    this.stalls++;
    return this.stall.begin(congested);
  }

  onWritten(): void {
    this.outbox.onWritten();
  }

  onClosed(problem: string): void {
    if (problem !== "" && this.isOpen) this.log.debug("Client connection ended by the network", { problem });
    this.close(problem === "" ? "Client Closed" : "Read Error");
    this.outbox.afterClosed();
  }

  // ---- operations ----

  /** Who has to present credentials begins with CONNECT. */
  mayBegin(first: number): boolean {
    if (this.isAdmitted || first === 0x43 || first === 0x63) return true;
    this.host.counters.authFailures++;
    return this.onPeerError(errors.authorizationViolation, "operation before CONNECT");
  }

  onPublish(message: Message): boolean {
    if (!this.isPlain && !this.mayPublish(message)) return this.isOpen;
    const { interest } = this;
    const subjectAt = message.at + message.subjectFrom;
    const reserved = reservedSubject(subjectAt, message.subjectLength);
    if (reserved !== null) return this.refuse(message, errors.publishViolation(reserved));
    const plan = interest.plan(subjectAt, message.subjectLength, message.subjectHash);
    this.memoPlan = plan;
    this.memoVersion = interest.version;
    return this.route(plan, message);
  }

  onPublishAgain(message: Message): boolean {
    const plan = this.memoPlan;
    if (!this.isPlain || plan === null || this.memoVersion !== this.interest.version)
      return this.onPublish(message);
    return this.route(plan, message);
  }

  private route(plan: Plan, message: Message): boolean {
    this.inMessages++;
    this.inBytes += message.size;
    if (message.replyLength > 0) {
      const reserved = reservedReply(message.at + message.replyFrom, message.replyLength);
      if (reserved !== null) return this.onPeerError(errors.replyViolation(reserved), "");
    }
    if (this.hello.verbose) this.say("+OK\r\n");
    if (!publish(plan, message, this.mute) && message.replyLength > 0) this.sayNoResponders(message);
    return this.closedFor === "";
  }

  /** The message counts as received, and goes no further. */
  private refuse(message: Message, error: PeerError): boolean {
    this.memoPlan = null;
    this.inMessages++;
    this.inBytes += message.size;
    return this.onPeerError(error, "");
  }

  onConnect(json: string): boolean {
    const admission = admit(this.host.authenticator, this.hello, this.hasConnected ? this.user : null, json);
    if (admission.kind === "refused") {
      if (admission.error === errors.authorizationViolation) this.host.counters.authFailures++;
      return this.onPeerError(admission.error, admission.detail);
    }
    if (this.hasConnected) this.unsubscribeAll(); // as nats-server does at a second CONNECT
    this.authTimer?.[Symbol.dispose]();
    this.accept(admission);
    return this.sayOk();
  }

  private accept(admission: Admission & { kind: "admitted" }): void {
    this.hello = admission.hello;
    this.user = admission.user;
    this.hasConnected = true;
    this.isAdmitted = true;
    const { pedantic, echo, headers } = this.hello;
    this.isPlain = !pedantic && headers;
    this.mute = echo ? null : this;
    const { name, lang, version } = this.hello;
    const client = [version === "" ? "" : `v${version}`, lang, name].filter((part) => part !== "").join(":");
    this.log = this.log.child({ client, ...(this.user === "" ? {} : { user: this.user }) });
  }

  onSubscribe(subject: string, queue: string | null, sid: string): boolean {
    const problem = this.subscriptionProblem(subject, queue);
    if (problem !== null) return this.onPeerError(problem, subject);
    if (this.subscriptions.has(sid)) return this.sayOk();
    if (!isValidSubject(subject)) return this.onPeerError(errors.invalidSubject, subject);
    const subscription = new Subscription(this, subject, queue, sid);
    this.subscriptions.set(sid, subscription);
    this.interest.add(subscription);
    this.tellNeighbours(this.account.localInterest.add(subscription));
    return this.sayOk();
  }

  private subscriptionProblem(subject: string, queue: string | null): PeerError | null {
    const { maxSubscriptions, maxSubscriptionTokens } = this.host.limits;
    if (queue === RESERVED_QUEUE) return errors.subscriptionViolation(subject, queue);
    if (maxSubscriptionTokens !== null && subject.split(".").length > maxSubscriptionTokens) {
      return errors.tooManyTokens(subject);
    }
    const isFull = maxSubscriptions !== null && this.subscriptions.size >= maxSubscriptions;
    return isFull ? errors.maxSubscriptionsExceeded : null;
  }

  onUnsubscribe(sid: string, max: number): boolean {
    const subscription = this.subscriptions.get(sid);
    if (subscription !== undefined) {
      if (max > subscription.delivered) subscription.max = max;
      else this.unsubscribe(subscription);
    }
    return this.sayOk();
  }

  onPing(): boolean {
    this.say("PONG\r\n");
    if (this.hasConnected && this.hello.protocol >= 1 && !this.hasSaidAccount) {
      this.hasSaidAccount = true;
      this.say(this.host.info({ ...this.infoContext(), account: this.account.name }));
    }
    return this.isOpen; // the answer may have been too much for a slow reader
  }

  onPong(): boolean {
    this.heartbeat.onPong();
    return this.isOpen;
  }

  onPeerError(error: PeerError, detail: string): boolean {
    if (error.text !== null) this.say(`-ERR '${error.text}'\r\n`);
    this.log.error(error.text ?? "Client sent what makes no sense", { detail });
    if (error.closes === null) return this.isOpen;
    this.close(error.closes);
    return false;
  }

  /** Everything that is said but messages. */
  protected say(line: string): void {
    this.outbox.writeText(line);
  }

  // ---- deliveries ----

  deliver(subscription: Subscription, message: Message): boolean {
    const { outbox } = this;
    const tailLength = message.length - message.tailFrom;
    const length = message.headLength + subscription.sidLength + tailLength;
    let at = outbox.at;
    const isRare =
      subscription.sidLength > 8 ||
      message.body !== null ||
      (message.headerLength > 0 && !this.hello.headers);
    if (at + length > outbox.end || isRare) {
      if (isRare || length > CHUNK_SIZE) return deliverRarely(this, subscription, message);
      at = outbox.reserve(length);
      if (at < 0) return false;
    }
    const headAt = message.headAt;
    for (let i = 0; i < message.headLength; i += 8) {
      words.setBigUint64(at + i, words.getBigUint64(headAt + i, true), true);
    }
    at += message.headLength;
    words.setInt32(at, subscription.sidLow, true);
    words.setInt32(at + 4, subscription.sidHigh, true);
    at += subscription.sidLength;
    const tailAt = message.at + message.tailFrom;
    if (tailLength > COPY_WORDS_MAX) copyLong(at, tailAt, tailLength);
    else {
      for (let i = 0; i < tailLength; i += 8) {
        words.setBigUint64(at + i, words.getBigUint64(tailAt + i, true), true);
      }
    }
    outbox.at = at + tailLength;
    if (!outbox.isDirty) this.host.turn.touch(outbox);
    this.countDelivery(subscription, message.size);
    return true;
  }

  countDelivery(subscription: Subscription, size: number): void {
    this.outMessages++;
    this.outBytes += size;
    if (++subscription.delivered === subscription.max) this.unsubscribe(subscription);
  }

  /** The status that a requester gets when nobody listens, on its own subscription for the reply. */
  private sayNoResponders(message: Message): void {
    if (!this.hello.noResponders || !this.isOpen) return;
    const reply = readText(message.at + message.replyFrom, message.replyLength);
    const replyAt = message.at + message.replyFrom;
    const plan = this.interest.plan(replyAt, message.replyLength, hashBytes(replyAt, message.replyLength));
    const own = plan.locals.find((subscription) => subscription.owner === this);
    if (own === undefined) return;
    const subject = readText(message.at + message.subjectFrom, message.subjectLength);
    const header = `NATS/1.0 503\r\nNats-Subject: ${subject}\r\n\r\n`;
    this.say(`HMSG ${reply} ${own.sid} ${header.length} ${header.length}\r\n${header}\r\n`);
  }

  // ---- the rest ----

  /** Sends INFO again: members of the cluster have changed. Only to clients that understand it. */
  sendInfo(): void {
    if (this.isOpen && this.hasConnected && this.hello.protocol >= 1) {
      this.say(this.host.info(this.infoContext()));
    }
  }

  /** Ends the connection after what is in the outbox is out. `reason` in the words of nats-server. */
  close(reason: string): void {
    if (!this.isOpen) return;
    this.outbox.finish();
    this.closedFor = reason;
    this.release();
    this.wire.end();
  }

  /** Ends the connection at once. */
  private cut(reason: string): void {
    if (!this.isOpen) return;
    this.closedFor = reason;
    this.release();
    this.wire.destroy();
  }

  private release(): void {
    this.log.debug("Client connection closed", { reason: this.closedFor });
    this.account.connections--;
    this.authTimer?.[Symbol.dispose]();
    this.heartbeat[Symbol.dispose]();
    this.stall[Symbol.dispose]();
    this.host.onClosed(this); // while its subscriptions can still be told
    this.unsubscribeAll();
    this.memoPlan = null;
    this.outbox.close();
  }

  private unsubscribe(subscription: Subscription): void {
    this.subscriptions.delete(subscription.sid);
    if (!this.interest.remove(subscription)) return;
    this.tellNeighbours(this.account.localInterest.remove(subscription));
  }

  private unsubscribeAll(): void {
    for (const subscription of this.subscriptions.values()) this.unsubscribe(subscription);
  }

  private tellNeighbours(change: InterestChange | null): void {
    if (change !== null) this.host.onInterest(this.account, change);
  }

  /** What is to be checked for each message of a client that is not plain. False: it goes no further. */
  private mayPublish(message: Message): boolean {
    if (message.headerLength > 0 && !this.hello.headers) {
      return this.onPeerError(errors.badArguments, "message headers not supported");
    }
    if (!this.hello.pedantic) return true;
    const subject = readText(message.at + message.subjectFrom, message.subjectLength);
    if (!isValidLiteralSubject(subject)) this.onPeerError(errors.invalidPublishSubject, subject);
    return true;
  }

  private sayOk(): boolean {
    if (this.hello.verbose) this.say("+OK\r\n");
    return this.isOpen;
  }

  private onStale(): void {
    this.host.counters.staleConnections++;
    this.onPeerError(errors.staleConnection, "");
  }

  private onSlow(reason: SlowReason, pendingBytes: number): void {
    const { counters, limits } = this.host;
    counters.slowConsumers++;
    counters.droppedBytes += pendingBytes;
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

  private infoContext(): { cid: number; clientAddress: string } {
    return { cid: this.cid, clientAddress: this.wire.remote.address };
  }
}
