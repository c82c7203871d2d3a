/**
 * A stream as it will be once the messages of a batch are stored: what is judged of each sees those before it. Nothing is stored here.
 */
import type { RecordView } from "../../store/record.ts";
import { subjectMatches } from "../../subject/subject.ts";
import { apiErrors } from "../api-error.ts";
import type { MessageHeaders } from "../headers.ts";
import type { JudgedStream, Operation } from "./judge.ts";
import type { JudgedStore } from "./judged-store.ts";

export class StagedStream implements JudgedStream {
  readonly operations: Operation[] = [];
  readonly store: JudgedStore;
  private readonly stream: JudgedStream;
  private readonly subjects = new Map<string, { count: number; last: number }>();
  private readonly ids = new Set<string>();

  constructor(stream: JudgedStream, store: JudgedStore) {
    this.stream = stream;
    this.store = new StagedStore(store, this.operations, this.subjects);
  }

  get config(): JudgedStream["config"] {
    return this.stream.config;
  }
  get duplicates(): JudgedStream["duplicates"] {
    return this.stream.duplicates;
  }
  get lastId(): string | null {
    return this.stream.lastId;
  }
  get problem(): string {
    return this.stream.problem;
  }
  get host(): JudgedStream["host"] {
    return this.stream.host;
  }

  /** What a message of a batch may not ask for, beside what is judged of each. Throws `ApiError`. */
  check(headers: MessageHeaders, subject: string): void {
    if (isSet(headers, "Nats-Expected-Last-Msg-Id"))
      throw apiErrors.batchHeaderUnsupported("Nats-Expected-Last-Msg-Id");
    const id = headers.get("Nats-Msg-Id") ?? "";
    if (id !== "" && this.ids.has(id)) throw apiErrors.batchDuplicate();
    if (isSet(headers, "Nats-Expected-Last-Sequence") && this.operations.length > 0)
      throw apiErrors.wrongLastSequenceInFlight();
    if (isSet(headers, "Nats-Expected-Last-Subject-Sequence")) {
      const pattern = headers.get("Nats-Expected-Last-Subject-Sequence-Subject") ?? "";
      if (this.subjects.has(pattern === "" ? subject : pattern)) throw apiErrors.wrongLastSequenceInFlight();
    }
    const rollup = (headers.get("Nats-Rollup") ?? "").toLowerCase();
    if (rollup === "sub" && this.subjects.has(subject))
      throw apiErrors.rollupFailed("batch rollup sub invalid");
    if (rollup === "all" && this.operations.length > 0)
      throw apiErrors.rollupFailed("batch rollup all invalid");
  }

  add(operation: Operation): void {
    const { subject, id } = operation;
    this.operations.push(operation);
    const there = this.subjects.get(subject);
    this.subjects.set(subject, { count: (there?.count ?? 0) + 1, last: this.operations.length });
    if (id !== null) this.ids.add(id);
  }
}

/** Sequences beyond the last are those of staged messages, in order. */
class StagedStore implements JudgedStore {
  private readonly store: JudgedStore;
  private readonly operations: readonly Operation[];
  private readonly subjects: ReadonlyMap<string, { count: number; last: number }>;

  constructor(
    store: JudgedStore,
    operations: readonly Operation[],
    subjects: ReadonlyMap<string, { count: number; last: number }>,
  ) {
    this.store = store;
    this.operations = operations;
    this.subjects = subjects;
  }

  get last(): number {
    return this.store.last + this.operations.length;
  }
  get messages(): number {
    return this.store.messages + this.operations.length;
  }
  get bytes(): number {
    return this.operations.reduce((sum, one) => sum + this.store.bytesFor(one), this.store.bytes);
  }
  bytesFor(message: Parameters<JudgedStore["bytesFor"]>[0]): number {
    return this.store.bytesFor(message);
  }
  bytesOf(sequence: number): number {
    return this.store.bytesOf(sequence);
  }
  firstOf(subject: string): number {
    return this.store.firstOf(subject);
  }
  countOf(subject: string): number {
    return this.store.countOf(subject) + (this.subjects.get(subject)?.count ?? 0);
  }
  lastOf(subject: string): number {
    const staged = this.subjects.get(subject);
    return staged === undefined ? this.store.lastOf(subject) : this.store.last + staged.last;
  }
  lastMatching(pattern: string): number {
    let last = 0;
    for (const [subject, staged] of this.subjects)
      if (subjectMatches(pattern, subject)) last = Math.max(last, staged.last);
    return last === 0 ? this.store.lastMatching(pattern) : this.store.last + last;
  }
  read(sequence: number): Pick<RecordView, "body" | "headerLength"> | null {
    const staged = this.operations[sequence - this.store.last - 1];
    if (staged === undefined) return this.store.read(sequence);
    const { body, headerLength } = staged;
    return { body: Buffer.from(body.buffer, body.byteOffset, body.length), headerLength };
  }
}

function isSet(headers: MessageHeaders, name: string): boolean {
  return (headers.get(name) ?? "") !== "";
}
