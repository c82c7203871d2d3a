/** The command line of `npm run bench`, checked; nothing is started here. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { selectWorkloads, type Workload } from "./workloads.ts";

export const usage = `npm run bench -- [options]

Runs shoal beside other servers, workload by workload, in turns, and prints medians and ratios.

  --against NAME=COMMAND                 a server to start: a path, or a name on PATH; may be repeated
  --against NAME=HOST:PORT:PID[+PID][:PORT2]  a server that runs already; PORT2: another node of its cluster, for one hop
  --workloads A,B,...                    by name (default: all)
  --rounds N                             measured runs per workload and server (default 5)
  --run-seconds S                        length of one run (default 1)
  --quick                                3 rounds of 0.3 s: a first impression
  --name NAME                            write docs/benchmarks/NAME.md, .svg and .json
  --shoal COMMAND                        another build of shoal (default bin/shoal)
  --without-shoal                        compare the others only
  --list                                 name the workloads and end
`;

/** A server under test, as named on the command line. */
export type ContenderArgument =
  | { readonly kind: "command"; readonly name: string; readonly command: string }
  | {
      readonly kind: "attached";
      readonly name: string;
      readonly host: string;
      readonly port: number;
      readonly pids: readonly number[];
      readonly secondPort: number | undefined;
    };

export interface BenchArguments {
  readonly list: boolean;
  readonly contenders: readonly ContenderArgument[];
  readonly workloads: readonly Workload[];
  readonly rounds: number;
  readonly runSeconds: number;
  readonly reportName: string | undefined;
}

export function parseBenchArguments(argv: readonly string[]): BenchArguments {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      against: { type: "string", multiple: true, default: [] },
      workloads: { type: "string" },
      rounds: { type: "string" },
      "run-seconds": { type: "string" },
      quick: { type: "boolean", default: false },
      name: { type: "string" },
      shoal: { type: "string", default: join(import.meta.dirname, "../bin/shoal") },
      "without-shoal": { type: "boolean", default: false },
      list: { type: "boolean", default: false },
    },
  });
  const shoal: ContenderArgument = { kind: "command", name: "shoal", command: values.shoal };
  const contenders = [...(values["without-shoal"] ? [] : [shoal]), ...values.against.map(parseContender)];
  if (contenders.length === 0) throw new Error("--without-shoal needs at least one --against");
  if (new Set(contenders.map(({ name }) => name)).size < contenders.length)
    throw new Error("two servers have the same name; give each its own in --against NAME=...");
  if (values.name !== undefined && !/^[\w.-]+$/.test(values.name))
    throw new Error(`--name becomes a file name; '${values.name}' cannot`);
  return {
    list: values.list,
    contenders,
    workloads: selectWorkloads(values.workloads),
    rounds: numberBetween("rounds", values.rounds ?? (values.quick ? "3" : "5"), 1, 101),
    runSeconds: numberBetween("run-seconds", values["run-seconds"] ?? (values.quick ? "0.3" : "1"), 0.05, 20),
    reportName: values.name,
  };
}

function parseContender(text: string): ContenderArgument {
  const [, name, target] = /^([\w.-]+)=(.+)$/.exec(text) ?? [];
  if (name === undefined || target === undefined)
    throw new Error(`--against takes NAME=COMMAND, got '${text}'`);
  const [, host, port, pids, secondPort] = /^([\d.]+):(\d+):([\d+]+)(?::(\d+))?$/.exec(target) ?? [];
  if (host === undefined || port === undefined || pids === undefined)
    return { kind: "command", name, command: target };
  return {
    kind: "attached",
    name,
    host,
    port: Number(port),
    pids: pids.split("+").map(Number),
    secondPort: secondPort === undefined ? undefined : Number(secondPort),
  };
}

function numberBetween(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!(value >= least && value <= most))
    throw new Error(`--${option} takes a number from ${least} to ${most}, got '${text}'`);
  return value;
}
