/**
 * What clients of a chaos run did and were told, and what the servers hold in the end. Plain values: checker.ts judges them.
 * Times are milliseconds of one clock of this process.
 */

/** A message with an id of its own, sent again with the same id until it is acknowledged. */
export interface Publish {
  readonly id: string;
  readonly stream: string;
  readonly startMs: number;
  /** When the acknowledgement came, and the sequence that it named; absent: nobody knows whether the message is stored. */
  acknowledged?: { readonly atMs: number; readonly seq: number };
}

/** One attempt to change a key, if its revision is still the expected one. It is never repeated. */
export interface Put {
  readonly id: string;
  readonly key: string;
  /** 0: the key is to be new. */
  readonly expected: number;
  readonly startMs: number;
  acknowledged?: { readonly atMs: number; readonly seq: number };
}

export interface Delivery {
  readonly consumer: string;
  readonly stream: string;
  readonly seq: number;
  readonly id: string;
  readonly atMs: number;
  /** When the server confirmed the acknowledgement of this delivery. */
  confirmedMs?: number;
}

/** A message as one server has it. */
export interface Stored {
  readonly seq: number;
  readonly subject: string;
  readonly id: string;
  readonly text: string;
  readonly time: string;
}

/** All that one server has of a stream. */
export interface Copy {
  readonly stream: string;
  readonly server: string;
  readonly lastSeq: number;
  readonly messages: readonly Stored[];
}

/** Bounds the memory of a run. */
const RECORDS_MAX = 1_000_000;

export class History {
  readonly publishes: Publish[] = [];
  readonly puts: Put[] = [];
  readonly deliveries: Delivery[] = [];

  publish(id: string, stream: string): Publish {
    return this.record(this.publishes, { id, stream, startMs: performance.now() });
  }

  put(id: string, key: string, expected: number): Put {
    return this.record(this.puts, { id, key, expected, startMs: performance.now() });
  }

  deliver(delivery: Omit<Delivery, "atMs">): Delivery {
    return this.record(this.deliveries, { ...delivery, atMs: performance.now() });
  }

  /** Counts the acknowledged messages of a stream. */
  acknowledged(stream: string): number {
    return this.publishes.filter((one) => one.stream === stream && one.acknowledged !== undefined).length;
  }

  private record<T>(all: T[], one: T): T {
    if (all.length >= RECORDS_MAX) throw new Error(`the run has more than ${RECORDS_MAX} records of a kind`);
    all.push(one);
    return one;
  }
}
