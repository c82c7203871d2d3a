/** The faults: drawn one after the other from the seed, each with its end, until the time for faults is over. */
import { randomInt, type Random } from "../../src/base/random.ts";
import { pick, SEED_COUNT, type ServerPlan } from "./scenario.ts";
import type { World } from "./world.ts";

type Fault = (world: World, random: Random, untilMs: number) => void;

export function scheduleFaults(world: World, random: Random): void {
  const untilMs = world.scenario.faultSeconds * 1000;
  const next = (): void => {
    const delayMs = random.next() * 2 * world.scenario.faultEveryMs;
    if (world.timeline.nowMs + delayMs >= untilMs) return;
    world.timeline.after(delayMs, () => {
      if (world.running().length > 0) pick(random, FAULTS)(world, random, untilMs);
      next();
    });
  };
  next();
}

const FAULTS: readonly Fault[] = [
  dropConnections,
  dropConnections,
  cutPair,
  partition,
  crash,
  crash,
  stall,
  stall,
  lameDuck,
  impostor,
  leaveForGood,
];

function dropConnections(world: World, random: Random): void {
  const member = pick(random, world.running());
  const count = 1 + randomInt(random, 5);
  world.note(`${member.identity.name} loses ${count} connections`);
  for (let i = 0; i < count; i++) world.network.dropOne(member.ip);
}

function cutPair(world: World, random: Random, untilMs: number): void {
  const running = world.running();
  const [a, b] = [pick(random, running), pick(random, running)];
  if (a === b) return;
  world.note(`${a.identity.name} and ${b.identity.name} are cut off from each other`);
  world.network.cut(a.ip, b.ip);
  endWithin(world, random, untilMs, 5000, () => world.network.heal(a.ip, b.ip));
}

function partition(world: World, random: Random, untilMs: number): void {
  const { servers } = world.scenario;
  const inside = new Set(servers.filter(() => random.next() < 0.5));
  const pairs = servers.flatMap((a) =>
    servers.filter((b) => inside.has(a) && !inside.has(b)).map((b) => [a.ip, b.ip] as const),
  );
  world.note(`partition: ${[...inside].map((plan) => plan.name).join(" ")} against the rest`);
  for (const [a, b] of pairs) world.network.cut(a, b);
  endWithin(world, random, untilMs, 10_000, () => {
    world.note("partition heals");
    for (const [a, b] of pairs) world.network.heal(a, b);
  });
}

function crash(world: World, random: Random, untilMs: number): void {
  const running = world.running();
  if (running.length < 2) return;
  const member = pick(random, running);
  const plan = planOf(world, member.identity.name);
  const graceful = random.next() < 0.5;
  world.note(`${plan.name} ${graceful ? "shuts down" : "crashes"}`);
  if (!graceful) member.crash();
  else if (random.next() < 0.5) member.leave();
  else member.shutDown();
  world.discoveryChanged();
  endWithin(world, random, untilMs, 3000, () => {
    if (member.alive || world.members.get(plan.name) !== member) return;
    world.start(plan);
  });
}

/** What one server sends to another one comes late; the other direction goes on. */
function stall(world: World, random: Random, untilMs: number): void {
  const running = world.running();
  const [from, to] = [pick(random, running), pick(random, running)];
  if (from === to) return;
  const endMs = Math.min(untilMs, world.timeline.nowMs + 20 + randomInt(random, 4000));
  world.note(`${from.identity.name} is heard late by ${to.identity.name}, until ${endMs.toFixed(0)}`);
  world.network.stall(from.ip, to.ip, endMs);
}

/** Says that it goes, goes on for a while, and comes back as another one of the name. */
function lameDuck(world: World, random: Random, untilMs: number): void {
  const running = world.running();
  if (running.length < 2) return;
  const member = pick(random, running);
  const plan = planOf(world, member.identity.name);
  world.note(`${plan.name} is a lame duck`);
  member.announceLameDuck();
  endWithin(world, random, untilMs, 2000, () => {
    if (!member.alive) return;
    world.note(`${plan.name} has gone`);
    member.leave();
    world.discoveryChanged();
    endWithin(world, random, untilMs, 3000, () => {
      if (world.members.get(plan.name) === member) world.start(plan);
    });
  });
}

/** A second server of the name; the first one lives, or may be cut off at the time. */
function impostor(world: World, random: Random, untilMs: number): void {
  const member = pick(random, world.running());
  const second = world.startImpostor(member);
  world.note(`another ${second.identity.name} starts as ${second.id}`);
  endWithin(world, random, untilMs, 4000, () => {
    if (second.alive) second.shutDown();
  });
}

/** Only whom the others do not need to find each other, and of the first half, so that some stay. */
function leaveForGood(world: World, random: Random): void {
  const { servers, topology } = world.scenario;
  if (topology === "chain" || world.left.size >= servers.length / 3) return;
  const may = world.running().filter((member) => {
    const index = servers.indexOf(planOf(world, member.identity.name));
    return topology !== "seeds" || index >= SEED_COUNT;
  });
  if (may.length < 2) return;
  const member = pick(random, may);
  world.note(`${member.identity.name} leaves for good`);
  world.left.set(member.identity.name, world.timeline.nowMs);
  if (random.next() < 0.5) member.leave();
  else member.shutDown();
  world.discoveryChanged();
}

function endWithin(world: World, random: Random, untilMs: number, withinMs: number, end: () => void): void {
  world.timeline.at(Math.min(untilMs, world.timeline.nowMs + 20 + randomInt(random, withinMs)), end);
}

function planOf(world: World, name: string): ServerPlan {
  return world.scenario.servers.find((plan) => plan.name === name) as ServerPlan;
}
