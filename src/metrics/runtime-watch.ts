/** Measures what only shows over time: how late the event loop is, and how long collections of garbage take. */
import { constants, PerformanceObserver, type PerformanceEntry } from "node:perf_hooks";
import { Histogram, type Registry } from "prom-client";

/** How often the event loop is asked: a delay shorter than this may go unseen. */
const STEP_MS = 20;
const DELAY_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
const COLLECTION_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5];

const KINDS: ReadonlyMap<unknown, string> = new Map([
  [constants.NODE_PERFORMANCE_GC_MAJOR, "major"],
  [constants.NODE_PERFORMANCE_GC_MINOR, "minor"],
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL, "incremental"],
  [constants.NODE_PERFORMANCE_GC_WEAKCB, "weakcb"],
]);

export class RuntimeWatch implements Disposable {
  private readonly delay: Histogram;
  private readonly collections: Histogram<"kind">;
  private readonly observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) this.collected(entry);
  });
  private dueMs = performance.now() + STEP_MS;
  private readonly timer = setTimeout(() => this.tick(), STEP_MS).unref();

  constructor(registry: Registry) {
    this.delay = new Histogram({
      name: "nodejs_eventloop_delay_seconds",
      help: "How late the event loop came to a timer, asked every 20 ms.",
      buckets: DELAY_BUCKETS,
      registers: [registry],
    });
    this.collections = new Histogram({
      name: "nodejs_gc_duration_seconds",
      help: "Collections of garbage, by kind.",
      labelNames: ["kind"],
      buckets: COLLECTION_BUCKETS,
      registers: [registry],
    });
    for (const kind of KINDS.values()) this.collections.zero({ kind });
    this.observer.observe({ entryTypes: ["gc"] });
  }

  [Symbol.dispose](): void {
    clearTimeout(this.timer);
    this.observer.disconnect();
  }

  private tick(): void {
    const nowMs = performance.now();
    this.delay.observe(Math.max(0, nowMs - this.dueMs) / 1000);
    this.dueMs = nowMs + STEP_MS;
    this.timer.refresh();
  }

  private collected(entry: PerformanceEntry): void {
    const { detail } = entry as PerformanceEntry & { readonly detail?: { readonly kind?: unknown } };
    this.collections.observe({ kind: KINDS.get(detail?.kind) ?? "other" }, entry.duration / 1000);
  }
}
