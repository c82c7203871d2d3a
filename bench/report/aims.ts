/**
 * Where a comparison falls short of the aim: against nats-server twice its throughput and half of its processor time up to 1 KB, 1.3 times its
 * throughput above, and no percentile of requests behind; against any other reference, such as an earlier build, at most 3 % more processor
 * time. Memory has no aim.
 */
import type { Measurement, Sample } from "../measure.ts";
import { medians } from "../statistics.ts";
import { table } from "./tables.ts";

const SMALL_BYTES = 1024;
const SMALL = 2;
const LARGE = 1.3;
const CPU_TOLERANCE = 0.97;

/** A ratio above 1 is in favour of the subject. */
interface Judged {
  readonly what: string;
  readonly ratio: number;
  readonly least: number;
}

export function shortfalls(
  measurements: readonly Measurement[],
  subject: string,
  reference: string,
): readonly string[] {
  const rows = measurements.flatMap(({ workload, samples }) => {
    const [ours, theirs] = [medians(samples.get(subject)), medians(samples.get(reference))];
    if (ours === undefined || theirs === undefined || workload.kind === "hold") return [];
    const aims = reference === "nats-server" ? aimsOf(workload.kind, ours, theirs) : [cpuKept(ours, theirs)];
    return aims
      .filter(({ ratio, least }) => ratio < least)
      .map(({ what, ratio, least }) => [`\`${workload.name}\``, what, `×${ratio.toFixed(2)}`, `×${least}`]);
  });
  const title = `## Where ${subject} falls short of the aim against ${reference}`;
  return rows.length === 0
    ? [title, "Nowhere."]
    : [title, table(["workload", "figure", "ratio", "aim"], rows)];
}

function aimsOf(kind: "flow" | "request", ours: Sample, theirs: Sample): readonly Judged[] {
  const over = (key: string): number => (ours[key] ?? NaN) / (theirs[key] ?? NaN);
  if (kind === "request")
    return ["p50Us", "p99Us"].map((key) => ({ what: key.slice(0, 3), ratio: 1 / over(key), least: 1 }));
  const throughput = { what: "throughput", ratio: over("messagesPerSecond") };
  if ((ours["meanSizeBytes"] ?? 0) > SMALL_BYTES) return [{ ...throughput, least: LARGE }];
  return [
    { ...throughput, least: SMALL },
    { what: "processor time", ratio: 1 / over("cpuNsPerMessage"), least: SMALL },
  ];
}

function cpuKept(ours: Sample, theirs: Sample): Judged {
  const ratio = (theirs["cpuNsPerMessage"] ?? NaN) / (ours["cpuNsPerMessage"] ?? NaN);
  return { what: "processor time", ratio, least: CPU_TOLERANCE };
}
