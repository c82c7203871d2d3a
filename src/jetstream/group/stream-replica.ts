/**
 * One copy of a replicated stream. The leader judges what publishers send, as a stream by itself does, and proposes what it accepts; each
 * copy applies what is agreed on, in order, and comes to the same messages. A publisher is answered once a majority has its message,
 * durable, and the leader has applied it.
 *
 *     receive ─▶ judge (LeaderIntake) ─▶ propose, at the end of the turn ─▶ agreed ─▶ apply ─▶ answer
 *
 * Messages that have to go by themselves (expired, unwanted, settled in a work queue) go the same way, so that copies stay the same, whatever their
 * clocks say and whatever they know of consumers.
 *
 * Invariant: answers, refusals among them, leave in the order of what they depend on, so that nobody learns of what may be lost.
 */
import { assert } from "../../base/assert.ts";
import type { PeerId } from "../../raft/messages.ts";
import type { StreamConfig } from "../stream/config.ts";
import { Judge, type Operation } from "../stream/judge.ts";
import type { Stream } from "../stream/stream.ts";
import type { StreamOptions } from "../stream/stream-options.ts";
import { AgreedBatches } from "./agreed-batches.ts";
import { StreamCatchUp } from "./catch-up.ts";
import { Commands, type Done } from "./commands.ts";
import { CopyReports } from "./copy-reports.ts";
import { catchingUp, troubleOf, type CopyTrouble } from "./copy-trouble.ts";
import { DamagedCopy } from "./damaged-copy.ts";
import { ExpiredRuns, removeAll } from "./expired-runs.ts";
import { applyRange, Feeding } from "./feeding.ts";
import type { Group, GroupMachine, GroupTransport } from "./group.ts";
import { InFlight } from "./in-flight.ts";
import { LeaderIntake } from "./leader-intake.ts";
import { InterestKeeper, type StreamInterest } from "./interest.ts";
import { answerInterest } from "./interest-known.ts";
import {
  decodeDelete,
  decodeMessage,
  decodePurge,
  encodeDelete,
  encodePurge,
  OperationCode,
  type MessageOperation,
} from "./operations.ts";
import { judgeAgreed } from "./agreed-message.ts";
import { OpenRemovals } from "./open-removals.ts";
import { operationOf } from "./replayed.ts";
import { decodeState, dropGone, encodeState, stateOf } from "./stream-state.ts";
import { SyncServer } from "./sync-server.ts";
import { TurnProposals } from "./turn-proposals.ts";

export interface StreamReplicaOptions {
  readonly stream: Stream;
  readonly batches: Pick<StreamOptions, "level" | "room" | "budgets">;
  readonly interest: StreamInterest;
  readonly self: PeerId;
  readonly transport: GroupTransport;
  /** Where copies ask for messages that they lack. */
  readonly sync: string;
  /** This copy has begun to lead, or does no longer. */
  readonly onLeadership: () => void;
}

export class StreamReplica implements GroupMachine {
  readonly stream: Stream;
  /** Why this copy takes nothing more; "": all is well. */
  problem = "";
  private readonly options: StreamReplicaOptions;
  private readonly flight: InFlight;
  private readonly judge: Judge;
  private readonly syncServer: SyncServer;
  private catchUp: StreamCatchUp | null = null;
  /** Messages that were agreed on and that every copy has refused. */
  private failed = 0;
  private begun = { from: 0, to: 0, sinceMs: 0 };
  private joined: Group | null = null;
  private isLeading = false;
  private listeners: Disposable[] = [];
  private readonly ears: Disposable[] = [];
  private readonly proposals: TurnProposals;
  readonly intake: LeaderIntake;
  private readonly interest: InterestKeeper;
  private readonly expired: ExpiredRuns;
  private readonly damage: DamagedCopy;
  private readonly batches = new AgreedBatches();
  private readonly commands = new Commands();
  private readonly feeding: Feeding;
  /** What consumers of this server need no longer. */
  private readonly removals: OpenRemovals;
  /** Whose copy is complete; null: nobody asks. */
  reports: CopyReports | null = null;

  constructor(options: StreamReplicaOptions) {
    const { stream, batches, transport, sync } = options;
    this.options = options;
    this.stream = stream;
    const flight = (this.flight = new InFlight(stream));
    const judge = (this.judge = new Judge(flight, batches.room));
    this.proposals = new TurnProposals(stream.host, (operations) => this.proposeAll(operations));
    const propose = (operation: Uint8Array): void => this.proposals.add(operation);
    const { name } = stream.config;
    const interest = (this.interest = new InterestKeeper({
      stream,
      interest: options.interest,
      remove: (sequence) => propose(encodeDelete(name, sequence, "forget")),
    }));
    this.expired = new ExpiredRuns(stream, propose);
    this.damage = new DamagedCopy(stream);
    this.removals = new OpenRemovals(stream, (sequence) => this.forwardDelete(sequence));
    const leading = { stream, flight, judge, interest, propose, failed: () => this.failed };
    this.feeding = new Feeding(leading);
    this.intake = new LeaderIntake({ ...leading, batches });
    this.syncServer = new SyncServer({ stream, transport, subject: sync });
    stream.onSettled = (sequence) => this.settled(sequence);
    stream.onExpired = (sequence) => this.expired.add(sequence);
  }

  get group(): Group {
    assert(this.joined !== null, "a copy belongs to a group");
    return this.joined;
  }

  get leads(): boolean {
    return this.isLeading;
  }

  /** It has all that its group has agreed on. */
  get isCurrent(): boolean {
    return this.catchUp === null && this.group.isCurrent;
  }

  private get isWhole(): boolean {
    return this.catchUp === null && this.problem === "";
  }

  /** Why this copy is not where its group is. */
  get trouble(): CopyTrouble {
    const { problem, begun, stream } = this;
    if (problem !== "") return { error: `stream write error: ${problem}`, behind: 0 };
    return this.catchUp === null ? troubleOf(this.group) : catchingUp(begun, stream);
  }

  join(group: Group): void {
    this.joined = group;
    this.leadershipChanged();
  }

  reconfigure(config: StreamConfig): void {
    this.stream.reconfigure(config);
    this.judge.configure(config);
    if (this.isLeading) this.listen();
  }

  stop(): void {
    this.reports?.stop();
    this.removals.stop();
    this.followAgain();
    this.catchUp?.stop();
  }

  apply(_index: number, operations: readonly Uint8Array[]): void {
    for (const operation of operations) {
      if (this.catchUp !== null) this.catchUp.hold(operation);
      else if (this.problem === "") this.applyOne(operation);
    }
    if (this.isLeading) this.damage.leaves(this.group);
    this.intake.reached(this.group.appliedTerm);
    this.stream.touch();
  }

  /** The members of the group are being changed, or are not any more. */
  reshape(how: "begins" | "ends"): void {
    this.reports?.stop();
    const { self, transport } = this.options;
    const isComplete = (): boolean => this.isWhole;
    const host = { stream: this.stream, self, transport, group: this.group.name, isComplete };
    this.reports = how === "begins" ? new CopyReports(host) : null;
  }

  snapshot(): Uint8Array | null {
    const { longWork } = this.stream;
    // a purge or a batch that is under way would be forgotten
    return !this.isWhole || longWork.isBusy || this.batches.isOpen ? null : this.contents();
  }

  /** Which messages this copy holds, durably. */
  contents(): Uint8Array {
    this.stream.store.syncNow();
    return encodeState(stateOf(this.stream.store, this.failed));
  }

  install(data: Uint8Array): void {
    const state = decodeState(data);
    if (state === undefined) return this.fail("a snapshot of the group cannot be read");
    const { store } = this.stream;
    this.failed = state.failed;
    this.batches.drop();
    this.intake.forget();
    dropGone(state, store);
    if (store.last < state.last || this.catchUp !== null) this.getMissing(state.last);
  }

  /** From the leader, up to a sequence. */
  private getMissing(to: number): StreamCatchUp {
    this.catchUp?.stop();
    const { stream, self, transport, sync: subject } = this.options;
    const { failed } = this;
    this.begun = { from: stream.store.last, to, sinceMs: stream.host.clock.nowMs() };
    const host = { stream, self, transport, subject, failed };
    return (this.catchUp = new StreamCatchUp(host, to, (rest) => this.caughtUp(rest)));
  }

  leadershipChanged(): void {
    if (this.joined === null) return;
    const { leads } = this.joined;
    // others have what this copy lacks
    if (leads && this.catchUp !== null) return this.joined.transfer("");
    if (leads && this.damage.leaves(this.joined)) return;
    if (leads === this.isLeading) return void (this.joined.hasHandedOn && this.options.onLeadership());
    if (leads) this.lead();
    else this.followAgain();
    this.options.onLeadership();
  }

  peersChanged(): void {} // the assignment says who belongs to it

  /** `done`: how many went; null: the leadership has ended, so that nobody knows. */
  purge(request: { filter: string | null; below: number; keep: number }, done: Done): void {
    this.command(encodePurge(this.stream.config.name, { ...request, last: this.flight.last }), done);
  }

  /** `done`: 1, or 0 where there is no such message. */
  delete(sequence: number, how: "erase" | "forget", done: Done): void {
    this.command(encodeDelete(this.stream.config.name, sequence, how), done);
  }

  /** A consumer of this server needs the message no longer. */
  private settled(sequence: number): void {
    if (this.interest.isOn) this.interest.settled(sequence);
    else this.removals.add(sequence);
  }

  private forwardDelete(sequence: number): void {
    const operation = encodeDelete(this.stream.config.name, sequence, "forget");
    if (this.isLeading) this.proposals.add(operation);
    else this.group.forward(operation);
  }

  private command(operation: Uint8Array, done: Done): void {
    if (!this.isLeading) return done(null);
    this.commands.add(operation, done);
    this.proposals.add(operation);
  }

  private lead(): void {
    this.isLeading = true;
    this.intake.begin(this.group.term);
    this.stream.feed = this.feeding;
    this.flight.clear();
    this.listen();
    this.syncServer.start();
    const { transport, interest } = this.options;
    this.ears.push(answerInterest(transport, this.group.name, interest));
    this.stream.serve("begins");
  }

  private followAgain(): void {
    this.isLeading = false;
    this.stream.serve("ends");
    this.interest.stop();
    this.expired.clear();
    for (const listener of [...this.listeners, ...this.ears.splice(0)]) listener[Symbol.dispose]();
    this.listeners = [];
    this.syncServer.stop();
    this.intake.end();
    this.flight.clear();
    this.proposals.clear();
    this.commands.clear();
  }

  private listen(): void {
    const old = this.listeners;
    const { config, host } = this.stream;
    this.listeners = config.subjects.map((subject) =>
      host.listen(subject, (message) => this.intake.receive(message)),
    );
    for (const listener of old) listener[Symbol.dispose]();
  }

  private proposeAll(operations: readonly Uint8Array[]): void {
    // what follows on a message that was not proposed must not be
    if (this.isLeading && !this.group.propose(operations)) this.group.transfer("");
  }

  // ---- applying ----

  private applyOne(data: Uint8Array): void {
    const isBatched = data[0] === OperationCode.BATCH_MESSAGE || data[0] === OperationCode.BATCH_COMMIT;
    if (!isBatched) this.batches.drop();
    switch (data[0]) {
      case OperationCode.STREAM_MESSAGE:
      case OperationCode.PACKED_STREAM_MESSAGE:
        this.applyMessage(data);
        break;
      case OperationCode.PURGE_STREAM:
        this.applyPurge(data);
        break;
      case OperationCode.DELETE_MESSAGE:
        this.applyDelete(data);
        break;
      case OperationCode.BATCH_MESSAGE:
      case OperationCode.BATCH_COMMIT:
        this.applyBatch(data);
        break;
      case OperationCode.DELETE_RANGE:
        this.fail(applyRange(data, this.stream));
        break;
      default:
        this.fail(`the group has agreed on an operation that this server does not know: ${data[0]}`);
    }
  }

  private applyMessage(data: Uint8Array): void {
    const { stream } = this;
    const message = decodeMessage(data);
    if (message === undefined) return this.fail("the group has agreed on a message that cannot be read");
    const sequence = message.after + 1 - this.failed;
    const agreed = judgeAgreed(message, stream, this.failed);
    if (agreed === "skip") stream.skipTo(sequence);
    if (agreed === "refused") this.failed++;
    if (agreed === "ahead") this.missing(sequence - 1, [data]);
    if (agreed !== "next") return;
    const mine = this.flight.take(sequence);
    stream.apply(mine?.operation ?? this.operationOf(message), sequence);
    this.intake.stored(message, sequence, mine);
  }

  private applyBatch(data: Uint8Array): void {
    const { stream } = this;
    const batch = this.batches.take(data);
    if (batch === undefined) this.fail("the group has agreed on a message of a batch that cannot be read");
    if (batch === undefined || batch === null) return;
    const placed = batch.messages.map((message) => ({ message, sequence: message.after + 1 - this.failed }));
    const rest = placed.filter(({ sequence }) => sequence > stream.store.last);
    const [first] = rest;
    if (first === undefined) return; // all of it is here already
    if (first.sequence > stream.store.last + 1) return this.missing(first.sequence - 1, batch.raw);
    const mine = rest.map(({ sequence }) => this.flight.take(sequence));
    stream.applyBatch(rest.map(({ message }, i) => mine[i]?.operation ?? this.operationOf(message)));
    for (const [i, one] of mine.entries())
      if (one !== undefined && this.isLeading) this.intake.agreed(one, rest[i]!.sequence);
  }

  private operationOf(message: MessageOperation): Operation {
    const { config } = this.stream;
    return operationOf(message, { subject: this.judge.subjectOf(message.subject), config });
  }

  /** The group has agreed on something that follows on a message that this copy lacks. */
  private missing(after: number, held: readonly Uint8Array[]): void {
    if (this.isLeading) {
      const { last } = this.stream.store;
      this.fail(`message ${after + 1} was agreed on, and the last one here is ${last}`);
      return;
    }
    const catchUp = this.getMissing(after);
    for (const one of held) catchUp.hold(one);
  }

  private applyPurge(data: Uint8Array): void {
    const purge = decodePurge(data);
    if (purge === undefined) return this.fail("the group has agreed on a purge that cannot be read");
    const { filter, below, keep, last } = purge;
    const done = this.commands.doneOf(data);
    // messages that came later must stay where the log is applied again
    if (keep > 0 && this.stream.store.last > last) return;
    this.stream.removals.purge({ filter, below, keep }, done);
  }

  private applyDelete(data: Uint8Array): void {
    const operation = decodeDelete(data);
    if (operation === undefined) return this.fail("the group has agreed on a deletion that cannot be read");
    this.commands.doneOf(data)(removeAll(this.stream, operation) === 0 ? 0 : 1);
  }

  private caughtUp(rest: readonly Uint8Array[]): void {
    this.catchUp = null;
    this.apply(0, rest);
    this.leadershipChanged();
  }

  /** "": nothing is wrong. */
  private fail(problem: string): void {
    if (this.problem !== "" || problem === "") return;
    this.problem = problem;
    const { config, host } = this.stream;
    host.logger.error("a copy of a stream has stopped: it may differ from the others", {
      account: host.name,
      stream: config.name,
      problem,
    });
    if (this.joined?.leads === true) this.joined.transfer("");
  }
}
