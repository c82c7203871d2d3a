/**
 * What the leader of a replicated stream takes from publishers. It judges that against the stream as it will be (`in-flight.ts`), proposes
 * what it accepts, and holds answers until what they depend on is agreed on. Batches wait here for their last message: they are lost with the
 * leadership, as with nats-server.
 */
import { assert } from "../../base/assert.ts";
import { randomToken } from "../../base/base62.ts";
import { ApiError, apiErrors } from "../api-error.ts";
import { MessageHeaders } from "../headers.ts";
import type { Incoming } from "../host.ts";
import { Batches } from "../stream/batches.ts";
import { Confirmations, refusalOf } from "../stream/confirmations.ts";
import { FAST_REPLY } from "../stream/fast-batches.ts";
import type { Judge, Operation } from "../stream/judge.ts";
import type { Stream } from "../stream/stream.ts";
import type { StreamOptions } from "../stream/stream-options.ts";
import { HeldUntilAgreed } from "./held-until-agreed.ts";
import type { InFlight, UnderWay } from "./in-flight.ts";
import type { InterestKeeper } from "./interest.ts";
import { bodyIn, encodeBatched, encodeMessage, type MessageOperation } from "./operations.ts";
import { OwedAnswers } from "./owed-answers.ts";
import { takenAt } from "./replayed.ts";

export interface LeaderIntakeOptions {
  readonly stream: Stream;
  readonly flight: InFlight;
  readonly judge: Judge;
  readonly batches: Pick<StreamOptions, "level" | "room" | "budgets">;
  readonly interest: InterestKeeper;
  readonly propose: (operation: Uint8Array) => void;
  /** Messages that were agreed on and that every copy has refused: the log counts them. */
  readonly failed: () => number;
}

export class LeaderIntake {
  private readonly options: LeaderIntakeOptions;
  private readonly held: HeldUntilAgreed;
  private readonly confirmations: Confirmations;
  private readonly batches: Batches;
  private readonly owed = new OwedAnswers();
  private term = 0;

  constructor(options: LeaderIntakeOptions) {
    const { stream, flight, judge, batches } = options;
    this.options = options;
    this.held = new HeldUntilAgreed(stream);
    this.confirmations = new Confirmations(stream.config.name, stream.host);
    this.batches = new Batches({
      stream: flight,
      judgement: judge,
      options: batches,
      apply: (operation, message) => this.propose(operation, message, ""),
      applyBatch: (operations, messages) => this.proposeBatch(operations, messages),
      answer: ({ reply }, payload) => this.hold(reply, payload, flight.last),
      refuse: (message, error) => this.refuse(message, error),
      ackHead: (sequence) => this.confirmations.head(sequence),
    });
  }

  receive(message: Incoming): void {
    const { flight, judge } = this.options;
    try {
      if (flight.isFull) throw apiErrors.insufficientResources();
      if (message.reply.endsWith(FAST_REPLY)) {
        this.batches.fast.take(message);
        return;
      }
      const judged = judge.judge(message, "published");
      if (typeof judged === "number")
        this.hold(message.reply, `${this.confirmations.head(judged)},"duplicate": true}`, judged);
      else if (judged instanceof MessageHeaders) this.batches.take(message, judged);
      else this.propose(judged, message, message.reply);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.refuse(message, error);
    }
  }

  /** The leader's own message is agreed on and stored. */
  agreed({ reply, operation }: UnderWay, sequence: number): void {
    const { commit } = this.options.stream;
    const { value } = operation;
    if (reply !== "" && value === null) {
      const subject = Buffer.from(reply, "latin1");
      commit.confirm(subject, 0, subject.length, sequence);
    } else if (reply !== "")
      commit.hold({ reply, payload: `${this.confirmations.head(sequence)},"val":"${value}"}` });
    this.held.agreed();
  }

  /** The leadership of a term begins. */
  begin(term: number): void {
    this.term = term;
  }

  /** The leadership is over. Called before what is under way is forgotten. */
  end(): void {
    this.held.clear();
    this.batches.stop();
    this.owed.begin(this.options.flight.underWay, this.term);
  }

  /** Publishers wait for what becomes of their messages under the next leader. */
  get owes(): boolean {
    return !this.owed.isEmpty;
  }

  /** A message is agreed on and stored. `mine`: as this server has proposed it in the leadership that it has. */
  stored(message: MessageOperation, sequence: number, mine: UnderWay | undefined): void {
    const known = mine ?? this.owed.take(message, sequence);
    if (known !== undefined) this.agreed(known, sequence);
  }

  /** The group has applied something of a term. */
  reached(term: number): void {
    const { commit, config } = this.options.stream;
    const payload = refusalOf(config.name, apiErrors.clusterUnavailable());
    for (const { reply } of this.owed.lost(term)) commit.hold({ reply, payload });
  }

  forget(): void {
    this.owed.forget();
  }

  private hold(reply: string, payload: string, after: number): void {
    this.held.add({ after, reply, payload });
  }

  private refuse({ reply }: Incoming, error: ApiError): void {
    const { flight, stream } = this.options;
    this.hold(reply, refusalOf(stream.config.name, error), flight.last);
  }

  /** Returns its sequence. */
  private propose(judged: Operation, { subject }: Incoming, reply: string): number {
    const { stream, flight, propose, failed } = this.options;
    const to = stream.config.noAck ? "" : reply;
    const timeNs = this.timeOf(judged);
    const isUnwanted = !this.options.interest.wants(judged.subject);
    const { headerLength, body } = judged;
    const after = flight.last + failed();
    const message = { after, timeNs, subject, reply: to, headerLength, body, isUnwanted };
    const encoded = encodeMessage(message);
    propose(encoded);
    return flight.add({ ...takenAt(judged, timeNs, bodyIn(encoded, message)), isUnwanted }, to);
  }

  /** Returns the last sequence. Those that nobody wants come last, as in a stream without replicas. */
  private proposeBatch(judged: readonly Operation[], messages: readonly Incoming[]): number {
    const { flight, propose, stream, failed } = this.options;
    assert(judged.length === messages.length, "each message of a batch is judged");
    const size = judged.reduce((sum, { body }) => sum + body.length, 0);
    if (!flight.hasRoomFor(size)) throw apiErrors.insufficientResources();
    const taken = judged.map((one, i) => ({
      operation: this.taken(one),
      subject: messages[i]!.subject,
    }));
    const isKept = ({ operation }: { operation: Operation }): boolean => operation.isUnwanted !== true;
    const ordered = [...taken.filter(isKept), ...taken.filter((one) => !isKept(one))];
    const id = randomToken(stream.host.random);
    for (const [i, { operation, subject }] of ordered.entries()) {
      const message = messageOf(operation, subject, "", flight.last + failed());
      const place = { id, position: i + 1, isLast: i === ordered.length - 1 };
      propose(ordered.length === 1 ? encodeMessage(message) : encodeBatched({ ...place, message }));
      flight.add(operation, "");
    }
    return flight.last;
  }

  /** Its body is a copy. */
  private taken(judged: Operation): Operation {
    const operation = takenAt(judged, this.timeOf(judged));
    return this.options.interest.wants(judged.subject) ? operation : { ...operation, isUnwanted: true };
  }

  /** Times of a stream do not fall. */
  private timeOf({ timeNs }: Operation): bigint {
    const { lastTimeNs } = this.options.stream.store;
    return timeNs > lastTimeNs ? timeNs : lastTimeNs;
  }
}

/** `subject`: the one that it was published on, since each copy maps it by itself. */
function messageOf(
  { timeNs, headerLength, body, isUnwanted = false }: Operation,
  subject: string,
  reply: string,
  after: number,
): MessageOperation {
  return { after, timeNs, subject, reply, headerLength, body, isUnwanted };
}
