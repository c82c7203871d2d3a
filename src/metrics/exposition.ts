/** The registry of prom-client, filled from the catalogues at each scrape. Loaded at the first one. */
import { Gauge, Histogram, Registry, type MetricObjectWithValues, type MetricValue } from "prom-client";
import { documentFamilies, exporterFamilies } from "./exporter.ts";
import { fullName, type Family, type Prefixes } from "./family.ts";
import type { Look, MetricsSource } from "./look.ts";
import { jetStreamFamilies } from "./jetstream.ts";
import { ownFamilies } from "./own.ts";
import { processFamilies } from "./process.ts";
import { RuntimeWatch } from "./runtime-watch.ts";

/** Families and series that are written in one turn. */
const FAMILIES_AT_A_TIME = 32;
const SERIES_AT_A_TIME = 500;
const KIB = 1024;
const PENDING_BUCKETS = [
  0,
  KIB,
  8 * KIB,
  64 * KIB,
  256 * KIB,
  KIB * KIB,
  4 * KIB * KIB,
  16 * KIB * KIB,
  64 * KIB * KIB,
];

export class Exposition implements Disposable {
  private readonly registry = new Registry();
  private readonly readings = new Map<string, Reading>();
  private readonly pendingBytes: Histogram;
  private readonly runtime = new RuntimeWatch(this.registry);
  private readonly prefixes: Prefixes;

  constructor(prefixes: Prefixes) {
    this.prefixes = prefixes;
    this.pendingBytes = new Histogram({
      name: `${prefixes.own}_client_pending_bytes`,
      help: "Bytes pending for client connections: each is observed once for each scrape.",
      buckets: PENDING_BUCKETS,
      registers: [this.registry],
    });
  }

  async scrape(source: MetricsSource, pause: () => Promise<void>): Promise<string[]> {
    await this.fill(source.look(), pause);
    await pause();
    const names = this.registry.getMetricsAsArray().map(({ name }) => name);
    const pieces: string[] = [];
    for (let from = 0; from < names.length;) {
      const to = this.pieceEnd(names, from);
      const texts = names.slice(from, to).map((name) => this.textOf(name));
      pieces.push((await Promise.all(texts)).join(""));
      await pause();
      from = to;
    }
    return pieces;
  }

  /** Where the piece of one turn ends that begins there. */
  private pieceEnd(names: readonly string[], from: number): number {
    let series = 0;
    for (let to = from; to < Math.min(names.length, from + FAMILIES_AT_A_TIME); to++) {
      series += this.readings.get(names[to]!)?.series ?? 1;
      if (series > SERIES_AT_A_TIME) return Math.max(to, from + 1);
    }
    return Math.min(names.length, from + FAMILIES_AT_A_TIME);
  }

  private async textOf(name: string): Promise<string> {
    return `${await this.registry.getSingleMetricAsString(name)}\n`;
  }

  [Symbol.dispose](): void {
    this.runtime[Symbol.dispose]();
  }

  private async fill(look: Look, pause: () => Promise<void>): Promise<void> {
    for (const reading of this.readings.values()) reading.clear();
    const families = [...exporterFamilies, ...documentFamilies(look), ...ownFamilies, ...processFamilies];
    for (const family of families) this.reading(family).take(family, look);
    for (const family of look.jetStream === null ? [] : jetStreamFamilies) {
      const reading = this.reading(family);
      reading.take(family, look);
      if (reading.series >= SERIES_AT_A_TIME) await pause();
    }
    for (const bytes of look.clients.pendingBytes) this.pendingBytes.observe(bytes);
  }

  private reading(family: Family): Reading {
    const name = fullName(family, this.prefixes);
    let reading = this.readings.get(name);
    if (reading === undefined) this.readings.set(name, (reading = new Reading(name, family, this.registry)));
    return reading;
  }
}

/** Figures that are counted elsewhere, of whatever type they are. */
class Reading extends Gauge {
  private readonly shownType: Family["type"];
  private readonly isLabelled: boolean;
  /** How many it has at present. */
  series = 0;

  constructor(name: string, { help, labels, type }: Family, registry: Registry) {
    super({ name, help, labelNames: [...labels], registers: [registry] });
    this.shownType = type;
    this.isLabelled = labels.length > 0;
  }

  /** Without labels a `reset` would leave a 0. */
  clear(): void {
    this.reset();
    if (!this.isLabelled) this.remove();
  }

  take({ labels, samples }: Family, look: Look): void {
    this.clear();
    this.series = 0;
    for (const [value, ...texts] of samples(look)) {
      this.series++;
      this.set(Object.fromEntries(labels.map((label, i) => [label, texts[i] ?? ""])), value);
    }
  }

  override async get(): Promise<MetricObjectWithValues<MetricValue<string>>> {
    return { ...(await super.get()), type: this.shownType as never };
  }
}
