/** A member that has lost its disk waits until whoever it voted for before is a candidate no more, and no longer. */
import { expect, it } from "vitest";
import { Timing } from "../../../src/raft/state.ts";
import { RaftServers, type RaftServer } from "../../support/raft-servers.ts";

const NAMES = ["n1", "n2", "n3"];
const GROUP = "S-R3F-abcdefgh";
/** A member still waits so long before the end. */
const BEFORE_MS = 100;

function cluster(): { readonly world: RaftServers; readonly lost: RaftServer } {
  const world = new RaftServers(NAMES);
  const groups = world.servers.slice(0, 2).map((server) => server.open(GROUP, NAMES));
  world.until(() => groups.some(({ leads }) => leads));
  return { world, lost: world.servers[2]! };
}

it("waits from the start of its process on, though groups are opened later", () => {
  const { world, lost } = cluster();
  lost.restart();
  world.advance(Timing.VOTE_FORGOTTEN_MS);
  const group = lost.open(GROUP, NAMES, undefined, false);
  expect(group.status.isRecovering).toBe(true);
  const sinceMs = world.clock.nowMs();
  world.until(() => !group.status.isRecovering);
  expect(world.clock.nowMs() - sinceMs).toBeLessThan(2 * Timing.HEARTBEAT_MS);
});

it("waits as long where the process has just begun", () => {
  const { world, lost } = cluster();
  lost.restart();
  const group = lost.open(GROUP, NAMES, undefined, false);
  world.advance(Timing.VOTE_FORGOTTEN_MS - BEFORE_MS);
  expect(group.status.isRecovering).toBe(true);
  world.until(() => !group.status.isRecovering);
});

it("waits from the removal of a group on where it comes back in the same process", () => {
  const { world, lost } = cluster();
  const before = lost.open(GROUP, NAMES);
  world.advance(2 * Timing.VOTE_FORGOTTEN_MS);
  before.remove();
  const group = lost.open(GROUP, NAMES, undefined, false);
  world.advance(Timing.VOTE_FORGOTTEN_MS - BEFORE_MS);
  expect(group.status.isRecovering).toBe(true);
  world.until(() => !group.status.isRecovering);
});
