import { describe, expect, it } from "vitest";
import { parseBenchArguments } from "../../../bench/arguments.ts";
import type { Measurement, Sample } from "../../../bench/measure.ts";
import { shortfalls } from "../../../bench/report/aims.ts";
import { ratioChart } from "../../../bench/report/chart.ts";
import { flowTable } from "../../../bench/report/tables.ts";
import { median, ratios, spread } from "../../../bench/statistics.ts";
import { selectWorkloads } from "../../../bench/workloads.ts";

function measurement(samples: Record<string, Sample[]>): Measurement {
  const [workload] = selectWorkloads("ps16");
  if (!workload) throw new Error("no workload ps16");
  return { workload, samples: new Map(Object.entries(samples)), errors: new Map(), ceiling: undefined };
}

const sample = (messagesPerSecond: number, cpuNsPerMessage: number, generatorCores = 0.2): Sample => ({
  messagesPerSecond,
  cpuNsPerMessage,
  generatorCores,
});

describe("a comparison", () => {
  it("takes the median, of two in the middle their mean", () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([9, 1, 5, 7])).toBe(6);
  });

  it("gives the spread as half the range over the median", () => {
    expect(spread([sample(80, 1), sample(100, 1), sample(120, 1)], "messagesPerSecond")).toBeCloseTo(0.2);
  });

  it("has ratios above 1 where the subject is ahead", () => {
    const result = measurement({ shoal: [sample(300, 50)], other: [sample(100, 200)] });
    expect(ratios(result, "shoal", "other")).toEqual({ throughput: 3, cpu: 4 });
    expect(ratios(result, "shoal", "absent")).toBeUndefined();
  });

  it("marks results where the generator may have set the pace", () => {
    const result = measurement({ shoal: [sample(20_000_000, 50, 0.97)], other: [sample(2_000_000, 500)] });
    const row = flowTable([result], ["shoal", "other"]).split("\n").at(-1);
    expect(row).toContain("| 20.00 M ±0% † | 2.00 M ±0% | 50 | 500 | ×10.00 | ×10.00 |");
  });

  it("says where the aim is missed, against nats-server and against an earlier build", () => {
    const small = { ...sample(150, 50), meanSizeBytes: 1024 };
    const large = { ...sample(150, 50), meanSizeBytes: 16_384 };
    const theirs = sample(100, 99);
    const against = (ours: Sample, reference: string): string =>
      shortfalls([measurement({ shoal: [ours], [reference]: [theirs] })], "shoal", reference).join("\n");
    expect(against(small, "nats-server")).toContain("| `ps16` | throughput | ×1.50 | ×2 |");
    expect(against(small, "nats-server")).toContain("| `ps16` | processor time | ×1.98 | ×2 |");
    expect(against(large, "nats-server")).toContain("Nowhere.");
    expect(against(small, "before")).toContain("Nowhere.");
    expect(against(sample(150, 110), "before")).toContain("| `ps16` | processor time | ×0.90 | ×0.97 |");
  });

  it("asks of requests that no percentile is behind", () => {
    const [workload] = selectWorkloads("rr10");
    const ours = { ...sample(100, 50), p50Us: 11, p99Us: 20 };
    const theirs = { ...sample(90, 50), p50Us: 10, p99Us: 30 };
    const samples = new Map([
      ["shoal", [ours]],
      ["nats-server", [theirs]],
    ]);
    const result: Measurement = { workload: workload!, samples, errors: new Map(), ceiling: undefined };
    const [, rows] = shortfalls([result], "shoal", "nats-server");
    expect(rows).toContain("| `rr10` | p50 | ×0.91 | ×1 |");
    expect(rows).not.toContain("p99");
  });

  it("draws longer bars for larger ratios and cuts them at the scale", () => {
    const svg = ratioChart("shoal", "a<b", [{ label: "1:1", throughput: 2, cpu: 40 }]);
    expect(svg).toContain("shoal compared with a&lt;b");
    const widths = [...svg.matchAll(/class="(?:throughput|cpu)" x="270" y="\d+" width="([\d.]+)"/g)].map(
      (m) => Number(m[1]),
    );
    expect(widths).toHaveLength(2);
    expect(widths[1]).toBeCloseTo((widths[0] ?? 0) * 6, 0);
    expect(svg).toContain(">40.00<");
  });
});

describe("the bench command line", () => {
  it("puts shoal first and takes servers by command and by address", () => {
    const { contenders } = parseBenchArguments([
      "--against",
      "nats-server=/opt/nats-server",
      "--against=old=127.0.0.1:4222:12+13:4223",
    ]);
    expect(contenders).toEqual([
      expect.objectContaining({ name: "shoal", kind: "command" }),
      { kind: "command", name: "nats-server", command: "/opt/nats-server" },
      { kind: "attached", name: "old", host: "127.0.0.1", port: 4222, pids: [12, 13], secondPort: 4223 },
    ]);
  });

  it.each([
    [["--rounds", "many"], /--rounds takes a number from 1 to 101, got 'many'/],
    [["--workloads", "ps16,ps17"], /Unknown workload: ps17/],
    [["--against", "nats-server"], /--against takes NAME=COMMAND/],
    [["--against", "shoal=/x"], /two servers have the same name/],
    [["--name", "../x"], /becomes a file name/],
  ])("refuses %j", (argv, message) => {
    expect(() => parseBenchArguments(argv)).toThrow(message);
  });
});
