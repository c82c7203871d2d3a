/**
 * A minimal message layer above the mesh, in the route protocol's terms: interest is sent once when a route is registered,
 * a message goes over one hop to each server that showed interest, on the route that its account belongs to. Kept small
 * behind InterestLayer so that the real core can take its place.
 */

import type { ConnId, RouteSlot, ServerId } from "../../src/cluster/mesh-types.ts";

export type InterestMessage =
  | { readonly op: "RS+"; readonly account: string; readonly subject: string }
  | {
      readonly op: "RMSG";
      readonly account: string;
      readonly subject: string;
      readonly publisher: ServerId;
      readonly sequence: number;
    };

export interface Subscription {
  readonly account: string;
  readonly subject: string;
}

export interface MemberTraits {
  readonly poolSize: number;
  readonly pinnedAccounts: readonly string[];
  readonly subscriptions: readonly Subscription[];
}

interface Route {
  readonly slot: RouteSlot;
  readonly noPool: boolean;
  /** Made when the first arrives: with many servers there are very many routes. */
  interest: Set<string> | undefined;
}

export class InterestLayer {
  /** What was delivered here: publisher and account -> sequences in the order of arrival. */
  readonly received = new Map<string, number[]>();
  readonly #routes = new Map<ServerId, Map<ConnId, Route>>();
  readonly #traits: MemberTraits;
  readonly #send: (connId: ConnId, message: InterestMessage) => void;

  constructor(traits: MemberTraits, send: (connId: ConnId, message: InterestMessage) => void) {
    this.#traits = traits;
    this.#send = send;
  }

  routeRegistered(connId: ConnId, peerId: ServerId, slot: RouteSlot, noPool: boolean): void {
    const route = { slot, noPool, interest: undefined };
    const routes = this.#routes.get(peerId);
    if (routes === undefined) this.#routes.set(peerId, new Map([[connId, route]]));
    else routes.set(connId, route);
    for (const { account, subject } of this.#traits.subscriptions) {
      if (this.#carries(route, account)) this.#send(connId, { op: "RS+", account, subject });
    }
  }

  routeGone(peerId: ServerId, connId: ConnId): void {
    const routes = this.#routes.get(peerId);
    routes?.delete(connId);
    if (routes?.size === 0) this.#routes.delete(peerId);
  }

  receive(peerId: ServerId, connId: ConnId, message: InterestMessage): void {
    if (message.op === "RS+") {
      const route = this.#routes.get(peerId)?.get(connId);
      if (route !== undefined)
        (route.interest ??= new Set()).add(interestKey(message.account, message.subject));
      return;
    }
    const key = `${message.publisher} ${message.account}`;
    const sequences = this.received.get(key);
    if (sequences === undefined) this.received.set(key, [message.sequence]);
    else sequences.push(message.sequence);
  }

  /** One copy per interested server: the interest of a peer arrives on whichever route its own pool size says. */
  publish(publisher: ServerId, subscription: Subscription, sequence: number): void {
    const { account, subject } = subscription;
    const key = interestKey(account, subject);
    for (const routes of this.#routes.values()) {
      if (![...routes.values()].some((route) => route.interest?.has(key) === true)) continue;
      for (const [connId, route] of routes) {
        if (this.#carries(route, account))
          this.#send(connId, { op: "RMSG", account, subject, publisher, sequence });
      }
    }
  }

  interestFrom(peerId: ServerId): Set<string> {
    const routes = this.#routes.get(peerId)?.values() ?? [];
    return new Set(Array.from(routes, (route) => [...(route.interest ?? [])]).flat());
  }

  routeCount(peerId: ServerId): number {
    return this.#routes.get(peerId)?.size ?? 0;
  }

  #carries(route: Route, account: string): boolean {
    if (route.noPool) return true;
    if (route.slot.kind === "account") return route.slot.account === account;
    if (this.#traits.pinnedAccounts.includes(account)) return false;
    return route.slot.index === poolIndex(account, this.#traits.poolSize);
  }
}

export function interestKey(account: string, subject: string): string {
  return `${account} ${subject}`;
}

/** FNV-1a of the account's name modulo the sender's own pool size, as nats-server does it. */
function poolIndex(account: string, poolSize: number): number {
  if (poolSize <= 1) return 0;
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(account)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash % poolSize;
}
