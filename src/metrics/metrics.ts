/**
 * Metrics for Prometheus. Nothing is loaded, counted or measured before the first scrape, and nothing between scrapes but
 * the delay of the event loop and collections of garbage.
 */
import type { Exposition } from "./exposition.ts";
import type { MetricsSource } from "./look.ts";

export type {
  AccountLook,
  ClusterLook,
  ConsumerLook,
  JetStreamLook,
  Look,
  MetricsSource,
  OpenFiles,
  StreamLook,
  TrafficLook,
} from "./look.ts";

export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

export class Metrics implements Disposable {
  private readonly source: MetricsSource;
  private readonly prefix: string;
  private exposition: Promise<Exposition> | null = null;
  private underWay: Promise<readonly string[]> | null = null;
  private isDisposed = false;

  /** `prefix` without the "_" behind it. */
  constructor(source: MetricsSource, prefix: string) {
    this.source = source;
    this.prefix = prefix;
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
    const exposition = new Exposition(this.prefix);
    if (this.isDisposed) exposition[Symbol.dispose]();
    return exposition;
  }
}
