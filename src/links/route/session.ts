/**
 * A connection to another server. It speaks the route protocol and carries messages both ways; whether it may, in which slot,
 * and when it has to go, the mesh decides (through `host`).
 *
 *     accepted   our INFO -> | <- CONNECT, INFO          | registered: interest both ways
 *     dialled    CONNECT ->  | <- INFO | our INFO, interest, PING -> | <- PONG: confirmed
 */
import { isDeepStrictEqual } from "node:util";
import { assertOwn } from "../../base/assert.ts";
import { CHUNK_SIZE } from "../../slab/chunks.ts";
import { copy, readText, text } from "../../slab/memory.ts";
import type { Account } from "../../core/account.ts";
import { isTracked } from "../../core/latency.ts";
import type { InterestChange } from "../../core/local-interest.ts";
import type { Heads } from "../../core/heads.ts";
import type { Plan } from "../../core/plan.ts";
import { Source } from "../../core/reach.ts";
import { publish } from "../../core/router.ts";
import type { Neighbour, TracedNeighbour } from "../../core/subscription.ts";
import { mayAskForTrace } from "../../core/tracing.ts";
import { CLIENT_CLOSED, closeCause, type CloseCause } from "../../protocol/close-cause.ts";
import * as errors from "../../protocol/errors.ts";
import type { PeerError } from "../../protocol/errors.ts";
import type { Message } from "../../protocol/message.ts";
import { toByteString } from "../../protocol/info.ts";
import { onOneLine } from "../../protocol/quote.ts";
import { readRouteInfo } from "../../protocol/route-info.ts";
import { restoreShown } from "../../protocol/shown-subject.ts";
import { RouteParser, type RouteOperations } from "../../protocol/route-parser.ts";
import type { Wire } from "../../transport/wire.ts";
import { Agreement } from "../trunk/compression.ts";
import { Connection } from "../trunk/connection.ts";
import { Inbound } from "../trunk/inbound.ts";
import { ROUTE_READER } from "../trunk/outbox.ts";
import { CONFIRMED, GREETED, OPEN } from "../trunk/phase.ts";
import type { Tap } from "../trunk/tap.ts";
import { AccountMemo } from "./account-memo.ts";
import { agreeOnCompression } from "./agreeing.ts";
import { forwardRarely } from "./forward.ts";
import type { RouteHost } from "./host.ts";
import { interestLine, leafInterestLine, readInterest } from "./interest-line.ts";
import { permits } from "./permissions.ts";
import type { Registration, RoutePeer } from "./peer.ts";
import { RemoteInterests, type ToldInterest } from "./remote-interest.ts";
import { TappedRoute } from "./tapped.ts";
import { publishRoutedTraced, tracedRoute } from "./tracing.ts";
import type { SubjectRules } from "../../core/permissions.ts";

export type RouteDirection = "accepted" | "dialled";

const PROTOCOL_VIOLATION = closeCause("violation", "Protocol Violation");
const KIND = { idField: "rid", reader: ROUTE_READER, rhythm: "steady" } as const;

/** The queue groups of a message that names none; one array for all of them. */
const NO_QUEUES: readonly string[] = [];

export class RouteSession extends Connection<RouteHost> implements RouteOperations, Neighbour {
  readonly direction: RouteDirection;
  readonly interests: RemoteInterests;
  readonly compression: Agreement;
  registration: Registration | null = null;
  readonly peer: RoutePeer = { info: null, zone: "", takesHeaders: true };
  chosenQueues = "";
  /** Code that changes it later invalidates the plans. */
  rank = 1;
  readonly tier = "route";
  readonly dialect = "route";
  readonly leafCluster = "";
  private readonly source = new Source("route", this);
  /** Series of interest that the peer is being told of. */
  private tellings = 0;
  private pongsOwed = 0;
  private readonly named: AccountMemo;
  private memoPlan: Plan | null = null;
  private memoVersion = -1;
  private readonly parser: RouteParser;
  protected readonly inbound: Inbound;

  constructor(host: RouteHost, wire: Wire, id: number, direction: RouteDirection) {
    super(host, wire, id, { ...KIND, phase: direction === "dialled" ? OPEN : GREETED });
    this.direction = direction;
    this.compression = new Agreement(wire, () => host.compression());
    this.named = new AccountMemo(host.accounts);
    const admits = (subject: string): boolean => permits(host.permissions.export, subject);
    this.interests = new RemoteInterests(this, host, { admits });
    this.parser = new RouteParser(this, host.limits);
    this.inbound = new Inbound(this.parser);
  }

  get rid(): number {
    return this.id;
  }

  /** It is for one account, which is not named on it. */
  get isPinned(): boolean {
    return this.parser.isPinned;
  }

  get isGone(): boolean {
    return !this.isOpen;
  }

  /** Says the first word and begins to read. */
  open(firstWord: string): void {
    this.followTracing();
    this.say(firstWord);
    if (this.direction === "dialled") this.log.debug("Route connect msg sent");
    this.heartbeat.start();
    this.wire.start(this);
  }

  /** From here on messages and interest cross. */
  register(registration: Registration): void {
    assertOwn(this.phase === OPEN, "a route is registered once, after its CONNECT");
    // Here, since what does not come this far (duplicates, probes, strangers) is no news.
    this.log.info("Route connection created");
    this.registration = registration;
    this.wire.admitted?.();
    this.parser.isPinned = registration.account !== null;
    this.parser.isRegistered = true;
  }

  // ---- operations ----

  onRouted(accountName: string | null, message: Message, queues: readonly string[]): boolean {
    if (this.registration === null)
      return this.onPeerError(errors.unknownOperation, "message before registration");
    const account = this.named.of(accountName ?? toByteString(this.registration.account ?? ""));
    this.memoPlan = null;
    if (account === null || !this.mayImport(message)) return true;
    restoreShown(message);
    if (message.headerLength === 0 || !mayAskForTrace(message, account))
      return this.take(account, message, queues);
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
    const plan = account.interest.planOfMessage(at, message.subjectLength, message.subjectHash);
    this.memoPlan = plan.isMemorable ? plan : null;
    this.memoVersion = account.interest.version;
    this.route(plan, message, queues);
    return this.isOpen && this.hasRoom();
  }

  onRoutedAgain(message: Message): boolean {
    const { memoPlan: plan } = this;
    const { account, name } = this.named;
    if (plan === null || account === null || this.memoVersion !== account.interest.version)
      return this.onRouted(name, message, NO_QUEUES);
    if (message.headerLength > 0 && mayAskForTrace(message, account))
      return this.onRouted(name, message, NO_QUEUES);
    this.route(plan, message, NO_QUEUES);
    return this.isOpen;
  }

  private route(plan: Plan, message: Message, queues: readonly string[]): void {
    this.inMessages++;
    this.inBytes += message.size;
    const { source } = this;
    if (source.queues !== queues) source.queues = queues;
    source.leafCluster = message.leafCluster;
    publish(plan, message, source);
  }

  private mayImport(message: Message): boolean {
    const rules = this.host.permissions.import;
    const { at, subjectFrom, subjectLength } = message;
    return rules === null || permits(rules, readText(at + subjectFrom, subjectLength));
  }

  onConnect(json: string): boolean {
    const verdict = this.host.judgeConnect(this, json);
    if (verdict === null) {
      if (this.phase === GREETED) this.stand(OPEN);
      return true;
    }
    this.log.error(verdict.text ?? verdict.reason, { detail: verdict.detail });
    this.sayError(verdict.text);
    this.close(closeCause("refused", verdict.reason));
    return false;
  }

  onInfo(json: string): boolean {
    if (this.phase === GREETED) return this.onPeerError(errors.authorizationViolation, "INFO before CONNECT");
    const { registration } = this;
    if (registration !== null && !json.includes(registration.peerId)) this.host.onGossip(this, json);
    else this.readInfo(json);
    return this.isOpen;
  }

  /** INFO that had to wait: as within the read that brought it. */
  readGossip(json: string): void {
    if (this.isOpen) this.asRead(() => void this.readInfo(json));
  }

  private readInfo(json: string): boolean {
    const info = readRouteInfo(json);
    if (typeof info === "string") return this.onPeerError(errors.badArguments, info);
    if (this.peer.info === null) {
      if (agreeOnCompression(this, info) !== "go on") return this.isOpen;
      this.peer.info = info;
      this.peer.takesHeaders = info["headers"] === true && !this.host.noHeaders;
      this.host.onHandshakeInfo(this, info);
    } else this.host.onLaterInfo(this, info);
    return this.isOpen;
  }

  onPing(): boolean {
    if (this.tellings > 0) this.pongsOwed++;
    else this.say("PONG\r\n");
    return this.isOpen; // the answer may have been too much for a slow reader
  }

  /** The peer is about to be told of much interest, in several rounds: until `endTelling` it gets no PONG, which says that it has all. */
  beginTelling(): void {
    this.tellings++;
  }

  endTelling(): void {
    assertOwn(this.tellings > 0, "what ends has begun");
    if (--this.tellings > 0 || !this.isOpen) return;
    for (; this.pongsOwed > 0 && this.isOpen; this.pongsOwed--) this.say("PONG\r\n");
  }

  onPong(): boolean {
    this.heartbeat.onPong();
    this.compression.followRoundTrip(this.heartbeat.roundTripMs);
    if (this.phase === OPEN && this.registration !== null) {
      this.stand(CONFIRMED);
      this.host.onFirstPong(this);
    }
    return this.isOpen;
  }

  onInterest(args: readonly string[]): boolean {
    if (this.registration === null)
      return this.onPeerError(errors.unknownOperation, "RS+ before registration");
    return this.hear(readInterest(args, this.registration.account, "RS+"));
  }

  onInterestEnded(args: readonly string[]): boolean {
    return this.hearEnd(readInterest(args, this.registration?.account ?? null, "RS-"));
  }

  onLeafInterest(args: readonly string[]): boolean {
    if (this.registration === null)
      return this.onPeerError(errors.unknownOperation, "LS+ before registration");
    return this.hear(readInterest(args, this.registration.account, "LS+"));
  }

  onLeafInterestEnded(args: readonly string[]): boolean {
    return this.hearEnd(readInterest(args, this.registration?.account ?? null, "LS-"));
  }

  private hear(told: ToldInterest | string): boolean {
    if (typeof told === "string") return this.onPeerError(errors.badArguments, told);
    if (!permits(this.host.permissions.export, told.subject)) return true;
    if (!this.host.takesInterest(this, told)) return true;
    this.countChange();
    if (this.interests.set(told)) return true;
    return this.onPeerError(errors.maxSubscriptionsExceeded, "more interest than a route may have");
  }

  private hearEnd(told: ToldInterest | string): boolean {
    if (typeof told === "string") return this.onPeerError(errors.badArguments, told);
    this.interests.delete(told);
    this.countChange();
    return true;
  }

  /** A read may bring tens of thousands of these: others come in between. */
  private countChange(): void {
    this.host.turn.work.interestChanged();
    this.hasRoom();
  }

  onPeerSaysError(said: string): boolean {
    // A server that pools tries a route for its system account; to be refused it is ordinary.
    if (said.startsWith("Not possible to have a dedicated route")) this.log.debug("Route Error", { said });
    else this.log.error("Route Error", { said });
    this.close(closeCause("ended", "Parse Error"));
    return false;
  }

  onPeerError(error: PeerError, detail: string): boolean {
    this.sayError(error.text);
    this.log.error(error.text ?? "Route sent a malformed operation", { detail });
    this.close(error.closes ?? PROTOCOL_VIOLATION);
    return false;
  }

  // ---- what goes out ----

  forward(plan: Heads, message: Message, queues: string): void {
    const { outbox } = this;
    const tailLength = message.length - message.tailFrom;
    const head = plan.routeHead!;
    const length = head.length + tailLength;
    const isRare =
      queues !== "" ||
      message.body !== null ||
      this.tap !== null ||
      message.shownLength > 0 ||
      message.leafCluster !== "" ||
      this.parser.isPinned ||
      (message.headerLength > 0 && !this.peer.takesHeaders);
    if (isRare || length > CHUNK_SIZE) {
      forwardRarely(this, plan, message, queues);
    } else {
      let at = outbox.at;
      if (at + length > outbox.end && (at = outbox.reserve(length)) < 0) return;
      copy(at, head.at, head.length);
      if (message.headerLength > 0) text[at] = 0x48; // RMSG becomes HMSG
      copy(at + head.length, message.at + message.tailFrom, tailLength);
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

  /** Tells the peer of interest of leaf nodes of a cluster here. Only for peers that keep such interest apart. */
  tellLeafInterest(account: string, change: InterestChange, leafCluster: string): void {
    if (!permits(this.host.permissions.import, change.subject)) return;
    this.say(leafInterestLine(this.parser.isPinned ? null : account, change, leafCluster));
  }

  /** The same for interest that may have been told before: only what `before` and the rules of now see differently. */
  retellInterest(account: string, change: InterestChange, before: SubjectRules | null): void {
    const has = permits(before, change.subject);
    if (has === permits(this.host.permissions.import, change.subject)) return;
    this.say(interestLine(this.parser.isPinned ? null : account, has ? { ...change, count: 0 } : change));
  }

  /** The peer's INFO has come again: what crosses may have changed. Returns whether the peer takes other subjects than before. */
  hearRules({ import: imports, export: exports }: Readonly<Record<string, unknown>>): boolean {
    const { peer } = this;
    const before = peer.info?.["export"];
    peer.info = { ...peer.info, import: imports, export: exports };
    return !isDeepStrictEqual(before, exports);
  }

  send(line: string): void {
    if (this.isOpen) this.say(line);
  }

  /** The same at once, before what else the turn brings. */
  sendAtOnce(line: string): void {
    this.send(line);
    if (this.isOpen) this.outbox.flush();
  }

  // ---- the end ----

  /** Ends the connection after what is in the outbox is out; says `errorText` first, unless it is null. */
  closeSaying(errorText: string | null, reason: string): void {
    this.sayError(errorText);
    this.close(closeCause("decided", reason));
  }

  protected override endedBy(problem: string): CloseCause {
    return problem === "" ? CLIENT_CLOSED : closeCause("ended", `Read Error (${problem})`);
  }

  protected override release({ reason }: CloseCause): void {
    if (this.registration === null) this.log.debug(`Router connection closed: ${reason}`);
    else this.log.info(`Router connection closed: ${reason} - Remote: ${this.registration.peerName}`);
    this.interests.clear();
    this.memoPlan = null;
    this.outbox.close(); // before the mesh learns of it, and others are told
    this.host.onClosed(this);
  }

  protected override tapOperations(tap: Tap | null): void {
    this.parser.operations = tap === null ? this : new TappedRoute(this, tap);
  }

  private sayError(errorText: string | null): void {
    if (errorText !== null) this.send(`-ERR '${onOneLine(toByteString(errorText))}'\r\n`);
  }
}
