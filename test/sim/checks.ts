/** What must hold, told as a list of breaches: empty means well. */
import { addressKey } from "../../src/cluster/address.ts";
import type { SimMember } from "./member.ts";
import { NAMES_SETTLE_MS } from "./name-service.ts";
import { ACCOUNTS, KEEPALIVE_MS } from "./scenario.ts";
import { pairBreach, viewOf, type MemberView } from "./views.ts";
import { CHANGING, GIVE_UP_MS, STRANGERS, type World } from "./world.ts";

/**
 * Every pair has exactly one route per slot, both ends agree on which, and each end knows the other's interest. Pairs of
 * two nats-servers are left out: once apart they may stay apart (one implicit dial, then never again). Tells `max` at most.
 */
export function meshBreaches(world: World, max = 50): string[] {
  const views = world.running().map((member) => viewOf(member, world.timeline.nowMs));
  const breaches: string[] = [];
  for (const a of views) {
    for (const b of views) {
      if (breaches.length >= max) return breaches;
      const [member, other] = [a.member, b.member];
      if (other.id <= member.id || !(member.identity.shoal || other.identity.shoal)) continue;
      const breach = pairBreach(a, b);
      if (breach !== undefined) breaches.push(`${member.identity.name} - ${other.identity.name}: ${breach}`);
    }
    if (a.member.identity.shoal) breaches.push(...strangers(world, a));
  }
  return breaches;
}

/** Every member knows where clients reach each of the others. */
export function urlBreaches(world: World): string[] {
  const running = world.running();
  if (running.some(({ identity }) => !identity.shoal)) return [];
  return running.flatMap((member) => {
    const known = member.port.otherConnectUrls("inside").toSorted().join(" ");
    const wanted = running
      .filter((other) => other !== member)
      .map(({ ip }) => `${ip}:4222`)
      .toSorted()
      .join(" ");
    return known === wanted ? [] : [`${member.identity.name} tells clients of ${known}, there are ${wanted}`];
  });
}

function strangers(world: World, { member, peers }: MemberView): string[] {
  const running = new Set(world.running().map((other) => other.id));
  return [...peers.values()]
    .filter((peer) => !running.has(peer.id))
    .map((peer) => `${member.identity.name} still has ${peer.name} (${peer.id}), which is gone`);
}

/** No message twice, and each publisher's in order. */
export function deliveryBreaches(world: World): string[] {
  const breaches: string[] = [];
  for (const member of world.everybody) {
    for (const [key, sequences] of member.clients.received) {
      const at = sequences.findIndex((sequence, i) => i > 0 && sequence <= (sequences[i - 1] as number));
      if (at === -1) continue;
      breaches.push(`${member.identity.name} got ${sequences[at]} after ${sequences[at - 1]} from ${key}`);
    }
  }
  return breaches;
}

/** Enough to cross every kind of pair, few enough for a thousand servers. */
const PUBLISHERS_MAX = 50;

/**
 * While the network is whole, what is published arrives everywhere, once: publishes, returns the check to be made later. A queue
 * group gets a message once in all.
 */
export function publishRound(world: World, rounds: number): () => string[] {
  const expected: { from: SimMember; account: string; sequences: number[] }[] = [];
  const others: (() => string[])[] = [];
  for (const from of world.running().slice(0, PUBLISHERS_MAX)) {
    for (const account of ACCOUNTS) {
      const sequences = Array.from({ length: rounds }, () => world.publish(from, account));
      expected.push({ from, account, sequences });
      for (const subject of new Set(CHANGING.map((topic) => topic.subject.replace("*", "three"))))
        others.push(publishChanging(world, from, account, subject));
    }
  }
  return () => [
    ...expected.flatMap(({ from, account, sequences }) =>
      world.running().flatMap((to) => {
        if (!mayBeHeard(from, to) || !world.subscribes(to, account)) return [];
        const got = new Set(to.clients.received.get(`${from.id} ${account}`));
        const lost = sequences.filter((sequence) => !got.has(sequence));
        return lost.length === 0
          ? []
          : [`${to.identity.name} misses ${lost.length} messages of ${from.identity.name} in ${account}`];
      }),
    ),
    ...others.flatMap((check) => check()),
  ];
}

/** Two nats-servers may stay apart. */
function mayBeHeard(from: SimMember, to: SimMember): boolean {
  return from === to || from.identity.shoal || to.identity.shoal;
}

/** One message on a subject that clients have come to and left. */
function publishChanging(world: World, from: SimMember, account: string, subject: string): () => string[] {
  const text = `${from.id} round`;
  world.publishOn(from, account, subject, text);
  const key = `${account} ${subject} ${text}`;
  const topics = CHANGING.filter((topic) => topic.subject.replace("*", subject.slice(2)) === subject);
  return () => {
    const hearers = world.running().filter((to) => mayBeHeard(from, to));
    const counts = hearers.map((to) => to.clients.heard.get(key) ?? 0);
    const isAllShoal = world.running().every(({ identity }) => identity.shoal);
    if (topics[0]?.queue !== null) {
      const total = counts.reduce((sum, count) => sum + count, 0);
      const members = hearers.filter((to) => topics.some((topic) => to.clients.isSubscribed(account, topic)));
      const wanted = members.length > 0 ? 1 : 0;
      return total === wanted || !isAllShoal
        ? []
        : [`${key}: a queue group got it ${total} times, not ${wanted}`];
    }
    return hearers.flatMap((to, i) => {
      const wanted = topics.filter((topic) => to.clients.isSubscribed(account, topic)).length;
      return counts[i] === wanted ? [] : [`${to.identity.name} got ${key} ${counts[i]} times, not ${wanted}`];
    });
  };
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
