/** Groups on drivers whose journal is on a disk. */
import { expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.ts";
import { FileJournal } from "../../../src/store/journal/file-journal.ts";
import { FaultyDisk } from "../../support/faulty-disk.ts";
import { NotingLayer, operation, RaftServers } from "../../support/raft-servers.ts";

const NAMES = ["n1", "n2", "n3"];
const GROUP = "S-R3F-abcdefgh";

it("a leader that cannot read its log any more steps down, and is made whole by the others", () => {
  const world = new RaftServers(NAMES);
  const disks = NAMES.map(() => new FaultyDisk(seededRandom(1)));
  world.servers.forEach((server, i) => {
    const options = { folder: "raft", policy: "sync", segmentBytes: 2048, later: () => undefined } as const;
    server.journal = new FileJournal({ disk: disks[i]!, ...options });
  });
  const layers = NAMES.map(() => new NotingLayer());
  const groups = world.servers.map((server, i) => server.open(GROUP, NAMES, layers[i]));
  world.until(() => groups.some(({ leads }) => leads));
  const leader = groups.findIndex(({ leads }) => leads);
  const away = (leader + 1) % 3;
  groups[away]!.close();
  for (let i = 0; i < 20; i++) {
    groups[leader]!.propose(operation(`o${i}`.padEnd(150)));
    world.advance(10);
  }
  world.until(() => groups[leader]!.status.applied === groups[leader]!.status.lastIndex);
  const [oldest] = disks[leader]!.names("raft");
  disks[leader]!.flipBit(
    () => `raft/${oldest!}`,
    () => 1000,
  );
  const layer = new NotingLayer();
  const back = world.servers[away]!.open(GROUP, NAMES, layer, false);
  world.until(() => layer.operations.length === 20);
  world.until(() =>
    [...groups.filter((_, i) => i !== away), back].every(({ status }) => !status.isRecovering),
  );
  expect(layers[leader]!.told).toContain("leads no more");
  // nothing is applied twice
  expect(layers[leader]!.operations).toEqual(layer.operations);
});

it("a leader that has taken a proposal and cannot store it leads no more, so that nothing is proposed that follows on it", () => {
  const world = new RaftServers(NAMES);
  const journals = world.servers.map((server) => {
    const disk = new FaultyDisk(seededRandom(1));
    const journal = new FileJournal({ disk, folder: "raft", policy: "sync", later: () => undefined });
    server.journal = journal;
    return journal;
  });
  const layers = NAMES.map(() => new NotingLayer());
  const groups = world.servers.map((server, i) => server.open(GROUP, NAMES, layers[i]));
  world.until(() => groups.some(({ leads }) => leads));
  const leader = groups.findIndex(({ leads }) => leads);
  expect(groups[leader]!.propose(operation("first"))).toBe(true);
  journals[leader]!.isStuck = true;
  world.advance(1);
  journals[leader]!.isStuck = false;
  expect(layers[leader]!.told).toContain("leads no more");
  expect(groups[leader]!.propose(operation("second"))).toBe(false);
  world.until(() => groups.some(({ leads }, i) => leads && layers[i]!.told.at(-1) !== "leads no more"));
  for (const layer of layers) expect(layer.operations).toEqual([]);
});
