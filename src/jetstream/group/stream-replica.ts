/**
 * One copy of a replicated stream. The leader judges what publishers send, as a stream by itself does, and proposes what it accepts; each
 * copy applies what is agreed on, in order, and comes to the same messages. A publisher is answered once a majority has its message,
 * durable, and the leader has applied it.
 *
 *     receive ─▶ judge (InFlight) ─▶ propose, at the end of the turn ─▶ agreed ─▶ apply ─▶ answer
 *
 * Invariant: answers, refusals among them, leave in the order of what they depend on, so that nobody learns of what may be lost.
 */
import { assert } from "../../base/assert.ts";
import type { PeerId } from "../../raft/messages.ts";
import { apiErrors, ApiError } from "../api-error.ts";
import { MessageHeaders } from "../headers.ts";
import type { Incoming } from "../host.ts";
import { refusalOf, Confirmations } from "../stream/confirmations.ts";
import type { StreamConfig } from "../stream/config.ts";
import { Judge, type Operation, type Room } from "../stream/judge.ts";
import type { Stream } from "../stream/stream.ts";
import { catchingUp, troubleOf, type CopyTrouble } from "./copy-trouble.ts";
import type { Group, GroupMachine, GroupTransport } from "./group.ts";
import { applyRange, Feeding } from "./feeding.ts";
import { HeldUntilAgreed } from "./held-until-agreed.ts";
import { InFlight } from "./in-flight.ts";
import {
  decodeJson,
  decodeMessage,
  decodePurge,
  encodeDelete,
  encodeMessage,
  encodePurge,
  NO_ERASE,
  OperationCode,
} from "./operations.ts";
import { OpenRemovals } from "./open-removals.ts";
import { operationOf } from "./replayed.ts";
import { judgeAgreed } from "./agreed-message.ts";
import { StreamCatchUp } from "./catch-up.ts";
import { CopyReports } from "./copy-reports.ts";
import { decodeState, dropGone, encodeState, stateOf } from "./stream-state.ts";
import { SyncServer } from "./sync-server.ts";
import { TurnProposals } from "./turn-proposals.ts";

export interface StreamReplicaOptions {
  readonly stream: Stream;
  readonly room: Room;
  readonly self: PeerId;
  readonly transport: GroupTransport;
  /** Where copies ask for messages that they lack. */
  readonly sync: string;
  /** This copy has begun to lead, or does no longer. */
  readonly onLeadership: () => void;
}

/** What a leader has proposed beside messages, and who wants to know that it is done. */
type Done = (result: number | null) => void;

export class StreamReplica implements GroupMachine {
  readonly stream: Stream;
  /** Why this copy takes nothing more; "": all is well. */
  problem = "";
  private readonly options: StreamReplicaOptions;
  private readonly flight: InFlight;
  private judge: Judge;
  private readonly confirmations: Confirmations;
  private readonly syncServer: SyncServer;
  private catchUp: StreamCatchUp | null = null;
  /** Messages that were agreed on and that every copy has refused. */
  private failed = 0;
  private begun = { from: 0, to: 0, sinceMs: 0 };
  private joined: Group | null = null;
  private isLeading = false;
  private listeners: Disposable[] = [];
  private readonly proposals: TurnProposals;
  private readonly held: HeldUntilAgreed;
  private commands: Done[] = [];
  private readonly feeding: Feeding;
  /** What consumers of this server need no longer. */
  readonly removals: OpenRemovals;
  /** Whose copy is complete; null: nobody asks. */
  reports: CopyReports | null = null;

  constructor(options: StreamReplicaOptions) {
    const { stream, room, transport, sync } = options;
    this.options = options;
    this.stream = stream;
    this.flight = new InFlight(stream);
    this.judge = new Judge(this.flight, room);
    this.proposals = new TurnProposals(stream.host, (operations) => this.proposeAll(operations));
    this.feeding = new Feeding({
      stream,
      flight: this.flight,
      judge: () => this.judge,
      propose: (operation) => this.proposals.add(operation),
    });
    this.confirmations = new Confirmations(stream.config.name, stream.host);
    this.held = new HeldUntilAgreed(stream);
    this.removals = new OpenRemovals(stream, (sequence) => this.forwardDelete(sequence));
    this.syncServer = new SyncServer({ stream, transport, subject: sync });
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
    this.syncServer.stop();
  }

  // ---- what the group says ----

  apply(_index: number, operations: readonly Uint8Array[]): void {
    for (const operation of operations) {
      if (this.catchUp !== null) this.catchUp.hold(operation);
      else if (this.problem === "") this.applyOne(operation);
    }
    this.stream.touch();
  }

  /** The members of the group are being changed, or are not any more. */
  reshape(how: "begins" | "ends"): void {
    this.reports?.stop();
    const { self, transport } = this.options;
    const isComplete = (): boolean => this.catchUp === null && this.problem === "";
    const host = { stream: this.stream, self, transport, group: this.group.name, isComplete };
    this.reports = how === "begins" ? new CopyReports(host) : null;
  }

  snapshot(): Uint8Array | null {
    const { longWork } = this.stream;
    // a purge that is under way would be forgotten
    if (this.catchUp !== null || this.problem !== "" || longWork.isBusy) return null;
    return this.contents();
  }

  /** Which messages this copy holds, durably. */
  contents(): Uint8Array {
    const { store } = this.stream;
    store.syncNow();
    return encodeState(stateOf(store, this.failed));
  }

  install(data: Uint8Array): void {
    const state = decodeState(data);
    if (state === undefined) return this.fail("a snapshot of the group cannot be read");
    const { store } = this.stream;
    this.failed = state.failed;
    dropGone(state, store);
    if (store.last < state.last || this.catchUp !== null) this.getMissing(state.last);
  }

  /** From the leader, up to a sequence. */
  private getMissing(to: number): StreamCatchUp {
    this.catchUp?.stop();
    const { self, transport, sync: subject } = this.options;
    const { stream, failed } = this;
    this.begun = { from: stream.store.last, to, sinceMs: stream.host.clock.nowMs() };
    const host = { stream, self, transport, subject, failed };
    return (this.catchUp = new StreamCatchUp(host, to, (rest) => this.caughtUp(rest)));
  }

  leadershipChanged(): void {
    if (this.joined === null) return;
    const { leads } = this.joined;
    if (leads && this.catchUp !== null) {
      this.joined.transfer(""); // others have what this copy lacks
      return;
    }
    if (leads === this.isLeading) return;
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

  private forwardDelete(sequence: number): void {
    const operation = encodeDelete(this.stream.config.name, sequence, "forget");
    if (this.isLeading) this.command(operation, () => {});
    else this.group.forward(operation);
  }

  private command(operation: Uint8Array, done: Done): void {
    if (!this.isLeading) {
      done(null);
      return;
    }
    this.commands.push(done);
    this.proposals.add(operation);
  }

  private lead(): void {
    this.isLeading = true;
    this.stream.serves = true;
    this.stream.feed = this.feeding;
    this.flight.clear();
    this.listen();
    this.syncServer.start();
  }

  private followAgain(): void {
    this.isLeading = false;
    this.stream.serves = false;
    for (const listener of this.listeners.splice(0)) listener[Symbol.dispose]();
    this.syncServer.stop();
    this.flight.clear();
    this.proposals.clear();
    this.held.clear();
    for (const done of this.commands.splice(0)) done(null);
  }

  private listen(): void {
    const old = this.listeners;
    const { config, host } = this.stream;
    this.listeners = config.subjects.map((subject) =>
      host.listen(subject, (message) => this.receive(message)),
    );
    for (const listener of old) listener[Symbol.dispose]();
  }

  private receive(message: Incoming): void {
    const { flight, stream } = this;
    try {
      if (flight.isFull) throw apiErrors.insufficientResources();
      const judged = this.judge.judge(message, "published");
      if (typeof judged === "number") {
        const payload = `${this.confirmations.head(judged)},"duplicate": true}`;
        this.held.add({ after: judged, reply: message.reply, payload });
      } else if (judged instanceof MessageHeaders)
        throw apiErrors.storeFailed("batches are not supported for replicated streams yet");
      else this.proposeMessage(judged, message);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const payload = refusalOf(stream.config.name, error);
      this.held.add({ after: flight.last, reply: message.reply, payload });
    }
  }

  private proposeMessage(judged: Operation, { subject, reply }: Incoming): void {
    const { flight, stream } = this;
    const body = new Uint8Array(judged.body); // a copy
    const { lastTimeNs } = stream.store;
    const timeNs = judged.timeNs > lastTimeNs ? judged.timeNs : lastTimeNs;
    const operation = { ...judged, body, timeNs };
    const to = stream.config.noAck ? "" : reply;
    const after = flight.last;
    flight.add(operation, to);
    const { headerLength } = operation;
    this.proposals.add(encodeMessage({ after, timeNs, subject, reply: to, headerLength, body }));
  }

  private proposeAll(operations: readonly Uint8Array[]): void {
    // what follows on a message that was not proposed must not be
    if (this.isLeading && !this.group.propose(operations)) this.group.transfer("");
  }

  // ---- applying ----

  private applyOne(data: Uint8Array): void {
    switch (data[0]) {
      case OperationCode.STREAM_MESSAGE:
      case OperationCode.PACKED_STREAM_MESSAGE:
        this.applyMessage(data);
        break;
      case OperationCode.PURGE_STREAM:
        this.applyPurge(data);
        break;
      case OperationCode.DELETE_MESSAGE:
        this.applyDelete(decodeJson(data));
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
    if (message === undefined) {
      this.fail("the group has agreed on a message that cannot be read");
      return;
    }
    const sequence = message.after + 1 - this.failed;
    const agreed = judgeAgreed(message, stream, this.failed);
    if (agreed === "skip") stream.skipTo(sequence);
    if (agreed === "refused") this.failed++;
    if (agreed === "ahead") {
      if (this.isLeading)
        this.fail(`message ${sequence} was agreed on, and the last one here is ${stream.store.last}`);
      else this.getMissing(sequence - 1).hold(data);
    }
    if (agreed !== "next") return;
    const mine = this.flight.take(sequence);
    const operation =
      mine?.operation ??
      operationOf(message, { subject: this.judge.subjectOf(message.subject), config: stream.config });
    stream.apply(operation, sequence);
    if (mine !== undefined && this.isLeading) this.confirm(mine.reply, sequence, operation.value);
  }

  private confirm(reply: string, sequence: number, value: string | null): void {
    const { stream, confirmations } = this;
    if (reply !== "" && value === null) {
      const subject = Buffer.from(reply, "latin1");
      stream.commit.confirm(subject, 0, subject.length, sequence);
    } else if (reply !== "")
      stream.commit.hold({ reply, payload: `${confirmations.head(sequence)},"val":"${value}"}` });
    this.held.agreed();
  }

  private applyPurge(data: Uint8Array): void {
    const purge = decodePurge(data);
    if (purge === undefined) {
      this.fail("the group has agreed on a purge that cannot be read");
      return;
    }
    const { filter, below, keep, last } = purge;
    const done = this.isLeading ? (this.commands.shift() ?? ignore) : ignore;
    // messages that came later must stay where the log is applied again
    if (keep > 0 && this.stream.store.last > last) return;
    this.stream.removals.purge({ filter, below, keep }, done);
  }

  private applyDelete(json: Record<string, unknown> | undefined): void {
    const sequence = json?.["seq"];
    if (typeof sequence !== "number") {
      this.fail("the group has agreed on a deletion that cannot be read");
      return;
    }
    const went = this.stream.remove(sequence, json?.[NO_ERASE] === true ? "forget" : "erase");
    if (this.isLeading) this.commands.shift()?.(went ? 1 : 0);
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

const ignore: Done = () => {};
