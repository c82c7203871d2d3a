/** What one member holds of another one, and what is wrong between the two. */
import { interestKey } from "../../src/core/local-interest.ts";
import type { PeerSnapshot } from "../../src/cluster/mesh-types.ts";
import type { RouteSession } from "../../src/links/route/session.ts";
import type { SimMember } from "./member.ts";

/** What one member holds of each other one, looked at once. */
export interface MemberView {
  readonly member: SimMember;
  readonly peers: ReadonlyMap<string, PeerSnapshot>;
  readonly routes: ReadonlyMap<string, readonly RouteSession[]>;
}

export function viewOf(member: SimMember, nowMs: number): MemberView {
  const routes = new Map<string, RouteSession[]>();
  for (const session of member.port.sessions.values()) {
    const { registration } = session;
    if (registration === null) continue;
    const known = routes.get(registration.peerId);
    if (known === undefined) routes.set(registration.peerId, [session]);
    else known.push(session);
  }
  return { member, routes, peers: new Map(member.mesh.snapshot(nowMs).peers.map((peer) => [peer.id, peer])) };
}

/** The problem between two members, as both ends see it; undefined: none. */
export function pairBreach(a: MemberView, b: MemberView): string | undefined {
  const links = slotLinks(a, b.member);
  const otherLinks = slotLinks(b, a.member);
  if (links === "" || otherLinks === "") return "not connected";
  if (links.includes("-")) return `empty slot: ${links} | ${otherLinks}`;
  if (links !== otherLinks) return `the ends disagree: ${links} | ${otherLinks}`;
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    const routes = from.routes.get(to.member.id) ?? [];
    const breach = interestBreach(routes, to.member);
    if (breach !== undefined) return breach;
    if (routes.length !== links.split(" ").length) return "routes outside of the slots";
  }
  return undefined;
}

/** What the other end of `routes` believes of the interest of `to`: each route tells a part of it. */
function interestBreach(routes: readonly RouteSession[], to: SimMember): string | undefined {
  const believed = new Map<string, number>();
  for (const { interests } of routes) {
    for (const [account, { subject, queue, weight }] of interests.withAccounts()) {
      const key = `${account} ${interestKey(subject, queue)}`;
      if (believed.has(key)) return `interest in ${key} is told on two routes`;
      believed.set(key, queue === null ? 1 : weight);
    }
  }
  for (const { name, localInterest } of to.accounts) {
    for (const { subject, queue, count } of localInterest) {
      const key = `${name} ${interestKey(subject, queue)}`;
      if (believed.get(key) !== (queue === null ? 1 : count)) return `interest in ${key} differs`;
      believed.delete(key);
    }
  }
  for (const key of believed.keys()) return `interest in ${key} has ended`;
  return undefined;
}

/** Link numbers by slot and pinned account, "-" where there is none; "": not connected. */
export function slotLinks({ member, peers }: MemberView, other: SimMember): string {
  const peer = peers.get(other.id);
  if (peer === undefined) return "";
  const accounts = peer.noPool ? [] : peer.accounts;
  const conns = [...peer.slots, ...accounts.map((account) => account.connId)];
  return conns.map((connId) => (connId === undefined ? "-" : (member.linkOf(connId) ?? "-"))).join(" ");
}
