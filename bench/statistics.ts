/** Samples -> medians, spreads and ratios. Pure. */
import type { Measurement, Sample } from "./measure.ts";

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const lower = sorted[Math.ceil(sorted.length / 2) - 1] ?? Number.NaN;
  return (lower + upper) / 2;
}

/** Median of every number that the samples carry; undefined without samples. */
export function medians(samples: readonly Sample[] | undefined): Sample | undefined {
  const [first] = samples ?? [];
  if (samples === undefined || first === undefined) return undefined;
  return Object.fromEntries(
    Object.keys(first).map((key) => [key, median(samples.map((sample) => sample[key] ?? Number.NaN))]),
  );
}

/** Half the distance between the slowest and the fastest run, as a share of the median. */
export function spread(samples: readonly Sample[], key: string): number {
  const values = samples.map((sample) => sample[key] ?? Number.NaN);
  return (Math.max(...values) - Math.min(...values)) / 2 / median(values);
}

export interface Ratios {
  /** Above 1: the subject moves more messages than the reference. */
  readonly throughput: number;
  /** Above 1: the subject needs less processor time per message than the reference. */
  readonly cpu: number;
}

/** How the subject does against the reference; undefined where one of them has no result. */
export function ratios(measurement: Measurement, subject: string, reference: string): Ratios | undefined {
  const ours = medians(measurement.samples.get(subject));
  const theirs = medians(measurement.samples.get(reference));
  if (!ours || !theirs) return undefined;
  const quotient = (over: Sample, under: Sample, key: string): number =>
    (over[key] ?? NaN) / (under[key] ?? NaN);
  return {
    throughput: quotient(ours, theirs, "messagesPerSecond"),
    cpu: quotient(theirs, ours, "cpuNsPerMessage"),
  };
}
