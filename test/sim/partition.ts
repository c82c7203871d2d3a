/**
 * A partition that heals, of as many members as the test wants: what each member has on its agenda, dials, tells and does in a step is
 * counted all the while, and stays within bounds that grow with the members and no faster.
 */
import { expect, test } from "vitest";
import { seededRandom } from "../../src/base/random.ts";
import type { Mesh, MeshAction, MeshSnapshot } from "../../src/cluster/mesh-types.ts";
import { meshBreaches } from "./checks.ts";
import { drawScenario, type Topology } from "./scenario.ts";
import { World } from "./world.ts";

const SEED = 7;
const KEEPALIVE_MS = 1000;
/** Longer than an address is kept that no source lists. */
const APART_MS = 10_000;
const HEALING_MS = 4000;
const QUIET_MS = 5000;
const LOOK_EVERY_MS = 500;
/** An address that does not answer takes a second for each dial, and the waits between them grow to at least 0.75 s. */
const DIALS_PER_ADDRESS_APART = 10;
/** Of dials, and of wakes for the sake of dials: one lot of 32 every 10 ms. */
const LOT = 32;
const WAKES_PER_SECOND_MAX = 100;

/** What one member did, counted where its mesh is asked. */
class Tally {
  dials = 0;
  /** The most in one step. */
  readonly step = { dials: 0, announcements: 0, otherActions: 0 };
  wakesPerSecondMax = 0;
  private readonly wakes = { second: -1, count: 0 };

  constructor(mesh: Mesh) {
    const step = mesh.step.bind(mesh);
    mesh.step = (event, nowMs): MeshAction[] => {
      if (event.kind === "tick") this.countWake(Math.floor(nowMs / 1000));
      const actions = step(event, nowMs);
      this.countStep(actions);
      return actions;
    };
  }

  private countStep(actions: readonly MeshAction[]): void {
    const count = (kind: MeshAction["kind"]): number =>
      actions.filter((action) => action.kind === kind).length;
    const [dials, announcements] = [count("dial"), count("announce")];
    const { step } = this;
    this.dials += dials;
    step.dials = Math.max(step.dials, dials);
    step.announcements = Math.max(step.announcements, announcements);
    step.otherActions = Math.max(step.otherActions, actions.length - dials - announcements);
  }

  private countWake(second: number): void {
    const { wakes } = this;
    wakes.count = second === wakes.second ? wakes.count + 1 : 1;
    wakes.second = second;
    this.wakesPerSecondMax = Math.max(this.wakesPerSecondMax, wakes.count);
  }
}

/** Nothing but computing: a busy machine takes its time. */
const TIMEOUT_MS = 900_000;

/** Two halves that are apart for a while, and joined again. */
export function testPartition(members: number, topology: Topology): void {
  const otherHalf = members / 2;
  test(
    `two halves of ${members} members that are joined again are one mesh, at a bounded cost for each (${topology})`,
    { timeout: TIMEOUT_MS },
    () => {
      const world = wholeMesh(members, topology);
      const tallies = world.running().map(({ mesh }) => new Tally(mesh));
      const dialsOf = (): number[] => tallies.map(({ dials }) => dials);
      cutInTwo(world, otherHalf);
      watch(world, APART_MS);
      const apart = dialsOf();
      expect(Math.max(...apart)).toBeLessThanOrEqual(otherHalf * DIALS_PER_ADDRESS_APART);

      world.network.healAll();
      watch(world, HEALING_MS);
      expect(meshBreaches(world)).toEqual([]);
      const healed = dialsOf();
      // Each dials each of the other half twice at most: both ends may dial at once, and one dial may have been under way.
      for (const [i, dials] of healed.entries()) expect(dials - apart[i]!).toBeLessThanOrEqual(2 * otherHalf);

      watch(world, QUIET_MS);
      expect(dialsOf()).toEqual(healed);
      for (const { step, wakesPerSecondMax } of tallies) {
        expect(step.dials).toBeLessThanOrEqual(LOT);
        // A newcomer is told of all others, and each mode of telling the others of it takes one announcement.
        expect(step.announcements).toBeLessThanOrEqual(members + 3);
        expect(step.otherActions).toBeLessThanOrEqual(8);
        expect(wakesPerSecondMax).toBeLessThanOrEqual(WAKES_PER_SECOND_MAX);
      }
    },
  );
}

/** A whole mesh, ten seconds old. */
function wholeMesh(members: number, topology: Topology): World {
  const random = seededRandom(SEED);
  const options = { seed: SEED, servers: members, faultSeconds: 0, topology, plainPoolSize: 1 };
  const world = new World({ ...drawScenario(options, random), keepaliveMs: KEEPALIVE_MS }, random);
  world.startAll();
  world.timeline.runUntil(10_000);
  expect(meshBreaches(world)).toEqual([]);
  return world;
}

function cutInTwo(world: World, half: number): void {
  const ips = world.running().map(({ ip }) => ip);
  for (const a of ips.slice(0, half)) for (const b of ips.slice(half)) world.network.cut(a, b);
}

/** Lets time pass, and looks at every member's tables. */
function watch(world: World, forMs: number): void {
  for (const untilMs = world.timeline.nowMs + forMs; world.timeline.nowMs < untilMs;) {
    world.timeline.runUntil(world.timeline.nowMs + LOOK_EVERY_MS);
    for (const { mesh } of world.running()) expectOneDatePerRow(mesh.snapshot(world.timeline.nowMs));
  }
}

/** Beside rows and connections that are not settled, dates are due for gossip, the probe and the pace of dials. */
function expectOneDatePerRow(snapshot: MeshSnapshot): void {
  const { alarms, addresses, peers, dialsInFlight, dialsWaiting, handshakesOpen } = snapshot;
  const rows = addresses.length + peers.length;
  expect(alarms).toBeLessThanOrEqual(rows + dialsInFlight + handshakesOpen + 3);
  expect(dialsWaiting).toBeLessThanOrEqual(rows);
  expect(dialsInFlight).toBeLessThanOrEqual(rows);
}
