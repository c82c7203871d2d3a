/**
 * Messages among servers of several clusters, their gateways, and clusters of leaves, with stubs for the connections: whoever publishes,
 * each subscriber within reach gets the message once, each queue group once in all, and nothing loops.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { HeadDialect } from "../../src/core/heads.ts";
import { Interest } from "../../src/core/interest.ts";
import { Source, type NeighbourTier } from "../../src/core/reach.ts";
import { publish } from "../../src/core/router.ts";
import { RemoteInterest, Subscription, type Neighbour } from "../../src/core/subscription.ts";
import { Message } from "../../src/protocol/message.ts";
import { hashBytes } from "../../src/slab/hash.ts";
import { AREA } from "../../src/slab/layout.ts";
import { writeText } from "../../src/slab/memory.ts";

const SUBJECT = "s";
/** More forwards than any message takes here: it loops. */
const FORWARDS_MAX = 200;
const RANKS = { route: 1, spoke: 3, hub: 3, gateway: 4 };
const REVERSE: Record<NeighbourTier, NeighbourTier> = {
  route: "route",
  spoke: "hub",
  hub: "spoke",
  gateway: "gateway",
};

interface Cluster {
  readonly name: string;
  /** The cluster whose leaf it is; null: it has gateways to the others without one. */
  readonly hub: Cluster | null;
  readonly servers: Server[];
}

/** What one connection has told of interest: the cluster of the leaf that it is of ("": of none), and the queue group. */
interface Told {
  readonly leafCluster: string;
  readonly queue: string | null;
}

class Link implements Neighbour {
  chosenQueues = "";
  readonly rank: number;
  readonly tier: NeighbourTier;
  readonly dialect: HeadDialect;
  readonly leafCluster: string;
  readonly to: Server;
  readonly told = new Map<string, Told>();
  /** Gateways go one way: what comes by one has no link back. */
  reverse: Link | null = null;
  private readonly world: World;

  constructor(world: World, to: Server, tier: NeighbourTier) {
    this.world = world;
    this.to = to;
    this.tier = tier;
    this.dialect = tier === "route" || tier === "gateway" ? "route" : "client";
    this.rank = RANKS[tier];
    this.leafCluster = tier === "spoke" ? to.cluster.name : "";
  }

  forward(_plan: unknown, _message: Message, queues: string): void {
    const names = queues.split(" ").filter((name) => name !== "");
    this.world.waiting.push({ link: this, queues: names, leafCluster: this.world.leafCluster });
  }
}

class Server {
  readonly interest = new Interest("$G");
  readonly links: Link[] = [];
  /** Of gateways that other clusters dialled: they are told of interest here. */
  readonly asked: Link[] = [];
  readonly own: Told[] = [];
  readonly cluster: Cluster;
  private readonly world: World;

  constructor(world: World, cluster: Cluster) {
    this.world = world;
    this.cluster = cluster;
  }

  subscribe(queue: string | null): void {
    const name = `${this.cluster.name}${this.cluster.servers.indexOf(this)}#${this.own.length}`;
    const deliver = (): boolean => this.world.got.push(queue ?? name) > 0;
    this.interest.add(new Subscription({ deliver }, SUBJECT, queue, "1"));
    this.own.push({ leafCluster: "", queue });
    if (queue === null) this.world.subscribers.push(name);
    else this.world.groups.add(queue);
  }

  /** Interest here by the tier that it was heard of, as the link's other end may be told of it. */
  heardBut(link: Link): { readonly tier: "local" | NeighbourTier; readonly told: Told }[] {
    const own = this.own.map((told) => ({ tier: "local" as const, told }));
    const others = this.links.filter((one) => one !== link);
    return [
      ...own,
      ...others.flatMap(({ tier, told }) => [...told.values()].map((one) => ({ tier, told: one }))),
    ];
  }
}

/** The interest that a tier is told of, by that tier. */
const TOLD_TO: Record<NeighbourTier, readonly string[]> = {
  route: ["local", "spoke"],
  gateway: ["local", "spoke", "route"],
  hub: ["local", "spoke"],
  spoke: ["local", "route", "hub", "gateway", "spoke"],
};

class World {
  readonly waiting: { link: Link; queues: string[]; leafCluster: string }[] = [];
  readonly got: string[] = [];
  readonly subscribers: string[] = [];
  readonly groups = new Set<string>();
  readonly servers: Server[] = [];
  /** Leaf cluster of the message that is under way: as a route names it to the next server. */
  leafCluster = "";

  connect(one: Server, other: Server, tier: NeighbourTier): void {
    const there = new Link(this, other, tier);
    const back = new Link(this, one, REVERSE[tier]);
    there.reverse = back;
    back.reverse = there;
    one.links.push(there);
    other.links.push(back);
  }

  gateway(from: Server, to: Server): void {
    const link = new Link(this, to, "gateway");
    from.links.push(link);
    to.asked.push(link);
  }

  /** Interest spreads until nobody hears of anything new. */
  spread(): void {
    for (let isNew = true; isNew;) {
      isNew = false;
      for (const server of this.servers) {
        const asking = server.links.flatMap((link) => (link.reverse === null ? [] : [link.reverse]));
        for (const link of [...asking, ...server.asked]) isNew = this.tell(server, link) || isNew;
      }
    }
  }

  /** `link` leads to the server; whoever is at its other end is told. */
  private tell(server: Server, link: Link): boolean {
    const toTier = link.tier === "gateway" ? "gateway" : REVERSE[link.tier];
    const listener = link.reverse?.to;
    let isNew = false;
    for (const { tier, told } of server.heardBut(link.reverse ?? link)) {
      if (!TOLD_TO[toTier].includes(tier)) continue;
      if (toTier === "spoke" && told.leafCluster === listener?.cluster.name) continue;
      const leafCluster = link.tier === "route" ? told.leafCluster : link.leafCluster;
      const key = `${leafCluster} ${told.queue}`;
      if (link.told.has(key)) continue;
      link.told.set(key, { leafCluster, queue: told.queue });
      isNew = true;
    }
    return isNew;
  }

  listen(): void {
    for (const { interest, links } of this.servers) {
      for (const link of links) {
        for (const { leafCluster, queue } of link.told.values()) {
          const item = new RemoteInterest(link, SUBJECT, queue, 1);
          item.leafCluster = leafCluster;
          interest.add(item);
        }
      }
    }
  }

  publishAt(server: Server): void {
    this.got.length = 0;
    this.leafCluster = "";
    this.carry(server, new Source("local", null));
    for (let forwards = 0; this.waiting.length > 0; forwards++) {
      if (forwards > FORWARDS_MAX) throw new Error("a message loops");
      const { link, queues, leafCluster } = this.waiting.shift()!;
      const source = new Source(link.tier === "gateway" ? "gateway" : REVERSE[link.tier], link.reverse);
      source.queues = queues;
      if (source.tier === "route") source.leafCluster = leafCluster;
      if (source.tier === "spoke") source.leafCluster = link.reverse!.to.cluster.name;
      this.leafCluster = source.leafCluster;
      this.carry(link.to, source);
    }
  }

  private carry(server: Server, source: Source): void {
    const { at } = AREA.mapped;
    writeText(at, SUBJECT);
    const plan = server.interest.plan(at, SUBJECT.length, hashBytes(at, SUBJECT.length));
    publish(plan, new Message(), source);
  }

  end(): void {
    for (const { interest } of this.servers) interest[Symbol.dispose]();
  }
}

/** Clusters with one to three servers. `hubs`: for each cluster behind the first that of which it is a leaf; itself: none. */
const shape = fc.record({
  sizes: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 5 }),
  hubs: fc.array(fc.nat(5), { minLength: 5, maxLength: 5 }),
  picks: fc.array(fc.nat(100), { minLength: 12, maxLength: 12 }),
  subscribed: fc.array(fc.tuple(fc.nat(20), fc.constantFrom(null, null, "q", "p")), {
    minLength: 1,
    maxLength: 6,
  }),
});

function build({ sizes, hubs, picks }: { sizes: number[]; hubs: number[]; picks: number[] }): World {
  const world = new World();
  const clusters: Cluster[] = [];
  let pick = 0;
  const oneOf = (cluster: Cluster): Server =>
    cluster.servers[picks[pick++ % picks.length]! % cluster.servers.length]!;
  for (const [i, size] of sizes.entries()) {
    const hub = i === 0 || hubs[i]! >= i ? null : clusters[hubs[i]!]!;
    const cluster: Cluster = { name: "ABCDE"[i]!, hub, servers: [] };
    clusters.push(cluster);
    for (let k = 0; k < size; k++) cluster.servers.push(new Server(world, cluster));
    world.servers.push(...cluster.servers);
    for (const [k, one] of cluster.servers.entries())
      for (const other of cluster.servers.slice(k + 1)) world.connect(one, other, "route");
    if (hub !== null) for (const one of cluster.servers) world.connect(one, oneOf(hub), "hub");
  }
  const roots = clusters.filter(({ hub }) => hub === null);
  for (const one of roots)
    for (const other of roots)
      if (one !== other) for (const server of one.servers) world.gateway(server, oneOf(other));
  return world;
}

describe("a message among clusters, gateways and leaves", () => {
  it("reaches each subscriber once and each queue group once, wherever it is published", () => {
    fc.assert(
      fc.property(shape, ({ subscribed, ...how }) => {
        const world = build(how);
        for (const [at, queue] of subscribed) world.servers[at % world.servers.length]!.subscribe(queue);
        world.spread();
        world.listen();
        const wanted = [...world.subscribers, ...world.groups].sort();
        for (const server of world.servers) {
          world.publishAt(server);
          expect([...world.got].sort()).toEqual(wanted);
        }
        world.end();
      }),
      { numRuns: 2000 },
    );
  });

  it("takes the nearest member of a queue group that is within reach of its source", () => {
    const world = new World();
    const [hub, other, spoke] = ["B", "A", "S"].map((name): Cluster => ({ name, hub: null, servers: [] }));
    for (const cluster of [hub!, hub!, other!, spoke!]) cluster.servers.push(new Server(world, cluster));
    const [near, second] = hub!.servers;
    const [far] = other!.servers;
    const [leaf] = spoke!.servers;
    world.servers.push(near!, second!, far!, leaf!);
    world.connect(near!, second!, "route");
    world.connect(leaf!, near!, "hub");
    world.gateway(near!, far!);
    const heard: string[] = [];
    for (const [name, server] of [["second", second!] as const, ["far", far!] as const]) {
      const deliver = (): boolean => heard.push(name) > 0;
      server.interest.add(new Subscription({ deliver }, SUBJECT, "q", "1"));
      server.own.push({ leafCluster: "", queue: "q" });
    }
    world.spread();
    world.listen();
    for (let i = 0; i < 4; i++) world.publishAt(leaf!);
    expect(heard).toEqual(["second", "second", "second", "second"]);
    world.end();
  });

  it("does not cross a leaf cluster of which one server alone is connected to the hub", () => {
    const world = new World();
    const hub: Cluster = { name: "B", hub: null, servers: [] };
    const spoke: Cluster = { name: "S", hub, servers: [] };
    for (const cluster of [hub, spoke])
      for (let i = 0; i < 2; i++) cluster.servers.push(new Server(world, cluster));
    world.servers.push(...hub.servers, ...spoke.servers);
    for (const { servers } of [hub, spoke]) world.connect(servers[0]!, servers[1]!, "route");
    world.connect(spoke.servers[0]!, hub.servers[0]!, "hub");
    for (const server of world.servers) server.subscribe(null);
    world.spread();
    world.listen();
    const got = world.servers.map((server) => {
      world.publishAt(server);
      return [...world.got].sort().join(" ");
    });
    const all = "B0#0 B1#0 S0#0";
    expect(got).toEqual([all, all, "B0#0 B1#0 S0#0 S1#0", "S0#0 S1#0"]);
    world.end();
  });
});
