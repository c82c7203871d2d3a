/** One seed from start to verdict. */
import { seededRandom } from "../../src/base/random.ts";
import { slabSnapshot } from "../../src/slab/chunks.ts";
import {
  deliveryBreaches,
  liesBelieved,
  meshBreaches,
  publishRound,
  staleDialBreaches,
  urlBreaches,
} from "./checks.ts";
import { scheduleFaults } from "./faults.ts";
import { NAMES_SETTLE_MS } from "./name-service.ts";
import { drawScenario, KEEPALIVE_MS, type Scenario, type ScenarioOptions } from "./scenario.ts";
import { GIVE_UP_MS, World } from "./world.ts";

export interface Verdict {
  readonly scenario: Scenario;
  readonly breaches: readonly string[];
  /** From the end of the faults (without faults: from the start) to the complete mesh. */
  readonly convergedMs: number;
  readonly messages: number;
  readonly dials: number;
  readonly announced: number;
  readonly connections: number;
  /** Messages between servers that stayed connected, which had to arrive. */
  readonly expected: number;
  readonly log: readonly string[];
}

const QUIET_MS = GIVE_UP_MS + KEEPALIVE_MS + 6000;

export function simulate(options: ScenarioOptions): Verdict {
  const random = seededRandom(options.seed);
  const scenario = drawScenario(options, random);
  const world = new World(scenario, random);
  world.startAll();
  if (scenario.faultSeconds > 0) scheduleFaults(world, random);
  const faultsEndMs = scenario.faultSeconds * 1000;
  world.timeline.runUntil(faultsEndMs);
  if (scenario.faultSeconds > 0) world.endFaults();
  const boundMs = settleBoundMs(scenario);
  const convergedMs = runUntilComplete(world, faultsEndMs + boundMs) - faultsEndMs;
  const breaches = meshBreaches(world).map((breach) => `after ${boundMs} ms: ${breach}`);
  if (breaches.length === 0) breaches.push(...checkQuiet(world));
  world.pairs.end();
  breaches.push(...world.pairs.breaches, ...deliveryBreaches(world), ...liesBelieved(world));
  const sum = (of: (member: World["everybody"][number]) => number): number =>
    world.everybody.reduce((total, member) => total + of(member), 0);
  world.dispose();
  const { chunksInUse } = slabSnapshot();
  if (chunksInUse > 0) breaches.push(`${chunksInUse} chunks are left`);
  return {
    scenario,
    breaches,
    convergedMs,
    messages: world.network.delivered,
    dials: sum((member) => member.dialledKeys.length),
    announced: sum((member) => member.announced),
    connections: world.network.linksMade,
    expected: world.pairs.counts.expected,
    log: world.log,
  };
}

/**
 * The stated time: every dead connection is noticed, then 5 s. nats-servers dial again only after a second each time and
 * refuse what they take for duplicates until then; a balancer has to be asked until it names the other island.
 */
function settleBoundMs(scenario: Scenario): number {
  if (scenario.topology === "balancer") return KEEPALIVE_MS + 60_000;
  const boundMs = KEEPALIVE_MS + 5000 + (scenario.topology === "dns" ? NAMES_SETTLE_MS : 0);
  return scenario.servers.some((plan) => plan.nats) ? boundMs + 5000 : boundMs;
}

function runUntilComplete(world: World, untilMs: number): number {
  const everyMs = Math.max(50, world.scenario.servers.length);
  while (world.timeline.nowMs < untilMs) {
    world.timeline.runUntil(world.timeline.nowMs + everyMs);
    if (
      world.running().length === world.scenario.servers.length - world.left.size &&
      meshBreaches(world).length === 0
    )
      break;
  }
  return world.timeline.nowMs;
}

/**
 * A complete mesh stays complete and quiet, and loses nothing. Both ends of a connection that died just before the faults
 * ended may still hold it when the mesh first looks complete, so that each is given the time to notice and dial again.
 */
function checkQuiet(world: World): string[] {
  const noticedMs = world.timeline.nowMs + KEEPALIVE_MS;
  world.timeline.runUntil(noticedMs);
  runUntilComplete(world, noticedMs + settleBoundMs(world.scenario));
  const arrived = publishRound(world, 3);
  world.timeline.runUntil(world.timeline.nowMs + 1000);
  const lost = arrived();
  if (world.left.size > 0) {
    const namesMs = world.scenario.topology === "dns" ? NAMES_SETTLE_MS : 0;
    world.timeline.runUntil(world.timeline.nowMs + QUIET_MS + namesMs);
  }
  const { topology } = world.scenario;
  return [
    ...lost,
    ...urlBreaches(world),
    ...meshBreaches(world).map((breach) => `when all was quiet: ${breach}`),
    ...staleDialBreaches(world, () => topology === "static"),
  ];
}
