/**
 * A leaf connection: carries the messages of one account between this server and another one. The two trust each other no more than a client
 * and its server. One of them is the hub and the other the spoke, whichever has dialled.
 *
 * joining.ts has its handshake, rules.ts what may cross, feed.ts which interest the peer is told of. Bounded by the outbox, the inbound, and
 * the number of subjects that a peer may be interested in (interests.ts).
 */
import type { Account } from "../../core/account.ts";
import type { Heads } from "../../core/heads.ts";
import type { InterestChange } from "../../core/local-interest.ts";
import type { Plan } from "../../core/plan.ts";
import { Source } from "../../core/reach.ts";
import { publish } from "../../core/router.ts";
import type { Neighbour } from "../../core/subscription.ts";
import { closeCause, type CloseCause } from "../../protocol/close-cause.ts";
import * as errors from "../../protocol/errors.ts";
import type { PeerError } from "../../protocol/errors.ts";
import { LeafParser, type LeafOperations } from "../../protocol/leaf-parser.ts";
import type { Message } from "../../protocol/message.ts";
import { parseSize } from "../../protocol/scanner.ts";
import { restoreShown } from "../../protocol/shown-subject.ts";
import { CHUNK_SIZE } from "../../slab/chunks.ts";
import { copy, readText, text } from "../../slab/memory.ts";
import { hasWildcard, isValidSubject } from "../../subject/subject.ts";
import type { Wire } from "../../transport/wire.ts";
import { Inbound } from "../trunk/inbound.ts";
import type { Tap } from "../trunk/tap.ts";
import type { LeafListener } from "./feed.ts";
import { forwardRarely } from "./forward.ts";
import type { LeafHost, LeafRemote } from "./host.ts";
import { LeafInterests } from "./interests.ts";
import { LOOP_DELAY_MS } from "./handshake.ts";
import { JoiningLeaf } from "./joining.ts";
import { LeafOrigin } from "./origin.ts";
import { LOOP_DETECTION } from "./rules.ts";
import { TappedLeaf } from "./tapped.ts";

const NO_QUEUES: readonly string[] = [];
/** Members of queue groups behind leaf connections come after those here and on other servers of the cluster. */
const LEAF_RANK = 3;

export class LeafSession extends JoiningLeaf implements LeafOperations, Neighbour, LeafListener {
  /** null: not admitted yet. */
  interests: LeafInterests | null = null;
  chosenQueues = "";
  readonly rank = LEAF_RANK;
  readonly dialect = "client";
  private source = new Source("spoke", this);
  private memoPlan: Plan | null = null;
  private memoVersion = -1;
  private readonly parser: LeafParser;
  protected readonly inbound: Inbound;

  constructor(host: LeafHost, wire: Wire, id: number, remote: LeafRemote | null) {
    super(host, wire, id, remote);
    this.parser = new LeafParser(this, host.limits);
    this.parser.message.origin = new LeafOrigin(this);
    this.inbound = new Inbound(this.parser);
  }

  protected override entered(account: Account): void {
    this.parser.message.leafCluster = this.leafCluster;
    this.source = new Source(this.tier, this);
    this.source.leafCluster = this.leafCluster;
    this.source.queues = NO_QUEUES;
    const filter = { admits: (subject: string, queue: string | null) => this.mayGo(subject, queue) };
    this.interests = new LeafInterests(this, account, filter, this.host.turn.chores);
  }

  protected override opened(account: Account): void {
    this.parser.isRegistered = true;
    this.host.onOpen(this.lid);
    if (this.isOpen) this.host.feeds.join(account, this);
  }

  private mayGo(subject: string, queue: string | null): boolean {
    return this.rules?.admits(subject, queue) !== false || subject.startsWith(LOOP_DETECTION);
  }

  // ---- what comes ----

  onLeafMessage(message: Message, queues: readonly string[]): boolean {
    const { account, rules } = this;
    if (account === null || rules === null)
      return this.onPeerError(errors.authorizationViolation, "message before CONNECT");
    this.inMessages++;
    this.inBytes += message.size;
    restoreShown(message);
    const at = message.at + message.subjectFrom;
    const { subjectLength, subjectHash } = message;
    const plan = account.interest.planOfMessage(at, subjectLength, subjectHash);
    if (!rules.mayTake(plan) && !rules.mayTakeOn(readText(at, subjectLength)))
      return this.refuse(readText(at, subjectLength));
    if (account.mappings !== null) return this.publishMapped(account, message, queues);
    this.memoPlan = plan.isMemorable ? plan : null;
    this.memoVersion = account.interest.version;
    this.route(plan, message, queues);
    return this.isOpen && this.hasRoom();
  }

  onLeafMessageAgain(message: Message): boolean {
    const { memoPlan: plan, account } = this;
    if (plan === null || account === null || this.memoVersion !== account.interest.version)
      return this.onLeafMessage(message, NO_QUEUES);
    this.inMessages++;
    this.inBytes += message.size;
    this.route(plan, message, NO_QUEUES);
    return this.isOpen;
  }

  private publishMapped(account: Account, message: Message, queues: readonly string[]): boolean {
    const { subjectLength, subjectHash } = message;
    const at = message.at + message.subjectFrom;
    this.memoPlan = null;
    const mapped = account.mappings?.map(at, subjectLength, subjectHash) ?? null;
    if (mapped !== null) message.moveSubject(mapped.at, mapped.length, mapped.hash);
    const subjectAt = message.at + message.subjectFrom;
    const plan = account.interest.planOfMessage(subjectAt, message.subjectLength, message.subjectHash);
    this.route(plan, message, mapped === null ? queues : null); // of groups behind a mapping the sender knows nothing
    if (mapped !== null) message.moveSubject(at, subjectLength, subjectHash); // the next head is compared with this one
    return this.isOpen && this.hasRoom();
  }

  /** `queues`: null for all. */
  private route(plan: Plan, message: Message, queues: readonly string[] | null): void {
    const { source } = this;
    if (source.queues !== queues) source.queues = queues;
    publish(plan, message, source);
  }

  /** A hub that breaks the rules does not know them; a spoke has been told by INFO. */
  private refuse(subject: string): boolean {
    this.memoPlan = null;
    if (this.tier === "hub") return true;
    this.redialDelayMs = LOOP_DELAY_MS;
    return this.onPeerError(errors.leafViolation("Publish", subject), "Check other side configuration");
  }

  onInterest(args: readonly string[]): boolean {
    const { account, interests, host } = this;
    if (account === null || interests === null)
      return this.onPeerError(errors.authorizationViolation, "LS+ before CONNECT");
    const [subject = "", queue = null, weight = ""] = args;
    if (args.length !== 1 && args.length !== 3)
      return this.onPeerError(errors.badArguments, `processLeafSub Parse Error: '${args.join(" ")}'`);
    const isOfLoops = subject.startsWith(LOOP_DETECTION);
    if (isOfLoops && host.feeds.isOwnLoopSubject(account, subject)) return this.onLoop();
    if (!isValidSubject(subject)) return this.onPeerError(errors.invalidSubject, subject);
    if (!isOfLoops && !hasWildcard(subject) && !this.mayGo(subject, queue))
      return this.refuseInterest(subject);
    this.countChange();
    const members = Math.max(1, parseSize(weight));
    if (interests.set(subject, queue, members, host.limits.current.maxSubscriptions)) return true;
    return this.onPeerError(TOO_MUCH_INTEREST, "more interest than a leaf node may have");
  }

  /** As in nats-server, interest in subjects of streams is ignored, and other interest that is not permitted ends the connection. */
  private refuseInterest(subject: string): boolean {
    if (this.tier === "hub" || this.grant?.permissions?.maySubscribe(subject, null) !== false) return true;
    this.redialDelayMs = LOOP_DELAY_MS;
    return this.onPeerError(errors.leafViolation("Subscription", subject), "Check other side configuration");
  }

  onInterestEnded(args: readonly string[]): boolean {
    const [subject = "", queue = null] = args;
    if (this.interests === null) return this.onPeerError(errors.authorizationViolation, "LS- before CONNECT");
    this.interests.delete(subject, queue);
    this.countChange();
    return true;
  }

  /** A read may bring tens of thousands of these, so other connections are read in between. */
  private countChange(): void {
    this.host.turn.work.interestChanged();
    this.hasRoom();
  }

  private onLoop(): boolean {
    this.redialDelayMs = LOOP_DELAY_MS;
    return this.onPeerError(errors.leafLoop(this.account?.name ?? "", LOOP_DELAY_MS), "");
  }

  onPing(): boolean {
    this.say("PONG\r\n");
    return this.isOpen; // the answer may have been too much for a slow reader
  }

  onPong(): boolean {
    this.heartbeat.onPong();
    this.compression.followRoundTrip(this.heartbeat.roundTripMs);
    return this.isOpen;
  }

  // ---- what goes ----

  forward(plan: Heads, message: Message, queues: string): void {
    const { outbox } = this;
    const tailLength = message.length - message.tailFrom;
    const head = plan.clientHead;
    const length = head.length + tailLength;
    const isRare =
      queues !== "" ||
      message.body !== null ||
      this.tap !== null ||
      message.shownLength > 0 ||
      (message.headerLength > 0 && !this.peer.takesHeaders);
    if (isRare || length > CHUNK_SIZE) {
      forwardRarely(this, plan, message, queues);
    } else {
      let at = outbox.at;
      if (at + length > outbox.end && (at = outbox.reserve(length)) < 0) return;
      copy(at, head.at, head.length);
      if (message.headerLength === 0) text[at] = 0x4c; // HMSG becomes LMSG
      copy(at + head.length, message.at + message.tailFrom, tailLength);
      outbox.at = at + length;
      if (!outbox.isDirty) this.host.turn.touch(outbox);
    }
    this.outMessages++;
    this.outBytes += message.size;
  }

  tell({ subject, queue, count }: InterestChange): void {
    if (!this.isOpen || this.rules?.mayTell(subject) === false) return;
    const group = queue === null ? "" : ` ${queue}`;
    if (count === 0) this.say(`LS- ${subject}${group}\r\n`);
    else this.say(`LS+ ${subject}${group}${queue === null ? "" : ` ${count}`}\r\n`);
  }

  onLimitsChanged(): void {
    this.parser.usePayloadMax(this.host.limits.current.maxPayloadBytes);
  }

  // ---- the end ----

  protected override release(cause: CloseCause): void {
    const { account, host } = this;
    this.memoPlan = null;
    this.outbox.close(); // before others are told
    super.release(cause);
    if (account !== null) host.feeds.leave(account, this);
    this.interests?.clear();
    host.onClosed(this.lid);
  }

  protected override tapOperations(tap: Tap | null): void {
    this.parser.operations = tap === null ? this : new TappedLeaf(this, tap);
  }
}

const TOO_MUCH_INTEREST: PeerError = {
  text: errors.maxSubscriptionsExceeded.text,
  closes: closeCause("violation", "Maximum Subscriptions Exceeded"),
};
