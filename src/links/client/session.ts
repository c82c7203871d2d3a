/**
 * A client's session: what its operations do, and how messages reach it. Owns its subscriptions. The connection as such lives in
 * connection.ts, what is decided at CONNECT in handshake.ts, what the client may do in rights.ts, rare deliveries in delivery.ts.
 * `isPlain` is the gate of the hot path: it is set once nothing but routing is to be done for a message of this client.
 */
import type { Grant } from "../../auth/grant.ts";
import { CHUNK_SIZE } from "../../slab/chunks.ts";
import { COPY_WORDS_MAX, copyLong, readText, words } from "../../slab/memory.ts";
import type { Account } from "../../core/account.ts";
import type { Interest } from "../../core/interest.ts";
import type { Plan } from "../../core/plan.ts";
import { Source } from "../../core/reach.ts";
import { publish } from "../../core/router.ts";
import type { Subscriber, Subscription, TracedReceiver } from "../../core/subscription.ts";
import { mayAskForTrace } from "../../core/tracing.ts";
import { ClientParser, type ClientOperations } from "../../protocol/client-parser.ts";
import { MOVED, type CloseCause } from "../../protocol/close-cause.ts";
import { defaultHello, type ClientHello } from "../../protocol/connect.ts";
import * as errors from "../../protocol/errors.ts";
import type { Message } from "../../protocol/message.ts";
import type { Opening, Wire } from "../../transport/wire.ts";
import { Inbound } from "../trunk/inbound.ts";
import { GREETED, isAdmitted, isIntroduced, OPEN, RECALLED, TRUSTED, type Standing } from "../trunk/phase.ts";
import type { Tap } from "../trunk/tap.ts";
import type { Arrival } from "./arrival.ts";
import { deliverRarely } from "./delivery.ts";
import { admit, admitUnnamed, describeClient, proxyProblem, senderOf, type Ruling } from "./handshake.ts";
import { Introduction } from "./introduction.ts";
import type { ClientHost } from "./host.ts";
import * as rights from "./rights.ts";
import { limitsIn } from "./limits.ts";
import { sayNoResponders } from "./no-responders.ts";
import { ClientOrigin, isFromClient } from "./origin.ts";
import { SubscribingConnection } from "./subscribing.ts";
import { isSpecial, reservedReply, reservedSubject } from "./reserved.ts";
import { TappedClient } from "./tapped.ts";
import { publishTraced, tracedClient, traceTooLarge } from "./tracing.ts";

export class ClientSession extends SubscribingConnection implements ClientOperations, Subscriber, Opening {
  hello: ClientHello = defaultHello();
  account: Account;
  /** The client's grant; null: not admitted yet, or no credentials are needed. */
  grant: Grant | null = null;
  /** Public nkey of the trusted proxy that the client came through; "": none. */
  proxyKey = "";
  private interest: Interest;
  /** The limits of the server, and of the account once it is known. */
  limits: ClientHost["limits"];
  readonly introduction = new Introduction(this);
  /** Derived from the phase, `hello` and the account: see `onRulesChanged`. */
  private isPlain = false;
  readonly isCommon = true;
  rights: rights.Rights | null = null;
  /** The receiver of its messages: the session itself, or the object that records what it may answer. */
  receiver: Subscriber = this;
  /** The receiver, when the client wants no echo. */
  private readonly source = new Source("local", null);
  private memoPlan: Plan | null = null;
  private memoVersion = -1;
  /** For the client to sign. */
  readonly nonce: string;
  private readonly parser: ClientParser;
  protected readonly inbound: Inbound;

  constructor(host: ClientHost, wire: Wire, id: number, arrival: Arrival) {
    super(host, wire, id, arrival);
    ({ interest: this.interest } = this.account = host.accounts.global);
    this.nonce = host.authenticator.newNonce();
    this.limits = host.limits;
    this.parser = new ClientParser(this, host.limits);
    this.parser.message.origin = new ClientOrigin(this, host);
    this.inbound = new Inbound(this.parser);
  }

  /** Sends INFO and begins to read. */
  open(): void {
    this.followTracing();
    this.account.enter();
    this.log.debug("Client connection created");
    if (this.wire.negotiate !== undefined) return this.wire.negotiate(this);
    this.sayHello();
    this.onOpen();
  }

  /** The first INFO; it precedes the TLS handshake unless TLS comes first. */
  sayHello(): void {
    this.introduction.greet();
    if (this.wire.negotiate !== undefined) this.outbox.flush();
  }

  /** From here on bytes pass. */
  onOpen(): void {
    this.introduction.logSecurity();
    if (this.host.authenticator.hasSecrets) this.askWhoItIs(GREETED);
    else this.stand(TRUSTED);
    this.heartbeat.start();
    this.wire.start(this);
  }

  // ---- operations ----

  /** A client that must present credentials begins with CONNECT; otherwise it becomes the no_auth_user. */
  mayBegin(first: number): boolean {
    if (isAdmitted(this.standing) || first === 0x43 || first === 0x63) return true;
    return this.decide(admitUnnamed(this.host.authenticator, this.hello, senderOf(this)));
  }

  onPublish(message: Message): boolean {
    if (message.headerLength === 0 || !mayAskForTrace(message, this.account)) return this.take(message);
    const goesOn = publishTraced(this, message);
    this.memoPlan = null; // another message was sent meanwhile
    return goesOn;
  }

  onTooLarge(message: Message): void {
    traceTooLarge(this, message);
  }

  get traced(): TracedReceiver {
    return tracedClient(this);
  }

  /** A message that is not traced, or whose trace has begun. */
  take(message: Message): boolean {
    if (this.isPlain) return this.publish(message);
    const problem = rights.messageProblem(this.hello, message);
    if (problem !== null && !this.onPeerError(problem, "")) return false;
    return this.account.mappings === null ? this.publish(message) : this.publishMapped(message);
  }

  /** As in nats-server, all later checks and texts use the mapped subject. */
  private publishMapped(message: Message): boolean {
    const { subjectLength, subjectHash } = message;
    const at = message.at + message.subjectFrom;
    const mapped = this.account.mappings?.map(at, subjectLength, subjectHash) ?? null;
    if (mapped === null) return this.publish(message);
    message.moveSubject(mapped.at, mapped.length, mapped.hash);
    if (message.trace !== null) message.trace.mapped(readText(mapped.at, mapped.length));
    this.tap?.received(`MAPPING ${readText(at, subjectLength)} -> ${readText(mapped.at, mapped.length)}`);
    const goesOn = this.publish(message);
    message.moveSubject(at, subjectLength, subjectHash); // the parser compares the next head with this one
    return goesOn;
  }

  private publish(message: Message): boolean {
    const subjectAt = message.at + message.subjectFrom;
    if (isSpecial(subjectAt)) return this.publishSpecial(message, subjectAt);
    return this.publishBy(this.interest.plan(subjectAt, message.subjectLength, message.subjectHash), message);
  }

  /** A message whose subject may be reserved, or that may be an acknowledgement. Apart, so that others are compiled without it. */
  private publishSpecial(message: Message, subjectAt: number): boolean {
    const { subjectLength, subjectHash } = message;
    const reserved = reservedSubject(subjectAt, subjectLength);
    if (reserved !== null) return this.refuse(message, errors.publishViolation(reserved));
    return this.publishBy(this.interest.planOfMessage(subjectAt, subjectLength, subjectHash), message);
  }

  private publishBy(plan: Plan, message: Message): boolean {
    if (this.rights?.permissions.mayPublish(plan) === false) return this.answer(plan, message);
    this.memoPlan = plan.isMemorable ? plan : null;
    this.memoVersion = this.interest.version;
    return this.route(plan, message) && this.hasRoom();
  }

  /** The subject may only be published as an answer to a request. */
  private answer(plan: Plan, message: Message): boolean {
    const subject = readText(message.at + message.subjectFrom, message.subjectLength);
    const isOwed = this.rights?.answers?.mayAnswer(subject);
    if (isOwed !== true) return this.refuse(message, errors.publishViolation(subject));
    this.memoPlan = null;
    return this.route(plan, message);
  }

  onPublishAgain(message: Message): boolean {
    const plan = this.memoPlan;
    if (!this.isPlain || plan === null || this.memoVersion !== this.interest.version)
      return this.onPublish(message);
    if (message.headerLength > 0 && mayAskForTrace(message, this.account)) return this.onPublish(message);
    return this.route(plan, message);
  }

  private route(plan: Plan, message: Message): boolean {
    this.inMessages++;
    this.inBytes += message.size;
    if (message.replyLength > 0) {
      const reserved = reservedReply(message.at + message.replyFrom, message.replyLength);
      if (reserved !== null) return this.deny(message, errors.replyViolation(reserved));
    }
    if (!this.isPlain && this.hello.verbose) this.say("+OK\r\n");
    if (!publish(plan, message, this.source) && message.replyLength > 0) sayNoResponders(this, message);
    return this.isOpen;
  }

  /** The message counts as received, and is dropped. */
  private refuse(message: Message, error: errors.PeerError): boolean {
    this.memoPlan = null;
    this.inMessages++;
    this.inBytes += message.size;
    return this.deny(message, error);
  }

  private deny(message: Message, error: errors.PeerError): boolean {
    message.trace?.fail(error.text ?? "");
    return this.onPeerError(error, "");
  }

  onConnect(json: string): boolean {
    const { hello: before, grant, host, arrival } = this;
    const { noHeaders } = host.limits.current;
    const admittedAs = isIntroduced(this.standing) ? grant : null;
    const connect = { before, admittedAs, json, sender: senderOf(this), noHeaders, arrival };
    return this.decide(admit(host.authenticator, connect));
  }

  /** Returns whether to read on; a decision that takes time reads on later. */
  private decide(admission: Ruling | Promise<Ruling>): boolean {
    if (!(admission instanceof Promise)) return this.conclude(admission);
    this.wait();
    void admission.then((late) => this.goOn(() => this.conclude(late)));
    return true;
  }

  private conclude(admission: Ruling): boolean {
    this.proxyKey = admission.proxyKey ?? this.proxyKey;
    if (admission.kind === "refused") {
      this.hello = admission.hello ?? this.hello;
      if (admission.error.closes?.kind === "refused") this.host.onRefused(this, admission.error);
      return this.onPeerError(admission.error, admission.detail);
    }
    const { account: name } = admission.grant;
    const account = this.host.accounts.get(name);
    if (account === undefined) return this.onPeerError(errors.authorizationViolation, `no account ${name}`);
    // As nats-server does at a second CONNECT.
    if (isIntroduced(this.standing) && this.subscriptions.size > 0) return this.concludeAfterDrop(admission);
    if (!this.enter(account)) return false;
    if (admission.grant !== this.grant) this.grantPermissions(admission.grant);
    this.accept(admission.hello);
    this.host.onAdmitted(this);
    return admission.isUnnamed || this.sayOk();
  }

  /** The earlier subscriptions have ended when the client becomes somebody else. */
  private concludeAfterDrop(admission: Ruling): boolean {
    let isDropped = false;
    this.dropInterest(() => {
      if (this.isWaiting) this.goOn(() => this.conclude(admission));
      isDropped = true;
    });
    if (isDropped) return this.conclude(admission);
    this.wait();
    return true;
  }

  /** Leaves its account for another one. False: that has no room, and the connection ends. */
  private enter(account: Account): boolean {
    if (account === this.account) return true;
    this.account.leave();
    const { isFull } = account;
    account.enter();
    this.account = account;
    this.interest = account.interest;
    this.memoPlan = null;
    this.onLimitsChanged();
    return !isFull || this.onPeerError(errors.maxAccountConnectionsExceeded, account.name);
  }

  /** Users have changed: checks, as nats-server does at a reload, what this client may still do. */
  recheckGrant(): void {
    const { grant, host } = this;
    if (!this.isOpen) return;
    const lacking = proxyProblem(host.authenticator, this);
    if (lacking !== null) return void this.onPeerError(lacking, "proxies or users have changed");
    if (grant === null) {
      if (host.authenticator.hasSecrets) this.recall();
      return;
    }
    const now = host.authenticator.currentGrant(grant, this.arrival.entrance.connectionType);
    if (now === null || now.account !== grant.account) {
      const error = host.authenticator.errorFor(grant);
      // nats-server closes the connection without an error if the client must reconnect as another user.
      if (error === null) this.close(MOVED);
      else this.onPeerError(error, "users have changed");
    } else if (now !== grant) {
      const answers = this.rights?.answers ?? null;
      this.grantPermissions(now);
      this.rights?.answers?.takeOver(answers);
      this.source.sender = this.hello.echo ? null : this.receiver;
      host.turn.chores.add({ steps: rights.renewAll(this), count: this.subscriptions.size });
    }
  }

  /** The client was admitted while no credentials were needed. */
  private recall(): void {
    const { standing } = this;
    if (!isAdmitted(standing)) return;
    const isNew = !isIntroduced(standing);
    this.askWhoItIs(isNew ? GREETED : RECALLED);
  }

  /** The client must send CONNECT in time. */
  private askWhoItIs(standing: Standing): void {
    this.stand(this.isWaiting ? { kind: "deciding", before: standing } : standing);
    this.endAfter(this.host.limits.current.authTimeoutMs, errors.authenticationTimeout);
  }

  /** What the client may do from here on. Its subscriptions stay as they are. */
  private grantPermissions(grant: Grant): void {
    this.stopAuthTimer();
    if (grant.expiresInMs !== null) this.endAfter(grant.expiresInMs, errors.authenticationExpired);
    this.grant = grant;
    this.rights = rights.rightsOf(grant.permissions, this, this.host.clock);
    this.receiver = this.rights?.answers ?? this;
    this.memoPlan = null;
    this.onLimitsChanged();
  }

  private accept(hello: ClientHello): void {
    this.hello = hello;
    this.stand(OPEN);
    this.heartbeat.estimate(this.startedMs);
    this.source.sender = hello.echo ? null : this.receiver;
    this.onRulesChanged();
    this.log = this.log.child(describeClient(hello, this.user));
  }

  get user(): string {
    return this.grant?.user ?? this.hello.user;
  }

  /** Limits of the server or of its account have changed. */
  onLimitsChanged(): void {
    this.limits = limitsIn(this.account, this.grant, this.host.limits);
    this.parser.useLimits(this.limits);
  }

  /** Derives `isPlain` again after anything that it depends on has changed. */
  onRulesChanged(): void {
    const { pedantic, verbose, headers } = this.hello;
    const hasNone = this.account.mappings === null;
    this.isPlain = isIntroduced(this.standing) && !pedantic && !verbose && headers && hasNone;
  }

  onPing(): boolean {
    this.say("PONG\r\n");
    this.introduction.tellAccount();
    return this.isOpen; // the answer may have been too much for a slow reader
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
      this.tap !== null ||
      (message.headerLength > 0 && !this.hello.headers);
    if (at + length > outbox.end || isRare) {
      if (this.host.limits.current.dropsForSlow && isFromClient(message) && outbox.isNearlyFull) return false;
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

  protected override tapOperations(tap: Tap | null): void {
    this.parser.operations = tap === null ? this : new TappedClient(this, tap);
  }

  protected override release(cause: CloseCause): void {
    super.release(cause);
    this.account.leave();
    this.host.onClosed(this); // while its subscriptions can still be told
    this.dropInterest();
    this.memoPlan = null;
  }
}
