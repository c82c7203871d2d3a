/**
 * Dead letters: a message that was delivered as often as it may be, or that a client terminated, is published elsewhere before the
 * consumer gives it up. `shoal.dead_letter` in the metadata of the consumer names where: a stream of the account, which takes the
 * message under its own subject, or a subject.
 *
 *     due or terminated ─▶ queue ─▶ published ─▶ the stream there confirms that it keeps it ─▶ given up here
 *                            ▲                        │ refused, or nobody answers
 *                            └── after RETRY_MS ──────┘
 *
 * Invariant: what has not been confirmed stays pending here, so that a kill at any moment loses nothing. The same message has the same
 * id at each attempt: within its duplicate window the other stream keeps it once. Bounded by what is pending.
 */
import { assert } from "../../base/assert.ts";
import { randomToken } from "../../base/base62.ts";
import { parseJson } from "../../base/json.ts";
import type { ConsumerEntry } from "../../store/consumer-entries.ts";
import type { RecordView } from "../../store/record.ts";
import { withHeader, withoutPrefix } from "../header-edits.ts";
import { payloadOf, type AccountHost, type Incoming } from "../host.ts";
import { formatTime } from "../time.ts";
import type { Commit } from "../stream/commit.ts";
import type { StreamConfig } from "../stream/config.ts";
import type { Journal } from "./journal.ts";
import { DEAD_LETTER, type ConsumerConfig } from "./config.ts";
import type { Redelivery } from "./redelivery.ts";
import { ConsumerState } from "./state.ts";

/** A letter that is not confirmed within this time is published again. */
const RETRY_MS = 5000;
/** Messages that are published and not confirmed, of one consumer. */
const IN_FLIGHT_MAX = 256;
const DESCRIPTION_MAX = 1024;

interface Letter {
  readonly why: "max_deliver" | "terminated";
  /** What the client said when it terminated the message. */
  readonly description: string;
  /** Subjects that are told when the termination counts. */
  readonly replies: string[];
}

/** What became of the letters of an account since the start. */
export interface DeadLetterCounts {
  /** Letters that are kept elsewhere now: of messages that were delivered as often as they may be, and of those that clients terminated. */
  exhausted: number;
  terminated: number;
  /** Attempts that nobody took, or that were refused. */
  refused: number;
}

export function newDeadLetterCounts(): DeadLetterCounts {
  return { exhausted: 0, terminated: 0, refused: 0 };
}

/** undefined: the account has no such stream. */
export type StreamNamed = (
  name: string,
) => { readonly config: StreamConfig; receive(message: Incoming): void } | undefined;

interface DeadLettersHost {
  readonly account: AccountHost;
  readonly state: ConsumerState;
  readonly again: Redelivery;
  /** Name and time of creation of the stream, and its messages. */
  readonly stream: {
    readonly config: { readonly name: string };
    readonly created: string;
    readonly store: { read(sequence: number): RecordView | null };
  };
  readonly config: () => ConsumerConfig;
  readonly streamNamed: StreamNamed;
  readonly counts: DeadLetterCounts;
  readonly note: (entry: ConsumerEntry) => void;
  readonly settled: (sequence: number) => void;
  /** Tells that a message is not delivered again. */
  readonly advise: (sequence: number, why: Letter["why"], description: string) => void;
  /** Answers once the state of the consumer is durable. */
  readonly confirm: (reply: string) => void;
  readonly wake: () => void;
}

interface Owner {
  readonly parts: {
    readonly state: ConsumerState;
    readonly stream: DeadLettersHost["stream"] & { settled(sequence: number): void };
    readonly host: AccountHost;
  };
  readonly config: ConsumerConfig;
  readonly acks: {
    terminated(sequence: number, reason: string): void;
    exhausted(sequence: number): void;
  };
  readonly commit: Commit;
  wake(): void;
}

export function deadLettersOf(
  owner: Owner,
  again: Redelivery,
  journal: Journal,
  { streamNamed, deadLetters }: { readonly streamNamed: StreamNamed; readonly deadLetters: DeadLetterCounts },
): DeadLetters {
  const { state, stream, host } = owner.parts;
  return new DeadLetters({
    account: host,
    state,
    again,
    stream,
    streamNamed,
    counts: deadLetters,
    config: () => owner.config,
    note: (entry) => journal.note(entry),
    settled: (sequence) => stream.settled(sequence),
    advise: (sequence, why, description) =>
      why === "terminated" ? owner.acks.terminated(sequence, description) : owner.acks.exhausted(sequence),
    confirm: (reply) => owner.commit.hold({ reply, payload: "" }),
    wake: () => owner.wake(),
  });
}

export class DeadLetters {
  /** Not all that is due has been looked at. */
  hasMore = false;
  private readonly host: DeadLettersHost;
  private readonly letters = new Map<number, Letter>();
  private readonly inFlight = new Set<number>();
  private readonly queue = new Set<number>();
  private inbox = "";
  private listener: Disposable | null = null;

  constructor(host: DeadLettersHost) {
    this.host = host;
  }

  /** Where they go; "": nowhere. */
  get target(): string {
    return this.host.config().metadata[DEAD_LETTER] ?? "";
  }

  get isOn(): boolean {
    return this.target !== "";
  }

  stop(): void {
    this.listener?.[Symbol.dispose]();
    this.listener = null;
    this.clear();
  }

  clear(): void {
    this.letters.clear();
    this.inFlight.clear();
    this.queue.clear();
    this.hasMore = false;
  }

  /** A client terminates a message that is pending. */
  terminate(sequence: number, description: string, reply: string): void {
    const letter = this.letters.get(sequence);
    if (letter === undefined) {
      this.letters.set(sequence, { why: "terminated", description, replies: reply === "" ? [] : [reply] });
      this.enqueue(sequence);
    } else if (reply !== "") letter.replies.push(reply);
    this.host.wake();
  }

  /** True: the message was delivered as often as it may be, or terminated; it leaves by here. */
  takes(sequence: number): boolean {
    const { state } = this.host;
    const { maxDeliver } = this.host.config();
    const count = state.pending.get(sequence)?.count ?? 0;
    const isExhausted = maxDeliver > 0 && count >= maxDeliver;
    if (!this.letters.has(sequence)) {
      if (!isExhausted) return false;
      this.letters.set(sequence, { why: "max_deliver", description: "", replies: [] });
    }
    this.enqueue(sequence);
    return true;
  }

  /** Takes what is due and leaves, and publishes what waits. Must not be called while a message is being delivered. */
  work(): void {
    const { again } = this.host;
    this.hasMore = again.size > 0 && again.removeWhere((sequence) => this.takes(sequence)) === "more";
    for (const sequence of this.queue) {
      if (this.inFlight.size >= IN_FLIGHT_MAX) return;
      this.queue.delete(sequence);
      this.publish(sequence);
    }
  }

  /** It is tried now, and again when its time is over. */
  private enqueue(sequence: number): void {
    const { state, again, account, note } = this.host;
    const count = state.pending.get(sequence)?.count ?? 1;
    again.remove(sequence);
    note(ConsumerState.later(sequence, account.clock.nowMs() + RETRY_MS - again.waitMs(count)));
    this.inFlight.delete(sequence);
    this.queue.add(sequence);
  }

  private publish(sequence: number): void {
    const { state, stream } = this.host;
    const letter = this.letters.get(sequence);
    if (letter === undefined || !state.pending.has(sequence)) {
      this.letters.delete(sequence); // it has been acknowledged, or is gone
      for (const reply of letter?.replies ?? []) this.host.confirm(reply);
      return;
    }
    const view = stream.store.read(sequence);
    if (view === null) return; // it is gone, of which the consumer hears in another way
    this.inFlight.add(sequence);
    assert(this.inFlight.size <= IN_FLIGHT_MAX, "letters under way stay within their bound");
    const headers = this.headersOf(view, letter);
    const payload = Buffer.from(view.payload);
    if (this.send(view.subject, headers, payload, this.inboxFor(sequence))) return;
    this.inFlight.delete(sequence);
    this.complain(sequence, "no stream takes it");
  }

  /** False: nobody takes it. */
  private send(subject: string, headers: string, payload: Buffer, reply: string): boolean {
    const { account, streamNamed } = this.host;
    const { target } = this;
    const stream = streamNamed(target);
    if (stream !== undefined) {
      if (stream.config.mirror !== null || stream.config.noAck) return false;
      const body = Buffer.concat([Buffer.from(headers, "latin1"), payload]);
      stream.receive({ subject, reply, headerLength: headers.length, body });
      return true;
    }
    return account.isAwaited(target) && account.send({ subject: target, reply, headers, payload });
  }

  /** The message's own, without those that a stream acts on, and where it comes from. */
  private headersOf(view: RecordView, { why, description }: Letter): string {
    const { state, stream, config } = this.host;
    const { sequence, timeNs, subject } = view;
    const from: readonly (readonly [string, string | number])[] = [
      ["Stream", stream.config.name],
      ["Consumer", config().name],
      ["Sequence", sequence],
      ["Subject", subject],
      ["Time", formatTime(timeNs)],
      ["Deliveries", state.pending.get(sequence)?.count ?? 0],
      ["Reason", why],
      ...(description === "" ? [] : ([["Description", description]] as const)),
    ];
    const id = `${stream.config.name}.${config().name}.${sequence}.${timeNs}`;
    const own = withoutPrefix(withoutPrefix(view.headers, "Nats-"), "Shoal-Dead-Letter-");
    return from.reduce(
      (block, [name, value]) => withHeader(block, `Shoal-Dead-Letter-${name}`, oneLine(String(value))),
      withHeader(own, "Nats-Msg-Id", id),
    );
  }

  private inboxFor(sequence: number): string {
    const { account } = this.host;
    if (this.listener === null) {
      this.inbox = `_INBOX.${randomToken(account.random)}${randomToken(account.random)}`;
      this.listener = account.listen(`${this.inbox}.*`, (message) => this.answered(message));
    }
    return `${this.inbox}.${sequence}`;
  }

  /** The stream there keeps it, or says why not. */
  private answered(message: Incoming): void {
    const sequence = Number(message.subject.slice(this.inbox.length + 1));
    if (!this.inFlight.delete(sequence)) return;
    assert(this.letters.has(sequence), "a letter is known until it is confirmed");
    const answer = parseJson(payloadOf(message)) as { seq?: unknown; error?: unknown } | undefined;
    const isKept = answer !== undefined && answer.error === undefined && typeof answer.seq === "number";
    if (isKept) this.giveUp(sequence);
    else this.complain(sequence, payloadOf(message).slice(0, DESCRIPTION_MAX));
    this.host.wake();
  }

  private giveUp(sequence: number): void {
    const { state, account, again, counts, note, settled, advise, confirm } = this.host;
    const letter = this.letters.get(sequence);
    this.letters.delete(sequence);
    if (letter === undefined) return;
    if (letter.why === "terminated") counts.terminated++;
    else counts.exhausted++;
    if (state.pending.has(sequence)) {
      advise(sequence, letter.why, letter.description);
      again.remove(sequence);
      note(ConsumerState.giveUp(sequence, account.clock.nowMs()));
      settled(sequence);
    }
    for (const reply of letter.replies) confirm(reply);
  }

  private complain(sequence: number, why: string): void {
    const { account, stream, config, counts } = this.host;
    counts.refused++;
    account.logger.warn("a dead letter is not kept anywhere: its message stays with the consumer", {
      stream: stream.config.name,
      consumer: config().name,
      sequence,
      deadLetter: this.target,
      why,
    });
  }
}

/** As the value of a header. */
function oneLine(text: string): string {
  return text.replaceAll(/[\r\n]+/g, " ").slice(0, DESCRIPTION_MAX);
}
