/**
 * What one seed stands for: how many servers of which kind, how they learn of each other, and the faults they go through.
 * Everything is drawn from the seed, so that the seed and the number of servers replay it.
 */
import { randomInt, type Random } from "../../src/base/random.ts";

/**
 * static: every server lists every other. seeds: every server lists the first few. chain: each lists its predecessor.
 * discovered: a lagging, sometimes lying discovery tells all. balancer: one address behind which any server answers. dns: a
 * name that each looks up at intervals, whose answers lag, fail and lie.
 */
export type Topology = "static" | "seeds" | "chain" | "discovered" | "balancer" | "dns";

export interface ServerPlan {
  readonly name: string;
  readonly ip: string;
  readonly nats: boolean;
  readonly poolSize: number;
  /** Accounts in which it has a subscription from the start to the end. */
  readonly subscribes: readonly string[];
}

export interface Scenario {
  readonly seed: number;
  readonly topology: Topology;
  readonly servers: readonly ServerPlan[];
  readonly pinnedAccounts: readonly string[];
  readonly faultSeconds: number;
  /** Mean time between faults. */
  readonly faultEveryMs: number;
  /** Each end of a dead connection notices within this. */
  readonly keepaliveMs: number;
  /** Between PINGs on a route; a peer that answers two of them in no time is taken for dead. */
  readonly pingIntervalMs: number;
  /** What a connection takes before the other side has taken it. */
  readonly roomBytes: number;
}

export const KEEPALIVE_MS = 3000;

export interface ScenarioOptions {
  readonly seed: number;
  /** undefined: 3 to 20, by the seed. */
  readonly servers: number | undefined;
  readonly faultSeconds: number;
  /** undefined: drawn. */
  readonly topology: Topology | undefined;
  /** Set: only shoals, all with this pool size and no pinned account; for measuring. */
  readonly plainPoolSize: number | undefined;
}

/** Hardly a line, or all that is said within a second. */
const ROOMS_BYTES = [600, 4096, 65_536];

/** Two of them in a row are unanswered, and the route is given up. */
const PING_INTERVALS_MS = [1000, 30_000, 120_000];

export const ACCOUNTS = ["$SYS", "A", "BB", "CCC"] as const;
export const SEED_COUNT = 3;

const TOPOLOGIES: readonly Topology[] = ["static", "seeds", "chain", "discovered", "balancer", "dns"];

export function drawScenario(options: ScenarioOptions, random: Random): Scenario {
  const count = options.servers ?? 3 + randomInt(random, 18);
  const drawn = pick(random, TOPOLOGIES);
  const topology = options.topology ?? drawn;
  const natsShare = mayHaveNats(topology, options.faultSeconds) ? pick(random, [0, 0, 0.3, 0.6]) : 0;
  const poolSizes = pick(random, [[3], [3], [3], [1], [3, 5, 1], [3, 3, 0], [0]]);
  const mixed = options.plainPoolSize === undefined;
  const pinnedAccounts = pick(random, mixed ? [[], ["$SYS"], ["$SYS", "BB"]] : [[]]);
  const servers = Array.from({ length: count }, (_, i) => ({
    name: `server-${i}`,
    ip: `10.0.${i >> 8}.${i & 255}`,
    nats: mixed && i > 0 && random.next() < natsShare,
    poolSize: options.plainPoolSize ?? pick(random, poolSizes),
    subscribes: ACCOUNTS.filter(() => random.next() < 0.6),
  }));
  const faultEveryMs = 100 + randomInt(random, 1500);
  const pingIntervalMs = mixed ? pick(random, PING_INTERVALS_MS) : 120_000;
  const roomBytes = mixed ? pick(random, ROOMS_BYTES) : 65_536;
  const { seed, faultSeconds } = options;
  return {
    seed,
    topology,
    servers,
    pinnedAccounts,
    faultSeconds,
    faultEveryMs,
    keepaliveMs: KEEPALIVE_MS,
    pingIntervalMs,
    roomBytes,
  };
}

/**
 * nats-servers tell of a join once and dial on hearsay once, so islands that only nats-servers link may stay apart: with
 * faults they take part where every server knows the first one, which is a shoal.
 */
function mayHaveNats(topology: Topology, faultSeconds: number): boolean {
  if (topology === "chain") return faultSeconds === 0;
  return topology === "static" || topology === "seeds";
}

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[randomInt(random, from.length)] as T;
}
