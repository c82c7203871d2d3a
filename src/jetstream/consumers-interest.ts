/** The consumers of a replicated stream, as they are assigned and kept here: see group/interest.ts. */
import type { StreamAssets } from "./assets.ts";
import type { KeptConsumer } from "./cluster-consumers.ts";
import type { StreamInterest } from "./group/interest.ts";
import type { PlacedStream } from "./meta/assignments.ts";
import type { Reader } from "./stream/reader.ts";

interface ConsumersInterestOptions {
  readonly isKnown: () => boolean;
  /** undefined: the stream is being deleted. */
  readonly placed: () => PlacedStream | undefined;
  readonly kept: () => ReadonlyMap<string, KeptConsumer> | undefined;
  readonly assets: Pick<StreamAssets, "consumers">;
}

export class ConsumersInterest implements StreamInterest {
  private readonly options: ConsumersInterestOptions;

  constructor(options: ConsumersInterestOptions) {
    this.options = options;
  }

  get isKnown(): boolean {
    return this.options.placed() !== undefined && this.options.isKnown();
  }

  needs(sequence: number, subject: string): boolean {
    for (const one of this.readers()) if (one === null || one.needs(sequence, subject)) return true;
    return false;
  }

  takes(subject: string): boolean {
    for (const one of this.readers()) if (one === null || one.takes(subject)) return true;
    return false;
  }

  has(consumer: string): boolean {
    return this.options.placed()?.consumers.has(consumer) === true;
  }

  /** null: it has no copy here. */
  private *readers(): Generator<Pick<Reader, "needs" | "takes"> | null> {
    const { placed, kept, assets } = this.options;
    const here = kept();
    for (const name of placed()?.consumers.keys() ?? [])
      yield here?.get(name)?.replica ?? assets.consumers.get(name) ?? null;
  }
}
