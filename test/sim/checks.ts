/** What must hold, told as a list of breaches: empty means well. */

import type { PeerSnapshot } from "../../src/cluster/mesh-types.ts";
import { addressKey } from "../../src/cluster/address.ts";
import { interestKey } from "./interest.ts";
import type { SimMember } from "./member.ts";
import { NAMES_SETTLE_MS } from "./name-service.ts";
import { ACCOUNTS, KEEPALIVE_MS } from "./scenario.ts";
import { GIVE_UP_MS, STRANGERS, type World } from "./world.ts";

/**
 * Every pair has exactly one route per slot, both ends agree on which, and each end knows the other's interest. Pairs of
 * two nats-servers are left out: once apart they may stay apart (one implicit dial, then never again). Tells `max` at most.
 */
export function meshBreaches(world: World, max = 50): string[] {
  const running = world.running();
  const peersOf = new Map(
    running.map((member) => {
      const peers = member.mesh.snapshot(world.timeline.nowMs).peers;
      return [member, new Map(peers.map((peer) => [peer.id, peer]))] as const;
    }),
  );
  const breaches: string[] = [];
  for (const [member, peers] of peersOf) {
    for (const [other, otherPeers] of peersOf) {
      if (breaches.length >= max) return breaches;
      if (other.id <= member.id || !(member.identity.shoal || other.identity.shoal)) continue;
      const breach = pairBreach(member, other, peers.get(other.id), otherPeers.get(member.id));
      if (breach !== undefined) breaches.push(`${member.identity.name} - ${other.identity.name}: ${breach}`);
    }
    if (member.identity.shoal) breaches.push(...strangers(world, member, peers));
  }
  return breaches;
}

function pairBreach(
  a: SimMember,
  b: SimMember,
  aSide: PeerSnapshot | undefined,
  bSide: PeerSnapshot | undefined,
): string | undefined {
  if (aSide === undefined || bSide === undefined) return "not connected";
  const links = slotLinks(a, aSide);
  const otherLinks = slotLinks(b, bSide);
  if (links.includes("-")) return `empty slot: ${links} | ${otherLinks}`;
  if (links !== otherLinks) return `the ends disagree: ${links} | ${otherLinks}`;
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    const known = from.interest.interestFrom(to.id);
    const wanted = to.identity.subscriptions.map(({ account, subject }) => interestKey(account, subject));
    if (known.size !== wanted.length || !wanted.every((key) => known.has(key))) return "interest differs";
    if (from.interest.routeCount(to.id) !== links.split(" ").length) return "routes outside of the slots";
  }
  return undefined;
}

/** Link numbers by slot and pinned account, "-" where there is none. */
function slotLinks(member: SimMember, peer: PeerSnapshot): string {
  const accounts = peer.noPool ? [] : peer.accounts;
  const conns = [...peer.slots, ...accounts.map((account) => account.connId)];
  return conns.map((connId) => (connId === undefined ? "-" : (member.linkOf(connId) ?? "-"))).join(" ");
}

function strangers(world: World, member: SimMember, peers: ReadonlyMap<string, PeerSnapshot>): string[] {
  const running = new Set(world.running().map((other) => other.id));
  return [...peers.values()]
    .filter((peer) => !running.has(peer.id))
    .map((peer) => `${member.identity.name} still has ${peer.name} (${peer.id}), which is gone`);
}

/** No message twice, and each publisher's in order. */
export function deliveryBreaches(world: World): string[] {
  const breaches: string[] = [];
  for (const member of world.everybody) {
    for (const [key, sequences] of member.interest.received) {
      const at = sequences.findIndex((sequence, i) => i > 0 && sequence <= (sequences[i - 1] as number));
      if (at === -1) continue;
      breaches.push(`${member.identity.name} got ${sequences[at]} after ${sequences[at - 1]} from ${key}`);
    }
  }
  return breaches;
}

/** Enough to cross every kind of pair, few enough for a thousand servers. */
const PUBLISHERS_MAX = 50;

/** While the network is whole, what is published arrives everywhere: publishes, returns the check to be made later. */
export function publishRound(world: World, rounds: number): () => string[] {
  const expected: { from: SimMember; account: string; sequences: number[] }[] = [];
  for (const from of world.running().slice(0, PUBLISHERS_MAX)) {
    for (const account of ACCOUNTS) {
      const sequences = Array.from({ length: rounds }, () => world.publish(from, account));
      expected.push({ from, account, sequences });
    }
  }
  return () =>
    expected.flatMap(({ from, account, sequences }) =>
      world.running().flatMap((to) => {
        if (to === from || !(to.identity.shoal || from.identity.shoal)) return [];
        if (!to.identity.subscriptions.some((subscription) => subscription.account === account)) return [];
        const got = new Set(to.interest.received.get(`${from.id} ${account}`));
        const lost = sequences.filter((sequence) => !got.has(sequence));
        return lost.length === 0
          ? []
          : [`${to.identity.name} misses ${lost.length} messages of ${from.identity.name} in ${account}`];
      }),
    );
}

/** Nobody dials a server that left for good, once there was time to notice and to give it up. */
export function staleDialBreaches(
  world: World,
  listed: (member: SimMember, ip: string) => boolean,
): string[] {
  const breaches: string[] = [];
  for (const [name, leftMs] of world.left) {
    const gone = world.members.get(name) as SimMember;
    const key = addressKey(gone.ip, gone.identity.port);
    const quietFromMs =
      Math.max(leftMs, world.scenario.faultSeconds * 1000) +
      KEEPALIVE_MS +
      GIVE_UP_MS +
      (world.scenario.topology === "dns" ? NAMES_SETTLE_MS : 0) +
      1000;
    for (const member of world.running()) {
      if (!member.identity.shoal || listed(member, gone.ip)) continue;
      const stale = member.dialledKeys.filter((dial) => dial.key === key && dial.atMs > quietFromMs);
      if (stale.length > 0)
        breaches.push(`${member.identity.name} dialled ${name} ${stale.length} times after it left`);
    }
  }
  return breaches;
}

/** A DNS that lies costs each stranger a bounded number of dials, and nobody of another cluster becomes a member. */
export function liesBelieved(world: World): string[] {
  const breaches: string[] = [];
  if (world.scenario.topology !== "dns") return breaches;
  const guests = world.outsider?.mesh.snapshot(world.timeline.nowMs).peers ?? [];
  if (guests.length > 0) breaches.push(`${guests.length} members have a route to another cluster`);
  for (const member of world.everybody) {
    for (const { host, port } of STRANGERS) {
      const key = addressKey(host, port);
      const times = member.dialledKeys.filter((dial) => dial.key === key).map(({ atMs }) => atMs);
      const lastFew = times.slice(STRANGER_DIALS);
      const early = lastFew.filter(
        (atMs, i) => atMs - (times[i] as number) < STRANGER_DIALS * STRANGER_GAP_MS,
      );
      if (early.length > 0)
        breaches.push(`${member.identity.name} dialled ${key} too often: ${early.join(" ")}`);
    }
  }
  return breaches;
}

/** Of so many dials in a row, the last comes no sooner after the first than these gaps amount to. */
const STRANGER_DIALS = 20;
const STRANGER_GAP_MS = 600;
