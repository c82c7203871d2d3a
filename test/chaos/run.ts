#!/usr/bin/env node
/**
 * `npm run chaos:jetstream -- --seed N --minutes M [--server nats-server]`: five servers on hosts of their own, faults by a seed, clients all the
 * while, and a checker. It needs root, since it makes networks and file systems: it runs in namespaces of its own, so that nothing of it
 * stays, however it ends. What a violation needs to be understood is kept in a folder that is named.
 */
import { spawnSync } from "node:child_process";
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { runChaos, type ChaosResult } from "./chaos.ts";
import { runScenario, SCENARIOS } from "./scenarios.ts";
import { FAULT_KINDS, type FaultKind } from "./schedule.ts";

const SERVERS = 5;
/** Set in the process that has namespaces of its own. */
const WITHIN = "SHOAL_CHAOS_WITHIN";
const SHOAL = join(import.meta.dirname, "../../bin/shoal");

const { values } = parseArgs({
  options: {
    seed: { type: "string", default: "1" },
    seeds: { type: "string", default: "1" },
    minutes: { type: "string", default: "3" },
    server: { type: "string", default: SHOAL },
    setting: { type: "string", default: "" },
    without: { type: "string", multiple: true, default: [] },
    scenario: { type: "string" },
    keep: { type: "boolean", default: false },
  },
});

if (process.env[WITHIN] === undefined) process.exit(isolated());
if (values.scenario !== undefined) process.exit(await scenarios(values.scenario));
const without = new Set(values.without.map(faultKind));
let failed = 0;
const firstSeed = Number(values.seed);
for (let seed = firstSeed; seed < firstSeed + Number(values.seeds); seed++) failed += await one(seed);
process.exit(failed === 0 ? 0 : 1);

/** This program once more, where network, mounts and processes are its own and end with it. */
function isolated(): number {
  if (process.getuid?.() !== 0) throw new Error("a chaos run makes networks and file systems: it needs root");
  const prepare = 'ip link set lo up && mkdir -p /run/netns && mount -t tmpfs none /run/netns && exec "$@"';
  const own = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const { status } = spawnSync(
    "unshare",
    [...own, "sh", "-c", prepare, "sh", process.execPath, import.meta.filename, ...process.argv.slice(2)],
    { stdio: "inherit", env: { ...process.env, [WITHIN]: "1" } },
  );
  return status ?? 1;
}

/** Those whose names have this in them. The lines say what each of them found. */
async function scenarios(named: string): Promise<number> {
  let lost = 0;
  for (const scenario of SCENARIOS.filter(({ name }) => name.includes(named))) {
    const folder = mkdtempSync(join(tmpdir(), "chaos-"));
    const note = noteIn(folder);
    const violations = await runScenario(scenario, {
      program: values.server,
      setting: values.setting,
      folder,
      note,
    });
    console.log(`${scenario.name}: ${violations.length === 0 ? "passed" : "FAILED"}`);
    for (const violation of violations) console.log(`  ${violation}`);
    if (values.keep) console.log(`  ${folder}`);
    release(folder);
    if (!values.keep) rmSync(folder, { recursive: true, force: true });
    if (violations.length > 0) lost++;
  }
  return lost === 0 ? 0 : 1;
}

function noteIn(folder: string): (text: string) => void {
  const since = performance.now();
  const events = join(folder, "events.log");
  return (text) =>
    appendFileSync(
      events,
      `${((performance.now() - since) / 1000).toFixed(3)} ${new Date().toISOString()} ${text}\n`,
    );
}

function faultKind(name: string): FaultKind {
  const kind = FAULT_KINDS.find((each) => each === name);
  if (kind === undefined) throw new Error(`--without takes one of: ${FAULT_KINDS.join(", ")}; got '${name}'`);
  return kind;
}

/** Whether it failed, as a number. */
async function one(seed: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), `chaos-${seed}-`));
  const note = noteIn(folder);
  const result = await runChaos({
    seed,
    minutes: Number(values.minutes),
    program: values.server,
    setting: values.setting,
    folder,
    serverCount: SERVERS,
    without,
    note,
  }).catch((error: unknown) => {
    note(`the run failed: ${String(error)}`);
    throw error;
  });
  const { violations, summary } = result;
  console.log(`seed ${seed}: ${violations.length} violations; ${summary}`);
  for (const violation of violations) console.log(`  ${violation}`);
  const fails = violations.length > 0;
  if (fails || values.keep) keep(seed, folder, result);
  release(folder);
  if (!fails && !values.keep) rmSync(folder, { recursive: true, force: true });
  return fails ? 1 : 0;
}

function keep(seed: number, folder: string, { history }: ChaosResult): void {
  for (const name of Array.from({ length: SERVERS }, (_, i) => `n${i + 1}`)) {
    mkdirSync(join(folder, "disks"), { recursive: true });
    cpSync(join(folder, name), join(folder, "disks", name), { recursive: true });
  }
  writeFileSync(join(folder, "history.json"), JSON.stringify(history));
  const given = process.argv
    .slice(2)
    .filter((word, i, all) => !/^--seeds?\b/.test(word) && !/^--seeds?$/.test(all[i - 1] ?? ""));
  const quoted = given.map((word) => (/^[\w./-]+$/.test(word) ? word : JSON.stringify(word)));
  console.log(`  logs, disks and what clients were told: ${folder}`);
  console.log(`  again: npm run chaos:jetstream -- --seed ${seed} ${quoted.join(" ")}`);
}

function release(folder: string): void {
  for (let i = 1; i <= SERVERS; i++) {
    spawnSync("umount", [join(folder, `n${i}`)], { stdio: "ignore" });
    rmSync(join(folder, `n${i}.img`), { force: true });
  }
}
