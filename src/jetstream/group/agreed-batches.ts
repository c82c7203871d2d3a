/**
 * Messages of atomic batches, as a copy of a stream finds them in the log: they wait until the last one is agreed on. A batch whose leader
 * was replaced before that has no end: another operation follows, and nothing of it is stored.
 *
 * Bounded by the largest batch that a leader takes.
 */
import { decodeBatched, type MessageOperation } from "./operations.ts";

export class AgreedBatches {
  private id = "";
  private messages: MessageOperation[] = [];
  private raw: Uint8Array[] = [];

  /** A batch has begun, and not ended. */
  get isOpen(): boolean {
    return this.raw.length > 0;
  }

  /** The batch that was begun has no end. */
  drop(): void {
    this.messages = [];
    this.raw = [];
  }

  /** All of it, once it is whole; null: there is more to come. undefined: it cannot be read. */
  take(data: Uint8Array): AgreedBatch | null | undefined {
    const batched = decodeBatched(data);
    if (batched === undefined) return undefined;
    const { id, position, isLast, message } = batched;
    if (id !== this.id || position === 1) this.drop();
    this.id = id;
    this.messages.push(message);
    this.raw.push(data);
    if (!isLast) return null;
    const { messages, raw } = this;
    this.drop();
    return { messages, raw };
  }
}

export interface AgreedBatch {
  /** In order. Those at the beginning may be missing, where they have come another way. */
  readonly messages: readonly MessageOperation[];
  /** As the log has them. */
  readonly raw: readonly Uint8Array[];
}
