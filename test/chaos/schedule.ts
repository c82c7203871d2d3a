/**
 * Which faults a chaos run has, drawn from its seed: rounds of one to three faults at once, each on some of the servers and for some seconds.
 * What destroys the data of a server (damage, a lost disk) has a round of its own, which begins when all copies are complete: what a
 * majority never had, or has lost, no cluster can keep.
 */
import { randomInt, type Random } from "../../src/base/random.ts";

export const FAULT_KINDS = [
  "kill",
  "leave",
  "kill all",
  "lose power",
  "all lose power",
  "pause",
  "cut off",
  "cut one way",
  "fill disk",
  "damage",
  "wipe",
  "scale",
  "replace",
  "step down",
] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  readonly kind: FaultKind;
  /** Some of the servers, in the order of the draw; kinds that need no servers ignore it. */
  readonly servers: readonly string[];
  readonly lastsMs: number;
}

export interface Round {
  readonly faults: readonly Fault[];
  /** Faults are begun this long one after the other. */
  readonly apartMs: number;
  /** Behind the round, until the next one. */
  readonly calmMs: number;
}

/** How often a kind is drawn, of the sum of all. */
const WEIGHTS: Readonly<Record<FaultKind, number>> = {
  kill: 4,
  leave: 2,
  "kill all": 1,
  "lose power": 3,
  "all lose power": 1,
  pause: 3,
  "cut off": 4,
  "cut one way": 3,
  "fill disk": 2,
  damage: 3,
  wipe: 1,
  scale: 3,
  replace: 2,
  "step down": 5,
};
const LASTS_MS_LEAST = 1000;
const LASTS_MS_MORE = 8000;
const APART_MS_MOST = 2000;
const CALM_MS_LEAST = 3000;
const CALM_MS_MORE = 7000;

/** They have a round of their own. */
export function destroys({ kind }: Fault): boolean {
  return kind === "damage" || kind === "wipe";
}

export function drawRound(
  random: Random,
  servers: readonly string[],
  without: ReadonlySet<FaultKind> = new Set(),
): Round {
  const kinds = FAULT_KINDS.filter((kind) => !without.has(kind));
  const first = drawFault(random, servers, kinds);
  const faults = [first];
  const others = kinds.filter((kind) => kind !== "damage" && kind !== "wipe");
  if (!destroys(first))
    for (let more = randomInt(random, 3); more > 0; more--) faults.push(drawFault(random, servers, others));
  return {
    faults,
    apartMs: randomInt(random, APART_MS_MOST),
    calmMs: CALM_MS_LEAST + randomInt(random, CALM_MS_MORE),
  };
}

function drawFault(random: Random, servers: readonly string[], kinds: readonly FaultKind[]): Fault {
  let dice = randomInt(
    random,
    kinds.reduce((sum, kind) => sum + WEIGHTS[kind], 0),
  );
  const kind = kinds.find((each) => (dice -= WEIGHTS[each]) < 0)!;
  const left = [...servers];
  const drawn = servers.map(() => left.splice(randomInt(random, left.length), 1)[0]!);
  return {
    kind,
    servers: some(random, kind, drawn),
    lastsMs: LASTS_MS_LEAST + randomInt(random, LASTS_MS_MORE),
  };
}

/** A minority, or all. */
function some(random: Random, kind: FaultKind, drawn: readonly string[]): readonly string[] {
  switch (kind) {
    case "kill all":
    case "all lose power":
      return drawn;
    case "damage":
    case "wipe":
    case "leave":
    case "fill disk":
      return drawn.slice(0, 1);
    default:
      return drawn.slice(0, 1 + randomInt(random, Math.floor(drawn.length / 2)));
  }
}
