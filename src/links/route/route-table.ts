/**
 * The registered routes by peer and slot, and which of them carries an account: its own route if it is pinned, else the pool
 * slot that its name hashes to, as nats-server does it.
 *
 * Interest in an account is told on the route that carries it, once for each peer.
 */
import { assert } from "../../base/assert.ts";
import type { Chores } from "../../base/chores.ts";
import type { Account } from "../../core/account.ts";
import type { Accounts } from "../../core/accounts.ts";
import type { InterestChange } from "../../core/local-interest.ts";
import type { SubjectRules } from "../../core/permissions.ts";
import { keepsLeavesApart } from "./peer.ts";
import type { InterestName } from "./remote-interest.ts";
import type { RouteSession } from "./session.ts";

interface PeerRoutes {
  readonly pool: Map<number, RouteSession>;
  readonly pinned: Map<string, RouteSession>;
  /** By account that is moving to a route of its own: the one that still carries what is not taken back yet. */
  readonly left: Map<string, RouteSession>;
  poolSize: number;
}

/** What leaf nodes of this server are interested in, which peers are told of beside what clients are. */
export interface LeavesInterest {
  /** Of leaf nodes in an account, by cluster. */
  of(account: Account): Iterable<readonly [leafCluster: string, change: InterestChange]>;
  /** How many there are of all clusters, as `InterestChange` counts. */
  countOf(account: Account, subject: string, queue: string | null): number;
}

/** `leafCluster`: "" of clients of this server. */
type Told = readonly [account: Account, change: InterestChange, leafCluster: string];

export class RouteTable {
  /** null: this server takes no leaf nodes. */
  leaves: LeavesInterest | null = null;
  private readonly peers = new Map<string, PeerRoutes>();
  private readonly accounts: Accounts;

  private readonly chores: Chores;

  constructor(accounts: Accounts, chores: Chores) {
    this.accounts = accounts;
    this.chores = chores;
  }

  /**
   * Adds a registered route and tells its peer of the interest that it carries, in as many rounds as it takes; `told` is called when the
   * peer has been told. Changes of interest are told at once meanwhile. `poolSize` 1 where there is no pool.
   */
  add(session: RouteSession, poolSize: number, told: () => void = () => undefined): void {
    const { registration } = session;
    assert(registration !== null, "a route is registered before it is in the table");
    const { peerId, account, poolIndex } = registration;
    let peer = this.peers.get(peerId);
    if (peer === undefined) {
      peer = { pool: new Map(), pinned: new Map(), left: new Map(), poolSize };
      this.peers.set(peerId, peer);
    }
    peer.poolSize = poolSize;
    const before = account === null ? undefined : carrierOf(peer, account);
    if (account === null) peer.pool.set(poolIndex, session);
    else peer.pinned.set(account, session);
    // An older route of the same account ends.
    const moves = account !== null && before !== undefined && before.registration?.account === null;
    if (moves) peer.left.set(account, before);
    this.tellAll(session);
    if (moves) this.takeBack(account, before, peer);
    this.afterwards(told);
  }

  /** Tells the peer of all interest that the route carries; what it knows already changes nothing. */
  tellAll(session: RouteSession): void {
    let told = 0;
    session.beginTelling();
    this.eachInterest(session, (account, change, leafCluster) => {
      this.tellOn(session, account, change, leafCluster);
      told++;
    });
    this.afterwards(() => {
      session.endTelling();
      session.log.debug("Sent local subscriptions to route", { subscriptions: told });
    });
  }

  /** What may cross has changed. */
  retell(session: RouteSession, before: SubjectRules | null): void {
    this.eachInterest(session, (account, change, leafCluster) => {
      if (leafCluster === "") session.retellInterest(account.name, change, before);
      else this.tellOn(session, account, change, leafCluster);
    });
  }

  /** The account has its own route now: a peer that was told of its interest on both would send every message twice. */
  private takeBack(name: string, from: RouteSession, { left }: PeerRoutes): void {
    const account = this.accounts.get(name);
    if (account !== undefined) {
      const interest = account.localInterest;
      const act = (change: InterestChange): void => {
        if (from.isOpen) from.tellInterest(name, { ...change, count: 0 });
      };
      void this.chores.each({ items: interest, count: interest.size, cost: 1, act });
      this.takeBackLeaves(account, from);
    }
    this.afterwards(() => {
      if (left.get(name) === from) left.delete(name);
    });
  }

  private takeBackLeaves(account: Account, from: RouteSession): void {
    const act = ([leafCluster, change]: readonly [string, InterestChange]): void => {
      if (!from.isOpen) return;
      if (keepsLeavesApart(from.peer))
        from.tellLeafInterest(account.name, { ...change, count: 0 }, leafCluster);
      else from.tellInterest(account.name, { ...change, count: 0 });
    };
    if (this.leaves !== null)
      void this.chores.each({ items: this.leaves.of(account), count: 1, cost: 1, act });
  }

  private eachInterest(session: RouteSession, act: (...told: Told) => void): void {
    let count = 0;
    for (const { localInterest } of this.accounts) count += localInterest.size;
    void this.chores.each({
      items: this.interestOn(session),
      count,
      cost: 1,
      act: (told) => act(...told),
    });
  }

  /** Chores are done in order. Where those before are done, this is done at once. */
  private afterwards(act: () => void): void {
    void this.chores.each({ items: [null], count: 1, cost: 1, act });
  }

  /** Interest here that is told on the route, by account. */
  private *interestOn(session: RouteSession): Generator<Told> {
    const peer = this.peers.get(session.registration?.peerId ?? "");
    if (peer === undefined) return;
    for (const account of this.accounts) {
      if (carrierOf(peer, account.name) !== session) continue;
      for (const change of account.localInterest) {
        if (!session.isOpen) return;
        yield [account, change, ""];
      }
      for (const [leafCluster, change] of this.leaves?.of(account) ?? []) {
        if (!session.isOpen) return;
        yield [account, change, leafCluster];
      }
    }
  }

  private tellOn(session: RouteSession, ...[account, change, leafCluster]: Told): void {
    if (leafCluster !== "" && keepsLeavesApart(session.peer))
      session.tellLeafInterest(account.name, change, leafCluster);
    else session.tellInterest(account.name, this.withLeaves(session, account, change));
  }

  /** As a peer is told that does not keep interest of leaf nodes apart: the sum of all. */
  private withLeaves(session: RouteSession, account: Account, change: InterestChange): InterestChange {
    if (this.leaves === null || keepsLeavesApart(session.peer)) return change;
    const { subject, queue } = change;
    const ofLeaves = this.leaves.countOf(account, subject, queue);
    return { subject, queue, count: account.localInterest.countOf(subject, queue) + ofLeaves };
  }

  /**
   * A peer that moves an account to a route of its own tells of its interest there, and takes it back on the other one a moment
   * later. Of the two the account's own route counts, so that in between no message goes to the peer twice. False: leave it.
   */
  takesInterest({ registration }: RouteSession, told: InterestName): boolean {
    const { account } = told;
    const peer = this.peers.get(registration?.peerId ?? "");
    if (peer === undefined) return true;
    if (registration?.account === account) {
      for (const { interests } of peer.pool.values()) interests.delete(told);
      return true;
    }
    return peer.pinned.get(account)?.interests.has(told) !== true;
  }

  remove(session: RouteSession): void {
    const registration = session.registration;
    const peer = registration === null ? undefined : this.peers.get(registration.peerId);
    if (registration === null || peer === undefined) return;
    if (peer.pool.get(registration.poolIndex) === session) peer.pool.delete(registration.poolIndex);
    if (registration.account !== null && peer.pinned.get(registration.account) === session) {
      peer.pinned.delete(registration.account);
    }
    if (peer.pool.size === 0 && peer.pinned.size === 0) this.peers.delete(registration.peerId);
    assert(!isCarrying(peer, session), "a route that is removed carries nothing");
  }

  /** Tells every peer of a change of the interest here. */
  tell(account: Account, change: InterestChange): void {
    this.tellAbout(account, change, "");
  }

  /** The same for interest of leaf nodes of a cluster. */
  tellOfLeaves(account: Account, change: InterestChange, leafCluster: string): void {
    this.tellAbout(account, change, leafCluster);
  }

  private tellAbout(account: Account, change: InterestChange, leafCluster: string): void {
    const { name } = account;
    for (const peer of this.peers.values()) {
      const carrier = carrierOf(peer, name);
      if (carrier !== undefined) this.tellOn(carrier, account, change, leafCluster);
      // Interest that ends before it is taken back there would stay on that route indefinitely.
      const left = change.count === 0 && peer.left.size > 0 ? peer.left.get(name) : undefined;
      if (left !== undefined) this.tellOn(left, account, change, leafCluster);
    }
  }

  /** Members of a queue group on other servers, as they have told. */
  membersElsewhere(account: Account, subject: string, queue: string): number {
    let count = 0;
    for (const peer of this.peers.values())
      count += carrierOf(peer, account.name)?.interests.membersOf(account, subject, queue) ?? 0;
    return count;
  }

  hasPeer(peerId: string): boolean {
    return this.peers.has(peerId);
  }

  /** Resolves when every route has answered a PING, or has ended: all has arrived that was sent before the answer. */
  async caughtUp(): Promise<void> {
    const answers: Promise<void>[] = [];
    for (const { pool, pinned } of this.peers.values()) {
      for (const { heartbeat } of [...pool.values(), ...pinned.values()])
        answers.push(new Promise((resolve) => heartbeat.roundTrip(resolve)));
    }
    await Promise.all(answers);
  }

  /** One route of each peer. */
  *onePerPeer(): Generator<RouteSession> {
    for (const peer of this.peers.values()) {
      const [session] = [...peer.pool.values(), ...peer.pinned.values()];
      if (session !== undefined) yield session;
    }
  }

  get peerCount(): number {
    return this.peers.size;
  }
}

function isCarrying({ pool, pinned }: PeerRoutes, session: RouteSession): boolean {
  const { poolIndex, account } = session.registration!;
  return pool.get(poolIndex) === session || (account !== null && pinned.get(account) === session);
}

/** A pinned account goes over its own route once there is one; undefined while the slot's route is not there yet. */
function carrierOf(peer: PeerRoutes, account: string): RouteSession | undefined {
  return peer.pinned.get(account) ?? peer.pool.get(poolIndexOf(account, peer.poolSize));
}

/** FNV-1a, 32 bits, over the account's name. */
export function poolIndexOf(account: string, poolSize: number): number {
  if (poolSize <= 1) return 0;
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(account, "utf8")) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash % poolSize;
}
