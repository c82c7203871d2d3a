/**
 * The connection of a stream to one origin: it has a consumer made there, takes what that delivers in order, and begins again behind
 * the last message that it took when something is missing or nothing comes. Time, chance and messages come from the host; what
 * is taken goes to the intake.
 *
 *     waiting ─(time)─▶ asking ─(answer)─▶ following
 *        ▲                 │ refused, no answer  │ gap, silence, refused message
 *        └─────────────────┴─────────────────────┘
 *
 * Invariant: messages are taken in the order of their sequences there, each once. Bounded: one request and one consumer at a time.
 */
import { assert } from "../../base/assert.ts";
import { backoffDelayMs } from "../../base/backoff.ts";
import { randomToken } from "../../base/base62.ts";
import { ApiError, apiErrors } from "../api-error.ts";
import type { AccountHost, Incoming } from "../host.ts";
import type { OriginPosition } from "../stream/origin-positions.ts";
import { isFlowReply, readControl, readDelivered, type Delivered } from "./delivery.ts";
import {
  flowHeaders,
  levelBelow,
  readAnswer,
  removalRequest,
  setupRequest,
  type SetupAnswer,
  type SetupLevel,
  type SetupOptions,
} from "./setup.ts";

/** Where messages go: the mirror, or the stream that has the source. */
export interface Intake {
  /** Sequence of the last message that was taken. */
  readonly position: OriginPosition;
  /** The consumer begins behind this sequence. Returns why nothing will be taken for now; null: it will be. */
  begin(sequence: number, identity: string): ApiError | null;
  /** Throws `ApiError`: it is taken later. */
  take(message: Incoming, delivered: Delivered): void;
  /** Calls once all that was taken so far is as durable as the policy says. */
  whenDurable(call: () => void): void;
}

export interface LinkOptions extends Omit<SetupOptions, "random"> {
  readonly host: AccountHost;
  readonly intake: Intake;
}

type Made = Extract<SetupAnswer, { kind: "made" }>;

type Phase =
  | { readonly kind: "waiting" }
  | { readonly kind: "asking"; readonly inbox: Disposable }
  | { readonly kind: "following"; readonly consumer: string; readonly ear: Disposable }
  | { readonly kind: "ended" };

const RETRY = { baseMs: 1000, maxMs: 30_000, factor: 2, jitter: 0.25 };
/** Between two requests. */
const ASK_AGAIN_MS = 2000;
/** For other servers to say what they answer, after a connection to them has opened. */
const FAR_MS = 500;
const ANSWER_WAIT_MS = 30_000;
/** A consumer that is there already is only set back. */
const RESET_WAIT_MS = 5000;
/** Heartbeats come each second. */
const SILENCE_MAX_MS = 10_000;
/** Heartbeats in a row that miss the same answer. */
const STALLS_MAX = 3;

export class Link {
  readonly options: LinkOptions;
  /** Why nothing is taken; null: all is well. */
  error: ApiError | null = null;
  /** Messages at the origin that were not taken yet, as it said last. */
  lag = 0;
  /** When something was heard last, milliseconds; 0: never. */
  heardMs = 0;
  /** Sequence of the last message that was taken, or passed over. */
  sequence: number;
  private identity: string;
  private phase: Phase = { kind: "waiting" };
  private timer: Disposable | null = null;
  private failures = 0;
  private askedMs = -Infinity;
  /** Deliveries of the consumer so far. */
  private delivered = 0;
  private stalledAt = "";
  private stalls = 0;
  /** What the log says already. */
  private explained = "";

  constructor(options: LinkOptions) {
    this.options = options;
    const { sequence, identity } = options.intake.position;
    this.sequence = sequence;
    this.identity = identity;
  }

  /** Whether messages come. */
  get isFollowing(): boolean {
    return this.phase.kind === "following";
  }

  start(): void {
    this.wait(0);
  }

  /** A stream that may be the origin has come. */
  wake(): void {
    if (this.phase.kind === "waiting") this.wait(0);
  }

  /** Other servers can be reached, and will say in a moment what they answer. */
  wakeFar(): void {
    if (this.phase.kind !== "waiting") return;
    this.failures = 0;
    this.wait(FAR_MS);
  }

  /** The server stops. */
  stop(): void {
    this.leave();
    this.phase = { kind: "ended" };
  }

  /** The origin is not wanted any more: the consumer goes, unless somebody else made it. */
  dismiss(): void {
    const { phase } = this;
    const { host, origin } = this.options;
    this.stop();
    if (phase.kind !== "following" || origin.consumer !== null) return;
    const request = removalRequest(origin, phase.consumer);
    host.afterwards(() => void host.send({ ...request, reply: "" }));
  }

  // ---- asking ----

  private wait(delayMs: number): void {
    const { clock } = this.options.host;
    assert(this.phase.kind !== "ended", "a link that has ended asks for nothing");
    this.leave();
    const sinceMs = clock.nowMs() - this.askedMs;
    this.timer = clock.setTimer(Math.max(delayMs, ASK_AGAIN_MS - sinceMs), () => this.ask(5));
  }

  private ask(level: SetupLevel): void {
    const { host, origin } = this.options;
    const { clock, random } = host;
    this.leave();
    this.askedMs = clock.nowMs();
    const position = { sequence: this.sequence, identity: this.identity };
    const request = setupRequest({ ...this.options, random }, position, level);
    const reply = `$JSC.R.${randomToken(random)}`;
    const inbox = host.listen(reply, (message) => {
      const answer = readAnswer(message);
      host.afterwards(() => {
        if (this.isAsking(inbox)) this.answered(answer, level);
      });
    });
    this.phase = { kind: "asking", inbox };
    const waitMs = origin.consumer === null ? ANSWER_WAIT_MS : RESET_WAIT_MS;
    this.timer = clock.setTimer(waitMs, () => this.fail(this.setupFailed("no answer in time")));
    host.afterwards(() => {
      if (this.isAsking(inbox) && !host.send({ ...request, reply }))
        this.fail(this.setupFailed(`nobody answers requests on ${request.subject}`));
    });
  }

  private isAsking(inbox: Disposable): boolean {
    return this.phase.kind === "asking" && this.phase.inbox === inbox;
  }

  private answered(answer: SetupAnswer | null, level: SetupLevel): void {
    if (answer === null) this.fail(this.setupFailed("invalid consumer create response"));
    else if (answer.kind === "made") this.follow(answer);
    else this.refused(answer.error, level);
  }

  private refused(error: ApiError, level: SetupLevel): void {
    const { intake, kind } = this.options;
    const below = levelBelow(level, error);
    if (below !== null) {
      this.ask(below);
      return;
    }
    if (error.errorCode !== apiErrors.identityMismatch("").errorCode) {
      this.fail(error);
      return;
    }
    // A stream of this name was made again: a mirror goes on where it is, a source takes it from its beginning.
    this.identity = "";
    if (kind === "source") this.sequence = 0;
    this.report("the origin of a stream was made again", intake.position.identity);
    this.ask(level);
  }

  private fail(error: ApiError): void {
    const { host } = this.options;
    this.explain(error);
    this.failures++;
    this.wait(backoffDelayMs(RETRY, this.failures, host.random));
  }

  private setupFailed(text: string): ApiError {
    const { kind } = this.options;
    return kind === "mirror" ? apiErrors.mirrorSetupFailed(text) : apiErrors.sourceSetupFailed(text);
  }

  // ---- following ----

  private follow(made: Made): void {
    const { host, origin, kind, intake } = this.options;
    if (origin.consumer !== null && made.ackPolicy !== "flow_control") {
      this.fail(kind === "mirror" ? apiErrors.mirrorConsumerAcks() : apiErrors.sourceConsumerAcks());
      return;
    }
    this.leave();
    this.failures = 0;
    this.identity = made.identity;
    this.lag = made.pending;
    this.delivered = this.stalls = 0;
    this.stalledAt = "";
    this.heardMs = host.clock.nowMs();
    this.error = intake.begin(made.sequence, made.identity);
    if (this.error !== null) this.explain(this.error);
    this.sequence = Math.max(this.sequence, made.sequence);
    const to = origin.consumer?.deliverSubject ?? made.deliverSubject;
    const { consumer } = made;
    const ear: Disposable = host.listen(to, (message) => {
      if (this.phase.kind === "following" && this.phase.consumer === consumer)
        this.receive(message, consumer);
    });
    assert(this.timer === null && this.phase.kind === "waiting", "one request and one consumer at a time");
    this.phase = { kind: "following", consumer, ear };
    this.watch(SILENCE_MAX_MS);
  }

  private watch(delayMs: number): void {
    const { clock } = this.options.host;
    this.timer = clock.setTimer(delayMs, () => {
      const leftMs = this.heardMs + SILENCE_MAX_MS - clock.nowMs();
      if (leftMs > 0) this.watch(leftMs);
      else this.wait(0);
    });
  }

  private receive(message: Incoming, consumer: string): void {
    this.heardMs = this.options.host.clock.nowMs();
    const control = readControl(message);
    if (control === null) {
      const delivered = readDelivered(message.reply);
      if (delivered?.consumer === consumer && delivered.count === 1) this.take(message, delivered);
    } else if (control.kind === "question") this.answerFlow(control.reply);
    else if (control.kind === "over") this.wait(0);
    else if (control.lastConsumer > 0 && control.lastConsumer !== this.delivered) this.wait(0);
    else if (control.stalledAt !== "") this.stalled(control.stalledAt);
    else this.flows();
  }

  private take(message: Incoming, delivered: Delivered): void {
    const { intake } = this.options;
    const { consumerSequence, sequence, pending } = delivered;
    if (consumerSequence <= this.delivered) return;
    if (consumerSequence !== this.delivered + 1) {
      this.wait(0); // some are missing
      return;
    }
    if (sequence > this.sequence) {
      try {
        intake.take(message, delivered);
        assert(this.delivered + 1 === consumerSequence, "messages are taken in order, each once");
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        this.explain(error);
        this.wait(ASK_AGAIN_MS);
        return;
      }
      this.sequence = sequence;
    }
    this.delivered = consumerSequence;
    this.lag = pending;
    this.error = null;
    this.explained = "";
    this.flows();
  }

  private answerFlow(reply: string): void {
    const { host, intake } = this.options;
    if (!isFlowReply(reply)) return;
    const headers = flowHeaders(this.delivered, this.sequence);
    intake.whenDurable(() => void host.send({ subject: reply, reply: "", headers, payload: "" }));
  }

  /** The origin waits for an answer that was given, or got lost. */
  private stalled(reply: string): void {
    this.stalls = reply === this.stalledAt ? this.stalls + 1 : 1;
    this.stalledAt = reply;
    if (this.stalls === STALLS_MAX) {
      this.error = apiErrors.originStalled();
      this.report("an origin does not get answers to its flow control", "");
    }
    this.answerFlow(reply);
  }

  private flows(): void {
    if (this.stalledAt === "") return;
    this.stalledAt = "";
    if (this.error?.errorCode === apiErrors.originStalled().errorCode) this.error = null;
  }

  /** Nothing is heard from here on. It may be called while a message is being delivered. */
  private leave(): void {
    const { phase } = this;
    this.timer?.[Symbol.dispose]();
    this.timer = null;
    this.phase = { kind: "waiting" };
    const ear = phase.kind === "asking" ? phase.inbox : phase.kind === "following" ? phase.ear : null;
    if (ear !== null) this.options.host.afterwards(() => ear[Symbol.dispose]());
  }

  private explain(error: ApiError): void {
    this.error = error;
    if (this.explained === error.message) return;
    this.explained = error.message;
    this.report("a stream takes nothing from its origin", error.message);
  }

  private report(text: string, detail: string): void {
    const { host, origin, asker } = this.options;
    host.logger.warn(text, { account: host.name, stream: asker.stream, origin: origin.name, detail });
  }
}
