/**
 * What single steps of the hot path cost, in nanoseconds per operation:
 *
 *     npm run bench:micro [-- compress | copy | parser | interest | delivery | permissions | receivers | sending | read]
 *
 * Best of several rounds, since everything that disturbs only adds. Numbers of one machine: comments in src/ that cite them
 * say by how much one way beats another, not what you will see.
 */
import { compressCases } from "./compress.ts";
import { copyCases } from "./copy.ts";
import { deliveryCases } from "./delivery.ts";
import { interestCases } from "./interest.ts";
import { parserCases } from "./parser.ts";
import { permissionCases } from "./permissions.ts";
import { readCases } from "./read.ts";
import { receiverCases } from "./receivers.ts";
import { sendingCases } from "./sending.ts";
import type { Case } from "./case.ts";

const ROUNDS = 20;
const ROUND_MS = 20;

const groups: Readonly<Record<string, () => readonly Case[]>> = {
  compress: compressCases,
  copy: copyCases,
  parser: parserCases,
  interest: interestCases,
  delivery: deliveryCases,
  permissions: permissionCases,
  receivers: receiverCases,
  sending: sendingCases,
};

const wanted = process.argv.slice(2);
const known = [...Object.keys(groups), "read"];
const unknown = wanted.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`bench/micro: no group ${unknown.join(", ")}: choose from ${known.join(", ")}`);
  process.exit(1);
}

for (const [group, cases] of Object.entries(groups)) {
  if (wanted.length > 0 && !wanted.includes(group)) continue;
  for (const one of cases()) show(group, one.name, best(one));
}
if (wanted.length === 0 || wanted.includes("read")) {
  for (const one of readCases) show("read", one.name, await one.measure());
}

/** Nanoseconds per operation of the best round. */
function best({ run }: Case): number {
  let count = 1;
  while (timed(run, count).elapsedNs < ROUND_MS * 1e6) count *= 2;
  let least = Infinity;
  for (let round = 0; round < ROUNDS; round++) least = Math.min(least, timed(run, count).perOperationNs);
  return least;
}

function timed(run: Case["run"], count: number): { elapsedNs: number; perOperationNs: number } {
  const from = process.hrtime.bigint();
  const done = run(count);
  const elapsedNs = Number(process.hrtime.bigint() - from);
  return { elapsedNs, perOperationNs: elapsedNs / done };
}

function show(group: string, name: string, ns: number): void {
  console.log(`${group.padEnd(11)} ${name.padEnd(52)} ${ns.toFixed(1).padStart(8)} ns`);
}
