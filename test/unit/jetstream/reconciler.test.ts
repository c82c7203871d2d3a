/** What a server keeps, compared with what its cluster has agreed on: on the virtual clock. */
import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import type { Difference } from "../../../src/jetstream/differences.ts";
import { Reconciler } from "../../../src/jetstream/reconciler.ts";
import { JetStreamClusterReport } from "../../../src/jetstream/cluster-report.ts";
import { JetStreamReport } from "../../../src/jetstream/report.ts";
import { healthz } from "../../../src/monitor/healthz.ts";
import { Query } from "../../../src/monitor/query.ts";
import type { MonitorSource } from "../../../src/monitor/source.ts";
import { QuietCluster } from "../../support/quiet-cluster.ts";

const ROUND_MS = 60_000;
const ORPHAN: Difference = {
  kind: "a folder of nothing that is assigned",
  account: "A",
  stream: "S",
  consumer: "",
  group: "",
};

function reconcilerOf(found: () => readonly Difference[], isCurrent: () => boolean) {
  const clock = new VirtualClock(0);
  const mended: Difference[] = [];
  const reconciler = new Reconciler({
    clock,
    logger: silentLogger,
    soon: (work) => void clock.setTimer(0, work),
    isCurrent,
    *differences() {
      for (let i = 0; i < 200; i++) yield null;
      yield* found();
    },
    mend: (difference) => void mended.push(difference),
    afterRound: () => {},
  });
  reconciler.start();
  return { clock, mended, reconciler };
}

describe("the reconciler", () => {
  it("shows a difference after one round, and mends it after two", () => {
    const { clock, mended, reconciler } = reconcilerOf(
      () => [ORPHAN],
      () => true,
    );
    clock.advance(ROUND_MS);
    expect(reconciler.shown).toEqual([ORPHAN]);
    expect(mended).toEqual([]);
    clock.advance(ROUND_MS);
    expect(mended).toEqual([ORPHAN]);
    reconciler.stop();
    expect(clock.timerCount).toBe(0);
  });

  it("mends nothing that was there in one round alone, or while the server is behind its leader", () => {
    let found: readonly Difference[] = [ORPHAN];
    let isCurrent = true;
    const { clock, mended, reconciler } = reconcilerOf(
      () => found,
      () => isCurrent,
    );
    clock.advance(ROUND_MS);
    found = [];
    clock.advance(ROUND_MS);
    expect(reconciler.shown).toEqual([]);
    found = [ORPHAN];
    clock.advance(ROUND_MS);
    isCurrent = false;
    clock.advance(ROUND_MS);
    isCurrent = true;
    clock.advance(ROUND_MS);
    expect(mended).toEqual([]);
    clock.advance(ROUND_MS);
    expect(mended).toEqual([ORPHAN]);
    reconciler.stop();
  });

  it("of a server finds nothing to mend where all is well", () => {
    const cluster = new QuietCluster().start();
    cluster.ask("STREAM.CREATE.S", { name: "S", subjects: ["s"], num_replicas: 3 });
    const config = { durable_name: "c", ack_policy: "explicit" };
    cluster.ask("CONSUMER.CREATE.S.c", { stream_name: "S", config });
    cluster.ask("STREAM.CREATE.T", { name: "T", subjects: ["t"] });
    cluster.advance(3 * ROUND_MS);
    for (const { cluster: of } of cluster.servers) {
      expect(of!.reconciler.shown).toEqual([]);
      expect(of!.reconciler.mended).toBe(0);
    }
  });

  it("of a server opens what was forgotten, puts orphans aside, and removes logs of nothing", () => {
    const cluster = new QuietCluster().start();
    cluster.ask("STREAM.CREATE.T", { name: "T", subjects: ["t"], num_replicas: 3 });
    const server = cluster.server("n1");
    const { assets, reconciler } = server.cluster!;
    const follow = assets.follow.bind(assets);
    assets.follow = () => {};
    cluster.send(
      "$SYS",
      "$JS.API.STREAM.CREATE.S",
      JSON.stringify({ name: "S", num_replicas: 3 }),
      INFO,
      "n2",
    );
    cluster.until("the others to have it", () => cluster.keepers("S").length === 2);
    assets.follow = follow;
    const disk = server["disk"];
    disk.replace("/js/A/streams/ORPHAN/meta.json", Buffer.from("{}"));
    disk.replace("/js/A/streams/T/obs/gone/meta.json", Buffer.from("{}"));
    const { memory } = server["groups"]!["options"].journals;
    const log = memory.open("S-R3M-orphan");
    log.save({ term: 1, vote: "", loss: "none" });
    log.close();
    cluster.until("a round", () => reconciler.shown.length > 0);
    expect(
      reconciler.shown.map(({ kind, stream, consumer, group }) => [kind, stream, consumer, group]),
    ).toEqual([
      ["assigned, not open", "S", "", ""],
      ["a folder of nothing that is assigned", "T", "gone", ""],
      ["a folder of nothing that is assigned", "ORPHAN", "", ""],
      ["a log of nothing that is assigned", "", "", "S-R3M-orphan"],
    ]);
    const { body } = healthOf(cluster, "n1");
    expect(JSON.parse(body)).toMatchObject({
      differences: [
        { difference: "assigned, not open", account: "A", stream: "S" },
        { difference: "a folder of nothing that is assigned", account: "A", stream: "T", consumer: "gone" },
        { difference: "a folder of nothing that is assigned", account: "A", stream: "ORPHAN" },
        { difference: "a log of nothing that is assigned", group: "S-R3M-orphan" },
      ],
    });
    expect(cluster.contents("n1", "S")).toBeNull();
    cluster.advance(ROUND_MS + 1000);
    expect(cluster.contents("n1", "S")).toEqual([]);
    expect(disk.names("/js/A/quarantine").map((name) => name.split("-").slice(0, 2).join("-"))).toEqual([
      "consumer-gone",
      "stream-ORPHAN",
    ]);
    expect(memory.groups).not.toContain("S-R3M-orphan");
    cluster.advance(ROUND_MS);
    expect(reconciler.shown).toEqual([]);
    expect(reconciler.mended).toBe(4);
  });

  it("gives a stream the copies that it lacks when there are servers for them again", () => {
    const cluster = new QuietCluster(["n1", "n2", "n3"]).start();
    cluster.ask("STREAM.CREATE.S", { name: "S", subjects: ["s"], num_replicas: 3 });
    const leader = cluster.servers.find((one) => one.cluster!.meta.leads)!;
    const { meta } = leader.cluster!;
    const placed = meta.assignments.stream("A", "S")!;
    const two = placed.assignment.group.peers.slice(0, 2);
    // as after the removal of a server for which there was no other
    for (const server of cluster.servers) {
      const at = server.cluster!.meta.assignments.stream("A", "S")!;
      at.assignment = { ...at.assignment, group: { ...at.assignment.group, peers: two } };
    }
    cluster.until("a third copy to be wanted", () => {
      const { group } = meta.assignments.stream("A", "S")!.assignment;
      return group.peers.length === 3 && group.desired === undefined;
    });
    cluster.until("three copies", () => cluster.keepers("S").length === 3);
  });
});

/** What `/healthz` with details says of a server. */
function healthOf(cluster: QuietCluster, name: string): { readonly body: string } {
  const { jetStream, cluster: of } = cluster.server(name);
  const report = new JetStreamReport(jetStream!, new JetStreamClusterReport(of!));
  const source = { whyNotReady: () => null, jetStream: () => ({ report }), unconnectedRemotes: () => [] };
  const answer = healthz(source as unknown as MonitorSource, new Query("details=1"));
  return { body: [...answer.body].join("") };
}

const INFO = 'NATS/1.0\r\nNats-Request-Info: {"acc":"A"}\r\n\r\n';
