/**
 * A connection to another server. It speaks the route protocol and carries messages both ways; whether it may, in which slot,
 * and when it has to go, the mesh decides (through `host`).
 *
 *     accepted   our INFO -> | <- CONNECT, INFO          | registered: interest both ways
 *     dialled    CONNECT ->  | <- INFO | our INFO, interest, PING -> | <- PONG: confirmed
 */
import { isDeepStrictEqual } from "node:util";
import { beginChange, endChange } from "../../base/assert.ts";
import type { Logger } from "../../base/logger.ts";
import { CHUNK_SIZE } from "../../slab/chunks.ts";
import { copy, readText, text } from "../../slab/memory.ts";
import type { Account } from "../../core/account.ts";
import { isTracked } from "../../core/latency.ts";
import type { InterestChange } from "../../core/local-interest.ts";
import type { Plan } from "../../core/plan.ts";
import { publishFromNeighbour } from "../../core/router.ts";
import type { Neighbour, TracedNeighbour } from "../../core/subscription.ts";
import * as errors from "../../protocol/errors.ts";
import type { PeerError } from "../../protocol/errors.ts";
import type { Message } from "../../protocol/message.ts";
import { fromByteString, toByteString } from "../../protocol/info.ts";
import { onOneLine } from "../../protocol/quote.ts";
import { readRouteInfo } from "../../protocol/route-info.ts";
import { restoreShown } from "../../protocol/shown-subject.ts";
import { RouteParser, type RouteOperations } from "../../protocol/route-parser.ts";
import { mayBeTraced } from "../../protocol/trace-headers.ts";
import type { Wire, WireReceiver } from "../../transport/wire.ts";
import { FAULT_REASON } from "../trunk/faults.ts";
import { Heartbeat } from "../trunk/heartbeat.ts";
import { Inbound } from "../trunk/inbound.ts";
import { Outbox, ROUTE_READER, type SlowReason } from "../trunk/outbox.ts";
import { forwardRarely } from "./forward.ts";
import type { RouteHost } from "./host.ts";
import { interestLine, readInterest } from "./interest-line.ts";
import { permits, type SubjectRules } from "./permissions.ts";
import { RemoteInterests } from "./remote-interest.ts";
import { publishRoutedTraced, tracedRoute } from "./tracing.ts";

export type RouteDirection = "accepted" | "dialled";

/** What the mesh has made of the connection. */
export interface Registration {
  readonly peerId: string;
  readonly peerName: string;
  /** Pinned account that the route is for, or null. */
  readonly account: string | null;
  readonly poolIndex: number;
}

export class RouteSession implements RouteOperations, Neighbour, WireReceiver {
  readonly rid: number;
  readonly wire: Wire;
  readonly direction: RouteDirection;
  readonly startedMs: number;
  readonly outbox: Outbox;
  readonly interests: RemoteInterests;
  readonly heartbeat: Heartbeat;
  registration: Registration | null = null;
  /** The peer's INFO as it stands, checked by `readRouteInfo`. */
  peerInfo: Readonly<Record<string, unknown>> | null = null;
  chosenQueues = "";
  /** Of the peer; "": not known. */
  zone = "";
  /** Whoever changes it later has the plans worked out anew. */
  rank = 1;
  inMessages = 0;
  inBytes = 0;
  outMessages = 0;
  outBytes = 0;
  /** With its outbox, when it was cut as a slow consumer. */
  droppedMessages = 0;
  droppedBytes = 0;
  lastActivityMs: number;
  /** Why it was closed; "" while it is open. */
  closedFor = "";
  readonly log: Logger;
  /** Whether the peer understands headers. */
  headers = true;
  private hasConnected: boolean;
  private isConfirmed = false;
  private memoAccount: Account | null = null;
  private memoName: string | null = null;
  private memoPlan: Plan | null = null;
  private memoVersion = -1;
  readonly host: RouteHost;
  private readonly parser: RouteParser;
  private readonly inbound: Inbound;

  constructor(host: RouteHost, wire: Wire, rid: number, direction: RouteDirection) {
    this.host = host;
    this.wire = wire;
    this.rid = rid;
    this.direction = direction;
    this.hasConnected = direction === "dialled";
    this.startedMs = this.lastActivityMs = host.clock.nowMs();
    this.log = host.logger.child({ peer: `${wire.remote.address}:${wire.remote.port}`, rid });
    const { turn, limits } = host;
    this.outbox = new Outbox(wire, turn, limits, (why, bytes) => this.onSlow(why, bytes), ROUTE_READER);
    const admits = (subject: string): boolean => permits(host.permissions.export, subject);
    this.interests = new RemoteInterests(this, host, { admits });
    this.parser = new RouteParser(this, host.limits);
    this.inbound = new Inbound(this.parser);
    const actions = { sendPing: () => this.say("PING\r\n"), onStale: () => this.onStale() };
    this.heartbeat = new Heartbeat(host.clock, host.limits, actions, "steady");
  }

  /** Says the first word and begins to read. */
  open(firstWord: string): void {
    this.say(firstWord);
    if (this.direction === "dialled") this.log.debug("Route connect msg sent");
    this.heartbeat.start();
    this.wire.start(this);
  }

  get isOpen(): boolean {
    return this.closedFor === "";
  }

  /** From here on messages and interest cross. */
  register(registration: Registration): void {
    // Here, since what does not come this far (duplicates, probes, strangers) is no news.
    this.log.info("Route connection created");
    this.registration = registration;
    this.parser.isPinned = registration.account !== null;
    this.parser.isRegistered = true;
  }

  // ---- the wire ----

  onBytes(length: number): boolean {
    if (!this.isOpen) return true;
    const { turn, clock } = this.host;
    turn.enter();
    this.heartbeat.heard();
    this.lastActivityMs = clock.nowMs();
    try {
      this.inbound.take(length);
    } catch (error) {
      this.contain(error);
    }
    turn.leave();
    // Never waits for a slow reader, as a client does: that would hold up everybody else's messages.
    return true;
  }

  onWritten(): void {
    this.outbox.onWritten();
  }

  onClosed(problem: string): void {
    this.close(problem === "" ? "Client Closed" : `Read Error (${problem})`);
    this.outbox.afterClosed();
  }

  // ---- operations ----

  onRouted(accountName: string | null, message: Message, queues: readonly string[]): boolean {
    if (this.registration === null)
      return this.onPeerError(errors.unknownOperation, "message before registration");
    const account = this.accountOf(accountName ?? toByteString(this.registration.account ?? ""));
    this.memoPlan = null;
    if (account === null || !this.mayImport(message)) return true;
    restoreShown(message);
    if (message.headerLength === 0 || !mayBeTraced(message)) return this.take(account, message, queues);
    const goesOn = publishRoutedTraced(this, account, message, queues);
    this.memoPlan = null; // another message was sent meanwhile
    return goesOn;
  }

  get traced(): TracedNeighbour {
    return tracedRoute(this);
  }

  /** A message that is not traced, or whose trace has begun. */
  take(account: Account, message: Message, queues: readonly string[]): boolean {
    if (message.replyLength > 0 && isTracked(message)) account.latency.watchRouted(message);
    const at = message.at + message.subjectFrom;
    const plan = account.interest.plan(at, message.subjectLength, message.subjectHash);
    this.memoPlan = plan.crossings === null ? plan : null;
    this.memoVersion = account.interest.version;
    this.route(plan, message, queues);
    return this.isOpen;
  }

  onRoutedAgain(message: Message): boolean {
    const plan = this.memoPlan;
    if (plan === null || this.memoVersion !== this.memoAccount!.interest.version)
      return this.onRouted(this.memoName, message, []);
    if (message.headerLength > 0 && mayBeTraced(message)) return this.onRouted(this.memoName, message, []);
    this.route(plan, message, []);
    return this.isOpen;
  }

  private route(plan: Plan, message: Message, queues: readonly string[]): void {
    this.inMessages++;
    this.inBytes += message.size;
    publishFromNeighbour(plan, message, queues);
  }

  private accountOf(name: string): Account | null {
    if (this.memoName === name) return this.memoAccount;
    this.memoName = name;
    this.memoAccount = this.host.accounts.get(fromByteString(name)) ?? null;
    return this.memoAccount;
  }

  private mayImport(message: Message): boolean {
    const rules = this.host.permissions.import;
    const { at, subjectFrom, subjectLength } = message;
    return rules === null || permits(rules, readText(at + subjectFrom, subjectLength));
  }

  onConnect(json: string): boolean {
    const verdict = this.host.judgeConnect(this, json);
    if (verdict === null) {
      this.hasConnected = true;
      return true;
    }
    this.log.error(verdict.text ?? verdict.reason, { detail: verdict.detail });
    this.sayError(verdict.text);
    this.close(verdict.reason);
    return false;
  }

  onInfo(json: string): boolean {
    if (!this.hasConnected) return this.onPeerError(errors.authorizationViolation, "INFO before CONNECT");
    const { registration } = this;
    if (registration !== null && !json.includes(registration.peerId)) this.host.onGossip(this, json);
    else this.readInfo(json);
    return this.isOpen;
  }

  /** INFO that had to wait: as within the read that brought it. */
  readGossip(json: string): void {
    if (!this.isOpen) return;
    this.host.turn.enter();
    try {
      this.readInfo(json);
    } catch (error) {
      this.contain(error);
    }
    this.host.turn.leave();
  }

  private readInfo(json: string): boolean {
    const info = readRouteInfo(json);
    if (typeof info === "string") return this.onPeerError(errors.badArguments, info);
    if (this.peerInfo === null) {
      this.peerInfo = info;
      this.headers = info["headers"] === true && !this.host.noHeaders;
      this.host.onHandshakeInfo(this, info);
    } else this.host.onLaterInfo(this, info);
    return this.isOpen;
  }

  onPing(): boolean {
    this.say("PONG\r\n");
    return this.isOpen; // the answer may have been too much for a slow reader
  }

  onPong(): boolean {
    this.heartbeat.onPong();
    if (!this.isConfirmed && this.registration !== null) {
      this.isConfirmed = true;
      this.host.onFirstPong(this);
    }
    return this.isOpen;
  }

  onInterest(args: readonly string[]): boolean {
    if (this.registration === null)
      return this.onPeerError(errors.unknownOperation, "RS+ before registration");
    const told = readInterest(args, this.registration.account, "RS+");
    if (typeof told === "string") return this.onPeerError(errors.badArguments, told);
    const { account, subject, queue, weight } = told;
    if (!permits(this.host.permissions.export, subject)) return true;
    if (this.interests.set(account, subject, queue, weight)) return true;
    return this.onPeerError(errors.maxSubscriptionsExceeded, "more interest than a route may have");
  }

  onInterestEnded(args: readonly string[]): boolean {
    const told = readInterest(args, this.registration?.account ?? null, "RS-");
    if (typeof told === "string") return this.onPeerError(errors.badArguments, told);
    this.interests.delete(told.account, told.subject, told.queue);
    return true;
  }

  onPeerSaysError(said: string): boolean {
    // A server that pools tries a route for its system account; to be refused it is ordinary.
    if (said.startsWith("Not possible to have a dedicated route")) this.log.debug("Route Error", { said });
    else this.log.error("Route Error", { said });
    this.close("Parse Error");
    return false;
  }

  onPeerError(error: PeerError, detail: string): boolean {
    this.sayError(error.text);
    this.log.error(error.text ?? "Route sent what makes no sense", { detail });
    this.close(error.closes ?? "Protocol Violation");
    return false;
  }

  // ---- what goes out ----

  forward(plan: Plan, message: Message, queues: string): void {
    const { outbox } = this;
    const tailLength = message.length - message.tailFrom;
    const length = plan.routeHeadLength + tailLength;
    const isRare =
      queues !== "" ||
      message.body !== null ||
      message.shownLength > 0 ||
      this.parser.isPinned ||
      (message.headerLength > 0 && !this.headers);
    if (isRare || length > CHUNK_SIZE) {
      forwardRarely(this, plan, message, queues, this.parser.isPinned);
    } else {
      let at = outbox.at;
      if (at + length > outbox.end && (at = outbox.reserve(length)) < 0) return;
      copy(at, plan.routeHeadAt, plan.routeHeadLength);
      if (message.headerLength > 0) text[at] = 0x48; // RMSG becomes HMSG
      copy(at + plan.routeHeadLength, message.at + message.tailFrom, tailLength);
      outbox.at = at + length;
      if (!outbox.isDirty) this.host.turn.touch(outbox);
    }
    this.outMessages++;
    this.outBytes += message.size;
  }

  /** Tells the peer of interest here; accounts with a route of their own are not named on it. */
  tellInterest(account: string, change: InterestChange): void {
    if (!permits(this.host.permissions.import, change.subject)) return;
    this.say(interestLine(this.parser.isPinned ? null : account, change));
  }

  /** The same for interest that may have been told before: only what `before` and the rules of now see differently. */
  retellInterest(account: string, change: InterestChange, before: SubjectRules | null): void {
    const has = permits(before, change.subject);
    if (has === permits(this.host.permissions.import, change.subject)) return;
    this.say(interestLine(this.parser.isPinned ? null : account, has ? { ...change, count: 0 } : change));
  }

  /** The peer's INFO has come again: what crosses may have changed. Returns whether the peer takes other subjects than before. */
  hearRules({ import: imports, export: exports }: Readonly<Record<string, unknown>>): boolean {
    const before = this.peerInfo?.["export"];
    this.peerInfo = { ...this.peerInfo, import: imports, export: exports };
    return !isDeepStrictEqual(before, exports);
  }

  send(line: string): void {
    if (this.isOpen) this.say(line);
  }

  /** Everything that is said but messages. */
  protected say(line: string): void {
    this.outbox.writeText(line);
  }

  // ---- the end ----

  /** Ends the connection after what is in the outbox is out; says `errorText` first, unless it is null. */
  closeSaying(errorText: string | null, reason: string): void {
    this.sayError(errorText);
    this.close(reason);
  }

  close(reason: string): void {
    if (!this.isOpen) return;
    this.outbox.finish();
    this.release(reason);
    this.wire.end();
  }

  /** Ends the connection where that mends it. */
  private contain(error: unknown): void {
    this.host.faults.contain(error, this.log);
    this.cut(FAULT_REASON);
  }

  /** Ends the connection at once. */
  private cut(reason: string): void {
    if (!this.isOpen) return;
    this.release(reason);
    this.wire.destroy();
  }

  private release(reason: string): void {
    beginChange();
    this.closedFor = reason;
    if (this.registration === null) this.log.debug(`Router connection closed: ${reason}`);
    else this.log.info(`Router connection closed: ${reason} - Remote: ${this.registration.peerName}`);
    this.heartbeat[Symbol.dispose]();
    this.interests.clear();
    this.memoPlan = null;
    this.outbox.close();
    this.host.onClosed(this);
    endChange();
  }

  private sayError(errorText: string | null): void {
    if (errorText !== null) this.send(`-ERR '${onOneLine(toByteString(errorText))}'\r\n`);
  }

  private onStale(): void {
    this.host.counters.staleConnections++;
    this.onPeerError(errors.staleConnection, "");
  }

  private onSlow(reason: SlowReason, pendingBytes: number): void {
    if (!this.isOpen) return;
    this.host.counters.slowConsumers++;
    this.droppedBytes = pendingBytes;
    this.droppedMessages = this.outbox.pendingMessages();
    const { maxPendingBytes, writeDeadlineMs } = this.host.limits;
    const fields = { event: "slow_consumer", reason, pendingBytes, maxPendingBytes, writeDeadlineMs };
    this.log.warn("Slow Consumer Detected", fields);
    this.cut(reason === "deadline" ? "Slow Consumer (Write Deadline)" : "Slow Consumer (Pending Bytes)");
  }
}
