/**
 * A consumer: delivers the messages of its stream, to whoever pulls them or to a subject, and follows what is acknowledged. What it
 * decides becomes an entry that its state applies; the entry is written before the turn ends.
 *
 *     committed ─▶ pump ─▶ due again? ─▶ next that a filter covers ─▶ room? ─▶ a request waits? ─▶ deliver, entry
 *     acks ─────▶ entry ─▶ (end of turn) written, synced ─▶ confirmed
 */
import { assert } from "../../base/assert.ts";
import type { DiskError } from "../../store/disk.ts";
import type { RecordView } from "../../store/record.ts";
import { statusBlock } from "../headers.ts";
import type { AccountHost, DeliveryLane } from "../host.ts";
import { Commit } from "../stream/commit.ts";
import { largestMessage } from "../stream/config.ts";
import type { Reader } from "../stream/reader.ts";
import type { Stream } from "../stream/stream.ts";
import { Acks } from "./acks.ts";
import { Choice } from "./choice.ts";
import { filtersOf, type ConsumerConfig } from "./config.ts";
import type { ConsumerOptions } from "./consumer-options.ts";
import { deadLettersOf, type DeadLetters } from "./dead-letters.ts";
import { EarliestTimer } from "./earliest-timer.ts";
import { IdleHeartbeat } from "./idle-heartbeat.ts";
import { Inactivity } from "./inactivity.ts";
import { Lookahead } from "./lookahead.ts";
import { Outlet } from "./outlet.ts";
import { Pace } from "./pace.ts";
import { Journal } from "./journal.ts";
import { Pin } from "./pin.ts";
import { PullQueue } from "./pull-queue.ts";
import { Pumping } from "./pumping.ts";
import { Redelivery } from "./redelivery.ts";
import type { PullRequest } from "./requests.ts";
import { sampleAck } from "./sampling.ts";
import { lookAhead } from "./start.ts";
import { ConsumerState } from "./state.ts";

/** Messages, and bytes, that one consumer delivers before others have their turn. */
const BUDGET_MESSAGES = 256;
const BUDGET_BYTES = 256 * 1024;

export class Consumer implements Reader {
  config: ConsumerConfig;
  readonly created: string;
  readonly state: ConsumerState;
  readonly stream: Stream;
  readonly requests: PullQueue;
  readonly pin: Pin;
  readonly ahead: Lookahead;
  /** When it delivered last, milliseconds; 0: never. */
  deliveredMs = 0;
  private readonly options: ConsumerOptions;
  private readonly host: AccountHost;
  readonly commit: Commit;
  private readonly outlet: Outlet;
  private readonly pace: Pace;
  readonly acks: Acks;
  private readonly again: Redelivery;
  private readonly choice: Choice;
  private readonly timer: EarliestTimer;
  private readonly inactivity: Inactivity;
  private readonly heartbeat: IdleHeartbeat;
  private readonly pumping: Pumping;
  readonly journal: Journal;
  private readonly deadLetters: DeadLetters;
  /** Where a push consumer delivers. */
  private pushLane: DeliveryLane;
  /** When this turn's work began, milliseconds. */
  private turnMs = 0;

  constructor(options: ConsumerOptions) {
    const { config, created, stream, host, state, log, policy } = options;
    this.options = options;
    this.config = config;
    this.created = created;
    this.stream = stream;
    this.host = host;
    this.state = state;
    this.ahead = new Lookahead(stream, state, config, () => this.wake());
    this.inactivity = new Inactivity({
      clock: host.clock,
      isUsed: (withinMs) => this.isUsed(withinMs),
      onInactive: options.onInactive,
    });
    this.again = new Redelivery(state, config);
    this.journal = new Journal(state, log);
    this.pushLane = host.lane(config.deliverSubject);
    this.acks = new Acks({
      about: this,
      state,
      again: this.again,
      clock: host.clock,
      journal: this.journal,
      stream,
      deadLetters: () => (this.deadLetters.isOn ? this.deadLetters : null),
      advise: options.advise,
      config: () => this.config,
      measure: (sequence, pending) => sampleAck(host, this, sequence, pending),
    });
    this.deadLetters = deadLettersOf(this, this.again, this.journal, options);
    this.pin = new Pin({ about: this, advise: options.advise, host, config: () => this.config });
    this.requests = new PullQueue({
      clock: host.clock,
      pin: this.pin,
      config: () => this.config,
      lane: (subject) => host.lane(subject),
      say: (to, headers) => this.outlet.say(to, headers),
      beat: (to) => this.outlet.beat(to, state.delivered),
    });
    this.pumping = new Pumping(host, () => this.work());
    this.timer = new EarliestTimer(host.clock, () => this.onTimer());
    this.choice = new Choice({
      state,
      again: this.again,
      ahead: this.ahead,
      acks: this.acks,
      config: () => this.config,
      committedTo: stream.commit.sequence,
      passed: (sequence) => this.journal.note(ConsumerState.skip(sequence, host.clock.nowMs())),
    });
    this.heartbeat = new IdleHeartbeat(host.clock);
    this.pace = new Pace(host.clock, config, stream.store.last, largestMessage(stream.config));
    this.outlet = new Outlet(options);
    this.commit = new Commit(log, policy, {
      send: ({ reply }) => this.outlet.say(reply, ""),
      confirm: () => assert(false, "a consumer confirms no messages of a stream"),
      committed: null,
      failed: (error) => this.onFailed(error),
    });
  }

  /** What it was made with, its configuration as it is now. */
  get parts(): { config: ConsumerConfig; state: ConsumerState; stream: Stream; host: AccountHost } {
    const { config, state, stream, host } = this;
    return { config, state, stream, host };
  }

  get name(): string {
    return this.config.name;
  }

  /** False: its name was made up. */
  get wasNamed(): boolean {
    return this.options.wasNamed;
  }

  get isPush(): boolean {
    return this.config.deliverSubject !== "";
  }

  start(): void {
    const { state, stream } = this;
    lookAhead(this.ahead, this.config, stream, state);
    for (const sequence of state.pending.keys()) if (!stream.store.has(sequence)) this.acks.settle(sequence);
    this.inactivity.begin(this.config.inactiveThresholdNs / 1e6);
    this.wake();
  }

  stop(): void {
    this.pumping.stop();
    this.timer.stop();
    this.inactivity.stop();
    this.deadLetters.stop();
    this.journal.settle();
    this.commit.finish();
    this.options.log.close();
  }

  dismiss(status: string): void {
    this.requests.endAll(status);
  }

  leave(): void {
    this.requests.leaveAll();
  }

  reconfigure(config: ConsumerConfig): void {
    this.config = config;
    this.again.configure(config);
    this.pushLane = this.host.lane(config.deliverSubject);
    this.ahead.setFilters(filtersOf(config));
    this.pace.configure(config, largestMessage(this.stream.config));
    this.inactivity.begin(this.config.inactiveThresholdNs / 1e6);
    this.wake();
  }

  reset(sequence: number): void {
    this.state.reset(sequence, this.stream.store.last);
    this.deliveredMs = this.acks.ackedMs = 0;
    this.again.clear();
    this.deadLetters.clear();
    this.ahead.beginWith([]);
    this.journal.fold();
    this.wake();
  }

  get isPaused(): boolean {
    const { pauseUntil } = this.config;
    return pauseUntil !== "" && Date.parse(pauseUntil) > this.host.clock.nowMs();
  }

  committed(sequence: number): void {
    this.choice.committed(sequence);
    if (this.ahead.count > 0) this.wake();
  }

  added(sequence: number, subject: string): void {
    this.ahead.added(sequence, subject);
  }

  removed(sequence: number, subject: string): void {
    if (this.state.pending.has(sequence) && !this.ahead.isAhead(sequence))
      this.acks.terminated(sequence, "Unacknowledged message was deleted");
    this.purgedOne(sequence, subject);
  }

  purgedOne(sequence: number, subject: string): void {
    if (this.ahead.isAhead(sequence)) this.ahead.removed(sequence, subject);
    else if (this.state.pending.has(sequence)) this.acks.settle(sequence);
  }

  purged(): void {
    this.journal.note(ConsumerState.gone(this.stream.store.first - 1, this.host.clock.nowMs()));
    this.ahead.recount();
    this.wake();
  }

  needs(sequence: number, subject: string): boolean {
    if (!this.takes(subject)) return false;
    return sequence > this.state.delivered.stream || this.state.pending.has(sequence);
  }

  takes(subject: string): boolean {
    return this.ahead.covers(subject);
  }

  pull(payload: string, reply: string): void {
    if (reply === "") return;
    const refusal = this.requests.add(payload, reply, this.config);
    if (refusal === null) this.wake();
    else if (refusal !== "") this.host.afterwards(() => this.outlet.say(reply, statusBlock(refusal)));
  }

  /** An acknowledgement for the message of a sequence. `reply`: who wants to know that it is kept; "": nobody. */
  acknowledge(sequence: number, payload: string, reply: string): void {
    if (this.acksByFlow) return;
    const taken = this.acks.take(sequence, payload, reply);
    if (taken === "later") return;
    if (taken !== null) this.pull(taken.next, reply);
    else if (reply !== "" && this.knows(sequence)) this.commit.hold({ reply, payload: "" });
    this.wake();
  }

  /** A leader that others have replaced may not have delivered it. */
  private knows(sequence: number): boolean {
    return this.options.deferral === undefined || sequence <= this.state.delivered.stream;
  }

  /** The same where it says no more than that, and nobody waits for an answer. */
  acknowledgePlain(sequence: number): void {
    if (this.acksByFlow) return;
    if (!this.pumping.isDue) this.turnMs = this.host.clock.nowMs();
    this.acks.takePlain(sequence, this.turnMs);
    this.wake();
  }

  /** The subscriber has room again, and has all up to a sequence of the stream; 0: it does not say. */
  flowed(id: string, upTo: number): void {
    if (!this.outlet.flowed(id)) return;
    const acked = this.acksByFlow ? Math.min(upTo, this.state.delivered.stream) : 0;
    if (acked > 0) this.acks.settleUpTo(acked, this.host.clock.nowMs());
    this.wake();
  }

  /** Looks for what can be delivered, when the messages that are being read have been handled. */
  wake(): void {
    this.pumping.wake();
  }

  private work(): "done" | "left over" {
    const isMore = this.pump();
    if (this.requests.size > 0 && this.hasNothing) this.requests.endImpatient();
    this.journal.settle();
    this.commit.end();
    if (!this.pumping.isStopped) this.timer.set(this.nextEventMs());
    return isMore || this.deadLetters.hasMore ? "left over" : "done";
  }

  /** Whether the budget was used up and there may be more. */
  private pump(): boolean {
    let bytes = 0;
    this.turnMs = this.host.clock.nowMs();
    this.again.collect(this.turnMs);
    if (this.deadLetters.isOn) this.deadLetters.work();
    for (let i = 0; i < BUDGET_MESSAGES && bytes < BUDGET_BYTES; i++) {
      if (this.isPaused || this.outlet.isStalled || this.pace.readyMs > 0) return false;
      const target = this.target();
      if (target === null) return false;
      const sequence = this.choice.next();
      if (sequence === 0) return this.choice.isLooking;
      const view = this.stream.store.read(sequence);
      if (view === null && this.options.leavesDamage?.() === true) return false;
      if (view === null) {
        this.skipDamaged(sequence);
        continue;
      }
      if (!this.pace.isDue(sequence, view)) {
        if (this.state.pending.has(sequence)) this.again.add(sequence);
        return false;
      }
      const sent = this.deliver(sequence, view, target);
      bytes += Math.max(0, sent);
    }
    return true;
  }

  /** Where the next message goes; null: nobody takes one. */
  private target(): PullRequest | "push" | null {
    if (!this.isPush) return this.requests.next(this.choice.waiting, this.state.pending.size, this.turnMs);
    return this.pushLane.isAwaited ? "push" : null;
  }

  /** Bytes that were sent; below 0: the request ended instead. */
  private deliver(sequence: number, view: RecordView, target: PullRequest | "push"): number {
    const { state, config, outlet, turnMs } = this;
    const { pending } = state;
    const place = sequence > state.delivered.stream ? -1 : pending.find(sequence);
    const isNew = place < 0;
    const count = isNew ? 1 : pending.countAt(place) + 1;
    const consumerSequence = state.delivered.consumer + 1;
    const left = Math.max(0, this.ahead.count - (isNew ? 1 : 0));
    outlet.prepare({ view, count, consumerSequence, left });
    if (target !== "push" && target.hasBytesBound && outlet.sizeOf(view, config) > target.bytesLeft) {
      this.requests.endTooSmall();
      if (!isNew) this.again.add(sequence);
      return -1;
    }
    const pinId = target === "push" ? "" : this.requests.claim();
    this.journal.delivered(sequence, consumerSequence, count, Math.ceil(turnMs)); // whole numbers take less room
    if (isNew) this.ahead.delivered(sequence);
    this.deliveredMs = turnMs;
    this.heartbeat.delivered(turnMs);
    const lane = target === "push" ? this.pushLane : target.lane;
    const size = outlet.deliver(view, lane, config, pinId);
    this.pace.delivered(size, view);
    if (target !== "push") this.requests.served(size, turnMs);
    else outlet.pushed(size, lane.subject);
    if (this.acksByFlow && this.choice.isFull) outlet.ask(lane.subject);
    if (config.ackPolicy === "none") this.stream.settled(sequence);
    return size;
  }

  private get hasNothing(): boolean {
    return this.choice.isEmpty || (this.isPaused && this.again.size === 0);
  }

  private nextEventMs(): number {
    const { config } = this;
    const again = this.isPaused ? Date.parse(config.pauseUntil) : this.again.nextMs;
    const readyMs = this.pace.readyMs || Infinity;
    return Math.min(again, this.heartbeat.dueMs(config), readyMs, this.requests.dueMs);
  }

  private onTimer(): void {
    this.requests.onTime();
    const { deliverSubject } = this.config;
    if (this.heartbeat.take(this.config)) {
      if (this.host.isAwaited(deliverSubject)) this.outlet.beat(deliverSubject, this.state.delivered);
      if (this.acksByFlow && this.state.pending.size > 0) this.outlet.ask(deliverSubject);
    }
    this.wake();
  }

  private isUsed(withinMs: number): boolean {
    if (this.isPush) return this.pushLane.isAwaited;
    this.requests.dropUnawaited();
    const usedMs = Math.max(this.deliveredMs, this.acks.ackedMs, this.requests.askedMs);
    return this.requests.size > 0 || this.host.clock.nowMs() - usedMs < withinMs;
  }

  private get acksByFlow(): boolean {
    return this.config.ackPolicy === "flow_control";
  }

  unpin(group: string): void {
    this.pin.end(group, "admin");
    this.wake();
  }

  private onFailed({ message }: DiskError): void {
    const where = { stream: this.stream.config.name, consumer: this.name, error: message };
    this.host.logger.error("the state of a consumer cannot be written", where);
  }

  private skipDamaged(sequence: number): void {
    const where = { stream: this.stream.config.name, sequence };
    this.host.logger.error("a message is damaged and known missing", where);
    this.ahead.recount();
  }
}
