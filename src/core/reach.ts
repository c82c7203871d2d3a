/**
 * How far a message may go depends on the tier that it came from:
 *
 *     From      Local  Routes  Spokes  Hubs    Gateways
 *     local     yes    yes     yes     yes     yes       clients, streams, the server itself
 *     route     yes            yes                       one hop; the server it entered by serves hubs and gateways
 *     spoke     yes    yes     others  yes     yes       treated like a client's message
 *     hub       yes            yes     others  yes       each server of a spoke cluster has its own connection to the hub
 *     gateway   yes    yes     yes     yes               it enters by one server, which passes it on to the others
 *
 * A leaf connection is of the tier `spoke` where the other end is a spoke and this server the hub, and `hub` the other way round. A plan
 * keeps its neighbours in this order of tiers, so that each row is one range. Nothing goes back to its sender, and nothing that came
 * from a leaf goes to leaves of the same cluster.
 */
export type NeighbourTier = "route" | "spoke" | "hub" | "gateway";
type Tier = "local" | NeighbourTier;

/** The order in which a plan keeps its neighbours. */
export const TIER_ORDER: Readonly<Record<NeighbourTier, number>> = { route: 0, spoke: 1, hub: 2, gateway: 3 };

interface Range {
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
}

export const REACH: Readonly<Record<Tier, Range>> = {
  local: { from: 0, to: 4 },
  route: { from: 1, to: 2 },
  spoke: { from: 0, to: 4 },
  hub: { from: 1, to: 4 },
  gateway: { from: 0, to: 3 },
};

/** Where a message came from. One for each connection, set for one message after the other. */
export class Source {
  readonly tier: Tier;
  /** The subscriber or the neighbour that gets nothing back; null: nobody is left out. */
  sender: object | null;
  /** The cluster of the leaf that it came from, directly or over a route; "": of none. */
  leafCluster = "";
  /** Queue groups that the sending server chose this one for; null: it chose none, all are served. */
  queues: readonly string[] | null = null;

  constructor(tier: Tier, sender: object | null) {
    this.tier = tier;
    this.sender = sender;
  }
}

/** What the server itself says. */
export const OWN_SOURCE: Source = new Source("local", null);
