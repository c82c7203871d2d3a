/** Tables -> docs/benchmarks/cluster.md, with the machine and the command. */
import { writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { describeMachine } from "../report/machine.ts";

export interface Table {
  readonly title: string;
  readonly about: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

interface Run {
  readonly command: string;
  readonly rounds: number;
  readonly versions: readonly string[];
}

/** Returns the path of the file. */
export function writeClusterReport(tables: readonly Table[], { command, rounds, versions }: Run): string {
  const machine = describeMachine();
  const blocks = [
    "# Clusters",
    [
      `- Date: ${new Date().toISOString().slice(0, 10)}`,
      `- Machine: ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.kernel}`,
      `- shoal: ${machine.shoal}, Node ${machine.node}`,
      ...versions.map((version) => `- ${version}`),
      `- Command: \`${command}\``,
    ].join("\n"),
    `Medians of ${rounds} rounds, servers taking turns. All processes of a cluster and their clients share the machine, ` +
      `and whatever else runs on it: its load average was ${loadavg()[2]!.toFixed(1)} over the last 15 minutes, on ` +
      `${machine.cores} cores. Whatever the two cores cannot do at once makes the longest times longer first.`,
    ...tables.flatMap(({ title, about, head, rows }) => [`## ${title}`, about, markdown(head, rows)]),
  ];
  const path = join(import.meta.dirname, "../../docs/benchmarks/cluster.md");
  writeFileSync(path, `${blocks.join("\n\n")}\n`);
  return path;
}

function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = head.map((cell) => (cell.includes(", ") ? "---:" : "---"));
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}
