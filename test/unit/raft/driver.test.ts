/** Groups on drivers: what the layer above is told, and when. */
import { describe, expect, it } from "vitest";
import { MemoryJournal } from "../../../src/raft/driver/memory-journal.ts";
import type { RaftGroup } from "../../../src/raft/driver/group.ts";
import { NotingLayer, operation, RaftServers } from "../../support/raft-servers.ts";

const NAMES = ["n1", "n2", "n3"];
const GROUP = "S-R3F-abcdefgh";

interface Setup {
  readonly world: RaftServers;
  readonly layers: NotingLayer[];
  readonly groups: RaftGroup[];
  readonly leader: () => RaftGroup;
}

function three(): Setup {
  const world = new RaftServers(NAMES);
  const layers = NAMES.map(() => new NotingLayer());
  const groups = world.servers.map((server, i) => server.open(GROUP, NAMES, layers[i]));
  return { world, layers, groups, leader: () => groups.find(({ leads }) => leads)! };
}

describe("a group on three drivers", () => {
  it("elects one leader, and applies proposals everywhere in one order", () => {
    const { world, layers, groups, leader } = three();
    world.until(() => groups.some(({ leads }) => leads));
    for (let i = 0; i < 5; i++) expect(leader().propose(operation(`o${i}`))).toBe(true);
    world.advance(100);
    for (const layer of layers) expect(layer.operations).toEqual(["o0", "o1", "o2", "o3", "o4"]);
    expect(layers.filter(({ told }) => told.includes("leads"))).toHaveLength(1);
  });

  it("puts the proposals of one turn into one entry of the log", () => {
    const { world, groups, leader } = three();
    world.until(() => groups.some(({ leads }) => leads));
    const before = leader().status.lastIndex;
    for (let i = 0; i < 5; i++) leader().propose(operation(`o${i}`));
    world.advance(100);
    expect(leader().status.lastIndex).toBe(before + 1);
  });

  it("takes no proposals where it does not lead", () => {
    const { world, groups } = three();
    world.until(() => groups.some(({ leads }) => leads));
    const follower = groups.find(({ leads }) => !leads)!;
    expect(follower.propose(operation("o"))).toBe(false);
  });

  it("hands leadership over, and tells both", () => {
    const { world, layers, groups, leader } = three();
    world.until(() => groups.some(({ leads }) => leads));
    const from = groups.indexOf(leader());
    const to = (from + 1) % 3;
    groups[from]!.transfer(world.servers[to]!.id);
    world.until(() => groups[to]!.leads);
    expect(layers[from]!.told.filter((word) => word !== "status")).toEqual(["leads", "leads no more"]);
    expect(layers[to]!.told).toContain("leads");
  });

  it("does not call the layer during one of its own calls", () => {
    const { world, layers, groups, leader } = three();
    world.until(() => groups.some(({ leads }) => leads));
    const from = leader();
    const layer = layers[groups.indexOf(from)]!;
    let depth = 0;
    layer.onApply = () => {
      expect(++depth).toBe(1);
      from.transfer("");
      depth--;
    };
    from.propose(operation("o"));
    world.until(() => groups.some((group) => group !== from && group.leads));
    expect(layer.told.filter((word) => word !== "status")).toEqual(["leads", "leads no more"]);
  });

  it("gives a member that starts again the snapshot, and then what came after it", () => {
    const { world, layers, groups, leader } = three();
    world.until(() => groups.some(({ leads }) => leads));
    for (let i = 0; i < 5; i++) leader().propose(operation(`o${i}`));
    world.advance(100);
    const away = groups.findIndex(({ leads }) => !leads);
    groups[away]!.takeSnapshot(layers[away]!.state);
    leader().propose(operation("o5"));
    world.advance(100);
    const server = world.servers[away]!;
    server.restart();
    const layer = new NotingLayer();
    const again = server.open(GROUP, NAMES, layer, false);
    expect(again.status.snapshotIndex).toBeGreaterThan(0);
    world.until(() => layer.operations.length === 6);
    expect(layer.told[0]).toBe("restored");
    expect(layer.operations).toEqual(layers[groups.indexOf(leader())]!.operations);
  });

  it("sends its snapshot to a member that lacks what was cut away", () => {
    const { world, layers, groups, leader } = three();
    world.until(() => groups.some(({ leads }) => leads));
    const away = groups.findIndex(({ leads }) => !leads);
    groups[away]!.close();
    for (let i = 0; i < 5; i++) leader().propose(operation(`o${i}`));
    world.advance(100);
    leader().takeSnapshot(layers[groups.indexOf(leader())]!.state);
    const layer = new NotingLayer();
    world.servers[away]!.open(GROUP, NAMES, layer, false);
    world.until(() => layer.operations.length === 5);
    expect(layer.told).toContain("restored");
  });

  it("holds back what is committed while the layer pauses", () => {
    const { world, layers, groups, leader } = three();
    world.until(() => groups.some(({ leads }) => leads));
    const paused = groups.findIndex(({ leads }) => !leads);
    groups[paused]!.pause();
    leader().propose(operation("o"));
    world.advance(100);
    expect(layers[paused]!.operations).toEqual([]);
    groups[paused]!.resume();
    world.advance(100);
    expect(layers[paused]!.operations).toEqual(["o"]);
  });

  it("takes forwarded proposals where it leads", () => {
    const { world, layers, groups } = three();
    world.until(() => groups.some(({ leads }) => leads));
    for (const group of groups) group.forward(Buffer.from(group.leads ? "own" : "forwarded"));
    world.advance(100);
    for (const { operations } of layers)
      expect(operations.toSorted()).toEqual(["forwarded", "forwarded", "own"]);
  });

  it("elects another leader at once when the connection to the server of the leader has ended", () => {
    const { world, groups, leader } = three();
    world.until(() => groups.some(({ leads }) => leads));
    const gone = groups.indexOf(leader());
    const others = groups.filter((_, i) => i !== gone);
    const { term } = leader().status;
    world.servers[gone]!.driver.stop();
    for (const { driver } of world.servers) driver.peerLost(world.servers[gone]!.id);
    world.advance(700);
    expect(others.filter(({ leads }) => leads)).toHaveLength(1);
    // the two did not ask for votes against each other
    expect(others.map(({ status }) => status.term)).toEqual([term + 1, term + 1]);
  });

  it("does not elect anybody when a leader is heard again, or another server is gone", () => {
    const { world, groups, leader } = three();
    world.until(() => groups.some(({ leads }) => leads));
    const { term } = leader().status;
    const follower = world.servers[groups.findIndex(({ leads }) => !leads)]!;
    const { id } = world.servers[groups.indexOf(leader())]!;
    for (const { driver } of world.servers) driver.peerLost(follower.id);
    follower.driver.peerLost(id);
    leader().propose(operation("o"));
    world.advance(3000);
    expect(groups.map(({ status }) => status.term)).toEqual([term, term, term]);
  });

  it("brings elections forward once in a while at most, however often a connection breaks", () => {
    const { world, groups, leader } = three();
    world.until(() => groups.some(({ leads }) => leads));
    const gone = groups.indexOf(leader());
    const { id } = world.servers[gone]!;
    const near = world.servers.filter((_, i) => i !== gone);
    for (const { driver } of near) driver.peerLost(id);
    leader().propose(operation("o"));
    world.advance(1000);
    const { term } = leader().status;
    for (const { driver } of near) driver.peerLost(id);
    world.advance(700);
    expect(groups.map(({ status }) => status.term)).toEqual([term, term, term]);
  });

  it("spreads the elections of many groups over time, and the leaderships over the servers", () => {
    const { world, groups } = three();
    const more = Array.from({ length: 299 }, (_, i) => {
      const members = world.servers.map((server) => server.open(`C-R3F-${i}`, NAMES));
      members[0]!.campaign();
      return members;
    });
    groups[0]!.campaign();
    const all = [groups, ...more];
    world.until(() => all.every(([first]) => first!.leads));
    const [gone, ...near] = world.servers;
    gone!.driver.stop();
    for (const { driver } of near) driver.peerLost(gone!.id);
    world.sent.length = 0;
    world.advance(20);
    const requests = (): number => world.sent.filter(({ subject }) => subject.startsWith("$NRG.V.")).length;
    const early = requests();
    world.advance(1000);
    expect(all.every((members) => members.some(({ leads }) => leads))).toBe(true);
    expect(early).toBeLessThan(all.length / 2);
    expect(requests()).toBe(all.length);
    const leads = near.map((_, i) => all.filter((members) => members[i + 1]!.leads).length);
    for (const count of leads) expect(count).toBeGreaterThan(all.length / 3);
  });

  it("sends the heartbeats of all groups to a peer together, and so the answers to them", () => {
    const { world, groups } = three();
    const more = Array.from({ length: 99 }, (_, i) =>
      world.servers.map((server) => server.open(`C${i}`, NAMES)),
    );
    world.until(() => [groups, ...more].every((members) => members.some(({ leads }) => leads)));
    const leaders = [groups, ...more].flat().filter(({ leads }) => leads);
    world.advance(2000);
    world.sent.length = 0;
    world.advance(6000);
    const bundles = world.sent.filter(({ subject }) => subject.startsWith("$SHOAL.RAFT."));
    // ten ticks a second, six pairs of servers, a bundle and its answer
    expect(bundles.length).toBeLessThanOrEqual(6 * 10 * 6 * 2);
    // one heartbeat of eight goes to all who listen, and has two answers
    expect(world.sent.length - bundles.length).toBeLessThanOrEqual(leaders.length * 3);
    expect(leaders.every(({ leads }) => leads)).toBe(true);
  });

  it("removes a peer that another server asks to be removed, where it leads", () => {
    const { world, groups, leader } = three();
    world.until(() => groups.some(({ leads }) => leads));
    const gone = world.servers.find((_, i) => !groups[i]!.leads)!;
    const asking = world.servers.find((server, i) => !groups[i]!.leads && server !== gone)!;
    world.send({
      from: asking,
      subject: `$NRG.RP.${GROUP}`,
      reply: "",
      bytes: Buffer.from(gone.id, "latin1"),
    });
    world.advance(100);
    expect(leader().status.peers.peers).not.toContain(gone.id);
    expect(leader().status.peers.size).toBe(2);
    expect(asking.driver.group(GROUP)!.status.peers).toEqual(leader().status.peers);
  });

  it("ignores a request to remove a peer that does not name one", () => {
    const { world, groups, leader } = three();
    world.until(() => groups.some(({ leads }) => leads));
    const [asking] = world.servers.filter((_, i) => !groups[i]!.leads);
    const { lastIndex } = leader().status;
    for (const text of ["", "short", "somebody", `${world.servers[0]!.id} and more`]) {
      world.send({
        from: asking!,
        subject: `$NRG.RP.${GROUP}`,
        reply: "",
        bytes: Buffer.from(text, "latin1"),
      });
      world.advance(100);
    }
    expect(leader().status.lastIndex).toBe(lastIndex);
  });

  it("sends few heartbeats where nothing happens, and elects nobody meanwhile", () => {
    const { world, groups, leader } = three();
    world.until(() => groups.some(({ leads }) => leads));
    world.advance(15_000);
    const { term } = leader().status;
    world.sent.length = 0;
    world.advance(100_000);
    expect(groups.map(({ status }) => status.term)).toEqual([term, term, term]);
    const heartbeats = world.sent.filter(({ subject }) => subject.startsWith("$NRG.AE."));
    expect(heartbeats.length).toBeLessThanOrEqual(6);
    // one sign of life a second for each pair of servers, and the heartbeats in between with their answers
    expect(world.sent.length).toBeLessThan(6 * 101 + 50);
    for (const { heardMsAgo } of leader().status.followers) expect(heardMsAgo).toBeLessThan(3000);
  });

  it("elects another leader where nothing happens and the leader's server goes silent", () => {
    const { world, groups, leader } = three();
    world.until(() => groups.some(({ leads }) => leads));
    world.advance(15_000);
    const gone = leader();
    world.servers[groups.indexOf(gone)]!.driver.stop();
    const fromMs = world.clock.nowMs();
    world.until(() => groups.some((group) => group !== gone && group.leads));
    expect(world.clock.nowMs() - fromMs).toBeLessThan(20_000);
  });

  it("goes on at once where nothing has happened for long", () => {
    const { world, layers, groups, leader } = three();
    world.until(() => groups.some(({ leads }) => leads));
    world.advance(30_000);
    leader().propose(operation("o"));
    world.advance(100);
    for (const layer of layers) expect(layer.operations).toEqual(["o"]);
  });

  it("is heard at once by a member that starts again, where nothing happens", () => {
    const { world, groups, leader } = three();
    world.until(() => groups.some(({ leads }) => leads));
    world.advance(15_000);
    const { term, leader: id } = leader().status;
    const away = world.servers[groups.findIndex(({ leads }) => !leads)]!;
    away.restart();
    const again = away.open(GROUP, NAMES, new NotingLayer(), false);
    world.advance(1500);
    expect(again.status.leader).toBe(id);
    world.advance(20_000);
    expect(again.status.term).toBe(term);
  });

  it("keeps its leader where signs of life come from nobody", () => {
    const { world, groups, leader } = three();
    world.until(() => groups.some(({ leads }) => leads));
    world.advance(15_000);
    const { term } = leader().status;
    world.speaksBundles = false;
    world.advance(60_000);
    expect(groups.map(({ status }) => status.term)).toEqual([term, term, term]);
  });

  it("sends each heartbeat by itself where a member is no shoal", () => {
    const { world, groups } = three();
    world.speaksBundles = false;
    world.until(() => groups.some(({ leads }) => leads));
    world.advance(3000);
    const bundles = world.sent.filter(({ subject }) => subject.startsWith("$SHOAL"));
    // signs of life alone
    for (const { bytes } of bundles) expect(bytes).toHaveLength(16);
    expect(groups.some(({ leads }) => leads)).toBe(true);
  });

  it("knows who has lost something where nobody is elected since most have, and elects again when one has its disk back", () => {
    const { world, groups } = three();
    world.until(() => groups.some(({ leads }) => leads));
    groups.find(({ leads }) => leads)!.propose(operation("o"));
    world.advance(100);
    const [first, second] = world.servers;
    const { journal } = first!;
    for (const server of [first!, second!]) {
      server.journal = new MemoryJournal();
      server.restart();
      server.open(GROUP, NAMES, new NotingLayer(), false);
    }
    const rest = groups[2]!;
    world.until(() => rest.lostPeers.length === 2);
    expect(rest.lostPeers.toSorted()).toEqual([first!.id, second!.id].toSorted());
    expect(rest.leader).toBe("");
    first!.journal = journal;
    first!.restart();
    first!.open(GROUP, NAMES, new NotingLayer(), false);
    world.until(() => rest.leader !== "" && second!.driver.group(GROUP)!.lostPeers.length === 0);
  });

  it("has one timer for all groups, and none once they are closed", () => {
    const { world, groups } = three();
    for (let i = 0; i < 20; i++) for (const server of world.servers) server.open(`C-R3F-${i}`, NAMES);
    world.until(() => groups.some(({ leads }) => leads));
    expect(world.clock.timerCount).toBe(3);
    for (const server of world.servers) server.driver.stop();
    expect(world.clock.timerCount).toBe(0);
  });
});
