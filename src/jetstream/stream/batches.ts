/** Both kinds of batches of one stream, and how a batch is judged and stored as one. */
import { assert } from "../../base/assert.ts";
import { advise } from "../advisories.ts";
import { apiErrors, type ApiError } from "../api-error.ts";
import { MessageHeaders } from "../headers.ts";
import type { Incoming } from "../host.ts";
import { AtomicBatches } from "./atomic-batches.ts";
import { FastBatches } from "./fast-batches.ts";
import { Judge, type JudgedStream, type Operation } from "./judge.ts";
import type { StreamOptions } from "./stream-options.ts";
import { StagedStream } from "./staged.ts";

export interface BatchesHost {
  readonly stream: JudgedStream;
  readonly judgement: Judge;
  /** The stream's. */
  readonly options: Pick<StreamOptions, "level" | "room" | "budgets">;
  apply(operation: Operation, message: Incoming): number;
  /** Stores all of them, or none. Returns the last sequence. Throws `ApiError`. */
  applyBatch(operations: readonly Operation[], messages: readonly Incoming[]): number;
  answer(message: Incoming, payload: string): void;
  refuse(message: Incoming, error: ApiError): void;
  ackHead(sequence: number): string;
}

export class Batches {
  readonly atomic: AtomicBatches;
  readonly fast: FastBatches;
  private readonly host: BatchesHost;

  constructor(host: BatchesHost) {
    const { stream } = host;
    const { level, budgets } = host.options;
    const { limits } = budgets;
    const { clock } = stream.host;
    this.host = host;
    this.atomic = new AtomicBatches({
      clock,
      level,
      limits,
      budget: budgets.atomic,
      isAllowed: () => stream.config.allowAtomic,
      store: (messages) => this.storeAll(messages),
      abandoned: (id, reason) => {
        const { name } = stream.config;
        const fields = { stream: name, batch: id, reason };
        advise(stream.host, `STREAM.BATCH_ABANDONED.${name}`, "stream_batch_abandoned", fields);
      },
    });
    this.fast = new FastBatches({
      clock,
      level,
      limits,
      budget: budgets.fast,
      check: (message) => this.checkFast(message),
      store: (message) => this.storeOne(message),
      answer: (message, payload) => host.answer(message, payload),
      refuse: (message, error) => host.refuse(message, error),
      ackHead: (sequence) => host.ackHead(sequence),
    });
  }

  /** A message with the headers of an atomic batch. Throws `ApiError`. */
  take(message: Incoming, headers: MessageHeaders): void {
    const { host } = this;
    const taken = this.atomic.take(message, headers);
    host.answer(message, taken.kind === "held" ? "" : `${host.ackHead(taken.sequence)}${taken.more}`);
  }

  stop(): void {
    this.atomic.stop();
    this.fast.stop();
  }

  private storeAll(messages: readonly Incoming[]): number {
    const { stream } = this.host;
    const staged = new StagedStream(stream, stream.store);
    const judge = new Judge(staged, this.host.options.room);
    for (const message of messages) {
      const subject = judge.subjectOf(message.subject);
      staged.check(MessageHeaders.of(message.body, message.headerLength), subject);
      const operation = judge.judge(message, "batched");
      if (typeof operation === "number") throw apiErrors.batchDuplicate();
      assert(!(operation instanceof MessageHeaders), "a message of a batch is judged by itself");
      staged.add(operation);
    }
    return this.host.applyBatch(staged.operations, messages);
  }

  private checkFast({ body }: Incoming): void {
    const { config, problem } = this.host.stream;
    if (problem !== "") throw apiErrors.insufficientStorage();
    if (config.sealed) throw apiErrors.sealed();
    if (config.maxMessageBytes >= 0 && body.length > config.maxMessageBytes)
      throw apiErrors.messageTooLarge();
    if (!config.allowBatched) throw apiErrors.fastDisabled();
  }

  private storeOne(message: Incoming): { sequence: number; kind: "stored" | "duplicate" } {
    const operation = this.host.judgement.judge(message, "batched");
    if (typeof operation === "number") return { sequence: operation, kind: "duplicate" };
    assert(!(operation instanceof MessageHeaders), "a message of a batch is judged by itself");
    return { sequence: this.host.apply(operation, message), kind: "stored" };
  }
}
