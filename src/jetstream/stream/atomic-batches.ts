/**
 * Atomic batches: messages with the same `Nats-Batch-Id` are kept in memory until the last of them commits the batch; then all are judged
 * one after the other, and stored together or not at all.
 *
 *     1, 2, 3 … without a gap ─▶ held, each answered with an empty message ─▶ commit ─▶ judged ─▶ stored ─▶ one acknowledgement
 *
 * Bounded: messages of a batch, batches of a stream, bytes of all batches of a stream, and the time between two messages.
 */
import type { Clock } from "../../base/clock.ts";
import { apiErrors } from "../api-error.ts";
import { withHeader, withoutHeader } from "../header-edits.ts";
import type { MessageHeaders } from "../headers.ts";
import type { Incoming } from "../host.ts";
import type { BatchBudget, BatchLimits } from "../server-limits.ts";

export interface AtomicBatchesHost {
  readonly clock: Clock;
  /** Level of the API. */
  readonly level: number;
  readonly limits: BatchLimits;
  /** Shared with all streams of the server. */
  readonly budget: BatchBudget;
  isAllowed(): boolean;
  /** Judges and stores all, or throws `ApiError`. Returns the last sequence. */
  store(messages: readonly Incoming[]): number;
  /** Tells whoever listens. */
  abandoned(id: string, reason: "timeout" | "large" | "incomplete" | "unsupported"): void;
}

/** `more`: what its publisher is told behind the sequence. */
type BatchAnswer =
  { readonly kind: "held" } | { readonly kind: "stored"; readonly sequence: number; readonly more: string };

interface Batch {
  readonly messages: Incoming[];
  bytes: number;
  timer: Disposable;
}

const BYTES_MAX = 128 * 1024 * 1024;
const ID_MAX = 64;

export class AtomicBatches {
  private readonly host: AtomicBatchesHost;
  private readonly batches = new Map<string, Batch>();
  private bytes = 0;

  constructor(host: AtomicBatchesHost) {
    this.host = host;
  }

  /** Takes a message that belongs to a batch. Throws `ApiError`; the batch is given up then, where there is one. */
  take(message: Incoming, headers: MessageHeaders): BatchAnswer {
    const id = headers.get("Nats-Batch-Id") ?? "";
    if (!this.host.isAllowed()) throw apiErrors.batchesDisabled();
    if (id.length > ID_MAX) throw apiErrors.batchIdInvalid();
    const text = headers.get("Nats-Batch-Sequence") ?? "";
    if (!/^\d{1,15}$/.test(text)) throw apiErrors.batchSequenceMissing();
    const sequence = Number(text);
    const commit = headers.get("Nats-Batch-Commit");
    const size = commit === "eob" ? sequence - 1 : sequence;
    const batch = this.batches.get(id) ?? this.begin(id, sequence, size);
    if (commit !== null && commit !== "1" && commit !== "eob")
      throw this.giveUp(id, apiErrors.batchCommitInvalid());
    const level = headers.get("Nats-Required-Api-Level") ?? "";
    if (level !== "" && !(Number(level) <= this.host.level)) {
      this.host.abandoned(id, "unsupported");
      throw this.giveUp(id, apiErrors.requiredApiLevel());
    }
    if (sequence !== batch.messages.length + 1 || size === 0) {
      this.host.abandoned(id, "incomplete");
      throw this.giveUp(id, apiErrors.batchIncomplete());
    }
    const most = this.host.limits.messages;
    if (size > most) {
      this.host.abandoned(id, "large");
      throw this.giveUp(id, apiErrors.batchTooLarge(most));
    }
    if (commit !== "eob") this.hold(id, batch, message);
    if (commit === null) return { kind: "held" };
    return this.commit(id, batch, commit);
  }

  stop(): void {
    for (const id of [...this.batches.keys()]) this.end(id);
  }

  private begin(id: string, sequence: number, size: number): Batch {
    const { budget, limits } = this.host;
    if (sequence !== 1)
      throw size > limits.messages ? apiErrors.batchTooLarge(limits.messages) : apiErrors.batchIncomplete();
    if (!budget.hasRoom(this.batches.size)) throw apiErrors.batchesInFlight();
    budget.opened();
    const batch: Batch = { messages: [], bytes: 0, timer: this.startTimer(id) };
    this.batches.set(id, batch);
    return batch;
  }

  /** Copies the message, since it is valid for this call alone. */
  private hold(id: string, batch: Batch, message: Incoming): void {
    const { length } = message.body;
    if (this.bytes + length > BYTES_MAX) {
      this.host.abandoned(id, "large");
      throw this.giveUp(id, apiErrors.batchesInFlight());
    }
    batch.messages.push(withoutLevel(message));
    batch.bytes += length;
    this.bytes += length;
    batch.timer[Symbol.dispose]();
    batch.timer = this.startTimer(id);
  }

  private commit(id: string, batch: Batch, commit: "1" | "eob"): BatchAnswer {
    const messages = [...batch.messages];
    this.end(id);
    if (commit === "eob") messages.push(committing(messages.pop()!));
    const sequence = this.host.store(messages);
    return { kind: "stored", sequence, more: `,"batch":${JSON.stringify(id)},"count":${messages.length}}` };
  }

  private startTimer(id: string): Disposable {
    return this.host.clock.setTimer(this.host.limits.silenceMs, () => {
      this.end(id);
      this.host.abandoned(id, "timeout");
    });
  }

  private giveUp(id: string, error: Error): Error {
    this.end(id);
    return error;
  }

  private end(id: string): void {
    const batch = this.batches.get(id);
    if (batch === undefined) return;
    batch.timer[Symbol.dispose]();
    this.bytes -= batch.bytes;
    this.batches.delete(id);
    this.host.budget.closed();
  }
}

function withoutLevel(message: Incoming): Incoming {
  const headers = headersOf(message);
  return withHeaders(message, withoutHeader(headers, "Nats-Required-Api-Level"));
}

/** The last message of a batch that was ended by another one gets the header of a commit. */
function committing(message: Incoming): Incoming {
  return withHeaders(message, withHeader(headersOf(message), "Nats-Batch-Commit", "1"));
}

function headersOf({ body, headerLength }: Incoming): string {
  return Buffer.from(body.buffer, body.byteOffset, headerLength).toString("latin1");
}

function withHeaders({ subject, reply, body, headerLength }: Incoming, headers: string): Incoming {
  const payload = body.subarray(headerLength);
  const copy = Buffer.concat([Buffer.from(headers, "latin1"), payload]);
  return { subject, reply, headerLength: headers.length, body: copy };
}
