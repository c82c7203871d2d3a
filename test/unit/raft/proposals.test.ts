/** Proposals of one round travel together: messages, entries of the log and commits of the journal are counted. */
import { describe, expect, it } from "vitest";
import type { RaftGroup } from "../../../src/raft/driver/group.ts";
import { Proposals } from "../../../src/raft/driver/proposals.ts";
import { EntryType } from "../../../src/raft/messages.ts";
import { decodeAppend } from "../../../src/raft/wire.ts";
import { NotingLayer, operation, RaftServers, type RaftServer } from "../../support/raft-servers.ts";

const NAMES = ["n1", "n2", "n3"];
const GROUP = "S-R3F-abcdefgh";
const HALF_FULL_BYTES = 128 * 1024;

interface Led {
  readonly world: RaftServers;
  readonly layers: readonly NotingLayer[];
  readonly leader: RaftGroup;
  readonly server: RaftServer;
  /** Append entries that the leader has sent since. */
  readonly appends: () => readonly number[];
}

function led(): Led {
  const world = new RaftServers(NAMES);
  const layers = NAMES.map(() => new NotingLayer());
  const groups = world.servers.map((server, i) => server.open(GROUP, NAMES, layers[i]));
  world.until(() => groups.some(({ leads }) => leads));
  world.advance(100);
  const at = groups.findIndex(({ leads }) => leads);
  const from = world.sent.length;
  const appends = (): readonly number[] =>
    world.sent
      .slice(from)
      .filter(({ subject }) => subject === `$NRG.AE.${GROUP}`)
      .map(({ bytes }) => decodeAppend(bytes)!.entries.length)
      .filter((count) => count > 0);
  return { world, layers, leader: groups[at]!, server: world.servers[at]!, appends };
}

describe("proposals of one round", () => {
  it("share a message to the followers, an entry of the log and a commit, though several connections brought them", () => {
    const { world, layers, leader, server, appends } = led();
    let commits = 0;
    const { journal } = server;
    const commit = journal.commit.bind(journal);
    journal.commit = (done) => {
      commits++;
      commit(done);
    };
    const expected = Array.from({ length: 16 }, (_, i) => `o${i}`);
    for (const text of expected) {
      leader.propose(operation(text));
      world.endTurn();
    }
    expect(appends()).toEqual([]);
    world.settle();
    expect(appends()).toEqual([16]);
    expect(commits).toBe(1);
    for (const layer of layers) expect(layer.operations).toEqual(expected);
  });

  it("are sent with no time in between, however often it is asked", () => {
    const { world, layers, leader, appends } = led();
    const nowMs = world.clock.nowMs();
    for (let i = 0; i < 3; i++) {
      leader.propose(operation(`o${i}`));
      world.settle();
    }
    expect(appends()).toEqual([1, 1, 1]);
    expect(world.clock.nowMs()).toBe(nowMs);
    for (const layer of layers) expect(layer.operations).toEqual(["o0", "o1", "o2"]);
  });

  it("do not wait for the end of the round where they fill an append entry", () => {
    const { world, leader, appends } = led();
    const half = { type: EntryType.NORMAL, data: new Uint8Array(HALF_FULL_BYTES) };
    leader.propose(half);
    world.endTurn();
    expect(appends()).toEqual([]);
    leader.propose(half);
    world.endTurn();
    expect(appends()).toEqual([2]);
  });

  it("tell the followers what is committed, so that no heartbeat has to", () => {
    const { world, layers, leader, server, appends } = led();
    const { driver } = server;
    const receive = driver.receive.bind(driver);
    let isFirst = true;
    // the second is proposed when the answer to the first comes
    driver.receive = (subject, reply, bytes) => {
      if (isFirst) leader.propose(operation("second"));
      isFirst = false;
      receive(subject, reply, bytes);
    };
    const from = world.sent.length;
    leader.propose(operation("first"));
    world.settle();
    const bundles = world.sent
      .slice(from)
      .filter((one) => one.from === server && one.subject.startsWith("$SHOAL."));
    expect(appends()).toEqual([1, 1]);
    expect(bundles).toHaveLength(2); // to each of the two, when the second is committed
    for (const layer of layers) expect(layer.operations).toEqual(["first", "second"]);
  });
});

describe("what waits to be proposed", () => {
  it("is full by its bytes, and no more once it is taken", () => {
    const proposals = new Proposals();
    const half = { type: EntryType.NORMAL, data: new Uint8Array(HALF_FULL_BYTES) };
    proposals.add(half);
    expect(proposals.isFull).toBe(false);
    proposals.add(half);
    expect(proposals.isFull).toBe(true);
    proposals.take();
    expect([proposals.isFull, proposals.isEmpty]).toEqual([false, true]);
  });

  it("is full by its number", () => {
    const proposals = new Proposals();
    for (let i = 0; i < 4095; i++) proposals.add(operation("o"));
    expect(proposals.isFull).toBe(false);
    proposals.add(operation("o"));
    expect(proposals.isFull).toBe(true);
    proposals.clear();
    expect(proposals.isFull).toBe(false);
  });
});
