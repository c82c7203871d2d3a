/** Leaderships that are spread over the servers of a cluster, and copies over zones: on the virtual clock. */
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.ts";
import { place, type Candidate, type PlacementWish } from "../../../src/jetstream/meta/placement.ts";
import { QuietCluster } from "../../support/quiet-cluster.ts";

const STREAMS = ["S1", "S2", "S3", "S4", "S5", "S6"];
const TELL_MS = 5000;
const CALM_MS = 60_000;

/** Groups that each server leads. */
const led = (cluster: QuietCluster): number[] =>
  cluster.servers.map(
    ({ cluster: of }) => STREAMS.filter((name) => of!.assets.standing("A", name, "") === "leads").length,
  );

/** Six streams, all led by n1. */
function onOne(cluster: QuietCluster): void {
  for (const name of STREAMS)
    cluster.ask(`STREAM.CREATE.${name}`, { name, subjects: [name], num_replicas: 3 });
  cluster.until("n1 to lead all", () => {
    for (const name of STREAMS) {
      const leader = cluster.servers.find((one) => one.cluster!.assets.standing("A", name, "") === "leads");
      if (leader !== undefined && leader.name !== "n1")
        leader.cluster!.assets.stepDown("A", name, "", cluster.server("n1").cluster!.self);
    }
    cluster.advance(200);
    return led(cluster)[0] === STREAMS.length;
  });
}

const moves = (cluster: QuietCluster): number =>
  cluster.servers.reduce((sum, { cluster: of }) => sum + of!.balancer!.moves, 0);

describe("leaderships", () => {
  it("are spread, one move after the other, once all has been well for a minute", () => {
    const cluster = new QuietCluster(["n1", "n2", "n3"], { balances: true }).start();
    onOne(cluster);
    cluster.advance(CALM_MS / 2);
    expect(led(cluster)).toEqual([6, 0, 0]);
    const seen: number[] = [];
    for (let i = 0; i < 30; i++) {
      cluster.advance(TELL_MS);
      seen.push(moves(cluster));
    }
    expect(led(cluster)).toEqual([2, 2, 2]);
    expect(moves(cluster)).toBe(4);
    for (const [i, count] of seen.entries()) expect(count - (seen[i - 1] ?? 0)).toBeLessThanOrEqual(1);
  });

  it("stay where they are while a server is away", () => {
    const cluster = new QuietCluster(["n1", "n2", "n3"], { balances: true }).start();
    onOne(cluster);
    cluster.kill("n3");
    cluster.advance(4 * CALM_MS);
    expect(cluster.server("n1").cluster!.balancer!.moves).toBe(0);
    cluster.server("n3").start();
    cluster.until("a move", () => led(cluster)[0]! < STREAMS.length);
  });

  it("stay where they are where that is switched off", () => {
    const cluster = new QuietCluster().start();
    onOne(cluster);
    cluster.advance(4 * CALM_MS);
    expect(led(cluster)).toEqual([6, 0, 0]);
    expect(cluster.server("n1").cluster!.balancer).toBeNull();
  });
});

describe("copies of a stream", () => {
  const wish: PlacementWish = {
    ...{ replicas: 3, storage: "file", maxBytes: 0, cluster: "C", tags: [], uniqueTag: "" },
  };
  const candidate = (name: string, tags: readonly string[], more: Partial<Candidate> = {}): Candidate => ({
    ...{ peer: name, name, id: name, cluster: "C", tags, hasJetStream: true, isOnline: true, heardMs: 0 },
    ...{ fileBytesLeft: 1e9, memoryBytesLeft: 1e9, haAssets: 0, streams: 0, led: [], ...more },
  });
  const zones = (found: readonly string[] | string): string[] =>
    (Array.isArray(found) ? (found as readonly string[]) : [String(found)])
      .map((peer) => peer[0]!)
      .toSorted();
  const nine = ["a", "b", "c"].flatMap((zone) =>
    [1, 2, 3].map((n) => candidate(`${zone}${n}`, [`zone:${zone}`], { streams: zone === "a" ? 0 : 10 })),
  );

  it.each(["zone:", "az:"])(
    "are spread over the zones that tags name, as in %s, even where others have more room",
    (prefix) => {
      const candidates = nine.map((one) => ({ ...one, tags: [one.tags[0]!.replace("zone:", prefix)] }));
      for (let seed = 0; seed < 20; seed++) {
        const found = place(wish, { candidates, kept: [] }, seededRandom(seed));
        expect(zones(found)).toEqual(["a", "b", "c"]);
      }
    },
  );

  it("count those that keep it already", () => {
    const kept = nine.filter(({ name }) => name === "a1" || name === "b1");
    const candidates = nine.filter((one) => !kept.includes(one));
    const found = place({ ...wish, replicas: 1 }, { candidates, kept }, seededRandom(1));
    expect(zones(found)).toEqual(["c"]);
  });

  it("share a zone where there are fewer, and a server that is there comes first", () => {
    const two = nine.filter(({ name }) => !name.startsWith("c"));
    expect(zones(place(wish, { candidates: two, kept: [] }, seededRandom(1)))).toEqual(["a", "a", "b"]);
    const away = nine.map((one) => (one.name.startsWith("c") ? { ...one, isOnline: false } : one));
    expect(zones(place(wish, { candidates: away, kept: [] }, seededRandom(1)))).toEqual(["a", "a", "b"]);
  });

  it("differ in the tag that unique_tag names, or are refused", () => {
    const strict = { ...wish, uniqueTag: "zone:" };
    expect(zones(place(strict, { candidates: nine, kept: [] }, seededRandom(1)))).toEqual(["a", "b", "c"]);
    const two = nine.filter(({ name }) => !name.startsWith("c"));
    const without = [...two, candidate("x", [])];
    expect(place(strict, { candidates: without, kept: [] }, seededRandom(1))).toContain(
      "server tag not unique",
    );
    // who asks for a zone by its tag has chosen
    const chosen = { ...strict, tags: ["zone:a"] };
    expect(zones(place(chosen, { candidates: nine, kept: [] }, seededRandom(1)))).toEqual(["a", "a", "a"]);
  });
});
