/** Limits that hold for all accounts of the server, and what is used of those that all of them share. */
import { assert } from "../base/assert.ts";

export interface ServerLimits {
  /** The most that a consumer may have as its `max_ack_pending`; 0: no limit. */
  readonly maxAckPending: number;
  /** The most messages of one pull; 0: no limit. */
  readonly maxRequestBatch: number;
  /** Consumers of a stream where neither it nor its account says how many; 0: no limit. */
  readonly defaultMaxConsumers: number;
  /** The longest duplicate window of a stream; 0: no limit. */
  readonly duplicateWindowNs: number;
  readonly batches: BatchLimits;
  /** Requests of an account that may wait. */
  readonly requests: number;
  /** The same for requests that only ask for information. */
  readonly infoRequests: number;
}

export interface BatchLimits {
  readonly atomic: OpenBatches;
  readonly fast: OpenBatches;
  /** Messages of an atomic batch. */
  readonly messages: number;
  /** How long a batch may be silent. */
  readonly silenceMs: number;
}

/** Batches that may be open at a time. */
interface OpenBatches {
  readonly perStream: number;
  readonly total: number;
}

export const DEFAULT_SERVER_LIMITS: ServerLimits = {
  maxAckPending: 0,
  maxRequestBatch: 0,
  defaultMaxConsumers: 1000,
  duplicateWindowNs: 0,
  batches: {
    atomic: { perStream: 50, total: 1000 },
    fast: { perStream: 1000, total: 50_000 },
    messages: 1000,
    silenceMs: 10_000,
  },
  requests: 10_000,
  infoRequests: 10_000,
};

/** The batches of all streams. */
export class BatchBudgets {
  readonly limits: BatchLimits;
  readonly atomic: BatchBudget;
  readonly fast: BatchBudget;

  constructor(limits: BatchLimits) {
    this.limits = limits;
    this.atomic = new BatchBudget(limits.atomic);
    this.fast = new BatchBudget(limits.fast);
  }
}

/** The batches of one kind that are open in all streams. */
export class BatchBudget {
  readonly limits: OpenBatches;
  private open = 0;

  constructor(limits: OpenBatches) {
    this.limits = limits;
  }

  /** Whether a stream that has so many may open one more. */
  hasRoom(ofStream: number): boolean {
    return ofStream < this.limits.perStream && this.open < this.limits.total;
  }

  opened(): void {
    this.open++;
  }

  closed(): void {
    assert(this.open > 0, "a batch that is closed was open");
    this.open--;
  }
}
