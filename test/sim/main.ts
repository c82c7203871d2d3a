/** npm run sim -- [--seed N] [--seeds COUNT] [--servers N] [--seconds FAULT_SECONDS] [--topology T] [--plain POOL_SIZE] [--log] */
import { setImmediate as nextTurn } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { Topology } from "./scenario.ts";
import { simulate, type Verdict } from "./simulation.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    seeds: { type: "string", default: "1" },
    servers: { type: "string" },
    seconds: { type: "string", default: "15" },
    topology: { type: "string" },
    plain: { type: "string" },
    log: { type: "boolean", default: false },
  },
});

const firstSeed = Number(values.seed);
const count = Number(values.seeds);
let failed = 0;
let slowestMs = 0;
const startedMs = performance.now();
for (let seed = firstSeed; seed < firstSeed + count; seed++) {
  const verdict = simulate({
    seed,
    servers: values.servers === undefined ? undefined : Number(values.servers),
    faultSeconds: Number(values.seconds),
    topology: values.topology as Topology | undefined,
    plainPoolSize: values.plain === undefined ? undefined : Number(values.plain),
  });
  slowestMs = Math.max(slowestMs, verdict.convergedMs);
  if (count === 1 || verdict.breaches.length > 0) report(seed, verdict);
  if (verdict.breaches.length > 0) failed++;
  // What promises of the servers hold is let go.
  await nextTurn();
}
const tookSeconds = ((performance.now() - startedMs) / 1000).toFixed(1);
console.log(
  `${count - failed} of ${count} seeds hold, slowest mesh ${slowestMs.toFixed(0)} ms, took ${tookSeconds} s`,
);
process.exitCode = failed > 0 ? 1 : 0;

function report(seed: number, verdict: Verdict): void {
  const { scenario, breaches } = verdict;
  const nats = scenario.servers.filter((plan) => plan.nats).length;
  console.log(
    `seed ${seed}: ${scenario.servers.length} servers (${nats} nats), ${scenario.topology}, complete after ` +
      `${verdict.convergedMs.toFixed(0)} ms, ${verdict.connections} connections, ${verdict.dials} dials, ` +
      `${verdict.announced} announcements, ${verdict.messages} messages on the wire`,
  );
  if (values.log) for (const line of verdict.log) console.log(line);
  if (breaches.length === 0) return;
  for (const breach of breaches.slice(0, 10)) console.log(`  ${breach}`);
  if (breaches.length > 10) console.log(`  and ${breaches.length - 10} more`);
  const given = ["servers", "seconds", "topology", "plain"] as const;
  const same = given.map((name) => (values[name] === undefined ? "" : ` --${name} ${values[name]}`)).join("");
  console.log(`  replay: npm run sim -- --seed ${seed}${same} --log`);
}
