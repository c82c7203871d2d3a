#!/usr/bin/env node
/**
 * `node --expose-gc bench/raft-idle.ts [--groups N]`: what groups cost in which nothing happens. Three drivers in one process, on a virtual
 * clock and with journals in memory, are members of each group. Said are the memory of a group on one server, and the share of a core that
 * all of them take on one server. What routes and subscriptions cost is not in it.
 */
import { parseArgs } from "node:util";
import { hashName } from "../src/base/base62.ts";
import type { Clock } from "../src/base/clock.ts";
import { seededRandom } from "../src/base/random.ts";
import { RaftDriver } from "../src/raft/driver/driver.ts";
import type { RaftGroup } from "../src/raft/driver/group.ts";
import type { GroupLayer } from "../src/raft/driver/layer.ts";
import { MemoryJournal } from "../src/raft/driver/memory-journal.ts";

const SERVERS = ["n1", "n2", "n3"].map(hashName);
const STEP_MS = 100;
const SETTLED_MS = 60_000;
const MEASURED_MS = 120_000;

const { values } = parseArgs({ options: { groups: { type: "string", default: "10000" } } });
const count = Number(values.groups);

interface Timed {
  readonly atMs: number;
  readonly fire: () => void;
}

let nowMs = 0;
const timers = new Set<Timed>();
const work: (() => void)[] = [];
const random = seededRandom(1);

const clock: Clock = {
  nowMs: () => nowMs,
  setTimer(delayMs, fire) {
    const timer = { atMs: nowMs + delayMs, fire };
    timers.add(timer);
    return { [Symbol.dispose]: () => void timers.delete(timer) };
  },
};

const listening = SERVERS.map(() => new Set<string>());

function deliver(from: number, subject: string, reply: string, bytes: Uint8Array): void {
  const any = `${subject.slice(0, subject.lastIndexOf("."))}.*`;
  drivers.forEach((driver, i) => {
    if (i !== from && (listening[i]!.has(subject) || listening[i]!.has(any)))
      work.push(() => driver.receive(subject, reply, bytes));
  });
}

const drivers = SERVERS.map(
  (id, i) =>
    new RaftDriver({
      id,
      clock,
      random,
      soon: (each) => void work.push(each),
      transport: {
        send: (subject, reply, bytes) => deliver(i, subject, reply, bytes),
        listen: (subject) => void listening[i]!.add(subject),
        ignore: (subject) => void listening[i]!.delete(subject),
      },
    }),
);

function settle(): void {
  while (work.length > 0) for (const each of work.splice(0)) each();
}

function advance(ms: number): void {
  for (const untilMs = nowMs + ms; nowMs < untilMs;) {
    nowMs += STEP_MS;
    for (const timer of [...timers]) {
      if (timer.atMs > nowMs) continue;
      timers.delete(timer);
      timer.fire();
      settle();
    }
    settle();
  }
}

const layer: GroupLayer = { apply() {}, restore() {}, leadershipChanged() {}, statusChanged() {} };

function heapBytes(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const journals = SERVERS.map(() => new MemoryJournal());
const peers = { size: SERVERS.length, peers: SERVERS, domainExtension: 0 };
const before = heapBytes();
const groups: RaftGroup[] = [];
for (let i = 0; i < count; i++)
  drivers.forEach((driver, at) => {
    const name = `C-R3F-${String(i).padStart(8, "0")}`;
    const group = driver.open({ name, peers, isNewGroup: true, journal: journals[at]!, layer });
    if (i % SERVERS.length === at) groups.push(group);
  });
for (const group of groups) group.campaign();
advance(SETTLED_MS);
const leading = groups.filter(({ leads }) => leads).length;
const after = heapBytes();
const { user, system } = process.cpuUsage();
advance(MEASURED_MS);
const used = process.cpuUsage();
const seconds = (used.user + used.system - user - system) / 1e6;
const share = (100 * seconds * 1000) / MEASURED_MS / SERVERS.length;
console.log(`${count} groups, ${leading} led by those who campaigned first`);
console.log(`${Math.round((after - before) / count / SERVERS.length)} bytes a group and server`);
console.log(`${share.toFixed(2)} % of a core on each server`);
