/**
 * Metrics for Prometheus. Nothing is loaded, counted or measured before the first scrape, and nothing between scrapes but
 * the delay of the event loop and collections of garbage.
 */
import type { Exposition } from "./exposition.ts";
import type { Prefixes } from "./family.ts";
import type { MetricsSource } from "./look.ts";

export type {
  AccountLook,
  ClusterLook,
  ConsumerLook,
  JetStreamAccountLook,
  JetStreamLook,
  Look,
  MetricsSource,
  OpenFiles,
  OriginLook,
  StreamLook,
  TrafficLook,
} from "./look.ts";

export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export class Metrics implements Disposable {
  private readonly source: MetricsSource;
  private readonly prefixes: Prefixes;
  private exposition: Promise<Exposition> | null = null;
  private underWay: Promise<readonly string[]> | null = null;
  private isDisposed = false;

  constructor(source: MetricsSource, prefixes: Prefixes) {
    this.source = source;
    this.prefixes = prefixes;
  }

  /** The text of a scrape, in pieces. `pause` lets other work proceed between them. A request during a scrape gets the same text. */
  scrape(pause: () => Promise<void>): Promise<readonly string[]> {
    this.underWay ??= this.make(pause).finally(() => (this.underWay = null));
    return this.underWay;
  }

  [Symbol.dispose](): void {
    this.isDisposed = true;
    void this.exposition?.then((exposition) => exposition[Symbol.dispose]());
  }

  private async make(pause: () => Promise<void>): Promise<readonly string[]> {
    this.exposition ??= this.load();
    const exposition = await this.exposition;
    return exposition.scrape(this.source, pause);
  }

  private async load(): Promise<Exposition> {
    const { Exposition } = await import("./exposition.ts");
    const exposition = new Exposition(this.prefixes);
    if (this.isDisposed) exposition[Symbol.dispose]();
    return exposition;
  }
}
