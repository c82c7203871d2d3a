/**
 * The seeded network: dials, connections with FIFO delivery and random delay, cuts between hosts, connections that die at
 * one end before the other (half open), hosts that vanish without a FIN. Like TCP it never reorders, doubles or alters what
 * it delivers on one connection; unlike TCP a connection that a cut has hit stays dead (each end notices for itself).
 */

import { randomInt, type Random } from "../../src/base/random.ts";
import type { DialErrorKind, PeerAddress } from "../../src/cluster/mesh-types.ts";
import type { Timeline } from "./timeline.ts";

/** One end of a connection, as the member on that side sees it. */
export interface ConnectionHandler<Message> {
  received(message: Message): void;
  /** The other side closed, or this side's keepalive found it dead. */
  closed(reason: string): void;
}

export interface Connection<Message> {
  /** The same number at both ends. */
  readonly linkId: number;
  send(message: Message): void;
  close(): void;
}

export interface Host<Message> {
  readonly ip: string;
  accept(connection: Connection<Message>, remoteIp: string): ConnectionHandler<Message>;
}

export interface DialHandler<Message> {
  connected(connection: Connection<Message>, remoteIp: string): ConnectionHandler<Message> | undefined;
  failed(error: DialErrorKind): void;
}

export interface NetworkOptions {
  readonly delayMinMs: number;
  readonly delayMaxMs: number;
  /** An end whose connection is dead notices within this. */
  readonly keepaliveMs: number;
}

export class Network<Message> {
  delivered = 0;
  linksMade = 0;
  readonly #timeline: Timeline;
  readonly #random: Random;
  readonly #options: NetworkOptions;
  readonly #hosts = new Map<string, Host<Message>>();
  /** Names behind which any of several hosts answers. */
  readonly #balancers = new Map<string, () => readonly string[]>();
  readonly #cuts = new Set<string>();
  readonly #links = new Map<string, Set<Link<Message>>>();
  readonly #carrier: Carrier<Message>;

  constructor(timeline: Timeline, random: Random, options: NetworkOptions) {
    this.#timeline = timeline;
    this.#random = random;
    this.#options = options;
    this.#carrier = {
      timeline,
      delayMs: () => this.#delayMs(),
      keepaliveMs: () => random.next() * options.keepaliveMs,
      isCut: (a, b) => this.isCut(a, b),
      gone: (link) => {
        for (const ip of link.ips) this.#links.get(ip)?.delete(link);
      },
      delivered: () => void this.delivered++,
    };
  }

  attach(host: Host<Message>): void {
    this.#hosts.set(host.ip, host);
  }

  /** Takes no new connections; what travels arrives. */
  detach(ip: string): void {
    this.#hosts.delete(ip);
  }

  balance(name: string, ips: () => readonly string[]): void {
    this.#balancers.set(name, ips);
  }

  /** The process dies: some of its peers get a RST, others hear nothing. */
  crash(ip: string): void {
    this.#hosts.delete(ip);
    for (const link of this.#linksOf(ip)) {
      if (this.#random.next() < 0.5) link.reset(ip);
      else link.die(ip);
    }
  }

  cut(a: string, b: string): void {
    this.#cuts.add(pairKey(a, b));
    for (const link of this.#linksOf(a)) {
      if (link.ips.includes(b)) link.die(undefined);
    }
  }

  heal(a: string, b: string): void {
    this.#cuts.delete(pairKey(a, b));
  }

  healAll(): void {
    this.#cuts.clear();
  }

  /** Kills one random connection of a host; true if there was one. */
  dropOne(ip: string): boolean {
    const links = this.#linksOf(ip);
    const link = links[randomInt(this.#random, links.length)];
    if (link === undefined) return false;
    if (this.#random.next() < 0.5) link.reset(undefined);
    else link.die(undefined);
    return true;
  }

  dial(
    fromIp: string,
    address: PeerAddress,
    timeoutMs: number,
    handler: DialHandler<Message>,
  ): { cancel(): void } {
    let over = false;
    const finish = (run: () => void) => (): void => {
      if (over) return;
      over = true;
      run();
    };
    this.#timeline.after(
      timeoutMs,
      finish(() => handler.failed("timeout")),
    );
    this.#timeline.after(this.#delayMs(), () => {
      const toIp = this.#resolve(address.host);
      if (over || this.isCut(fromIp, toIp)) return;
      const host = this.#hosts.get(toIp);
      if (host === undefined)
        return this.#timeline.after(
          this.#delayMs(),
          finish(() => handler.failed("refused")),
        );
      this.#connect(fromIp, host, handler, finish);
    });
    return { cancel: () => void (over = true) };
  }

  isCut(a: string, b: string): boolean {
    return this.#cuts.size > 0 && this.#cuts.has(pairKey(a, b));
  }

  #connect(
    fromIp: string,
    host: Host<Message>,
    handler: DialHandler<Message>,
    finish: (run: () => void) => () => void,
  ): void {
    const link = new Link<Message>(this.linksMade++, [fromIp, host.ip], this.#carrier);
    for (const ip of link.ips) {
      const known = this.#links.get(ip);
      if (known === undefined) this.#links.set(ip, new Set([link]));
      else known.add(link);
    }
    link.handle(1, host.accept(link.end(1), fromIp));
    let established = false;
    this.#timeline.after(this.#delayMs(), () => {
      finish(() => {
        established = true;
        const own = handler.connected(link.end(0), host.ip);
        if (own === undefined) link.end(0).close();
        else link.handle(0, own);
      })();
      if (!established) link.end(0).close();
    });
  }

  #resolve(host: string): string {
    const ips = this.#balancers.get(host)?.();
    if (ips === undefined) return host;
    return ips[randomInt(this.#random, ips.length)] ?? host;
  }

  #linksOf(ip: string): Link<Message>[] {
    return [...(this.#links.get(ip) ?? [])];
  }

  #delayMs(): number {
    const { delayMinMs, delayMaxMs } = this.#options;
    return delayMinMs + this.#random.next() * (delayMaxMs - delayMinMs);
  }
}

/** What a link needs of its network. */
interface Carrier<Message> {
  readonly timeline: Timeline;
  delayMs(): number;
  keepaliveMs(): number;
  isCut(a: string, b: string): boolean;
  gone(link: Link<Message>): void;
  delivered(): void;
}

type Side = 0 | 1;

class Link<Message> {
  readonly id: number;
  readonly ips: readonly [string, string];
  readonly #carrier: Carrier<Message>;
  readonly #ends: readonly [End<Message>, End<Message>];
  #dead = false;

  constructor(id: number, ips: readonly [string, string], carrier: Carrier<Message>) {
    this.id = id;
    this.ips = ips;
    this.#carrier = carrier;
    this.#ends = [new End(this, 0), new End(this, 1)];
  }

  end(side: Side): End<Message> {
    return this.#ends[side];
  }

  handle(side: Side, handler: ConnectionHandler<Message>): void {
    const end = this.#ends[side];
    end.handler = handler;
    const waiting = end.waiting;
    end.waiting = undefined;
    for (const arrive of waiting ?? []) arrive();
  }

  /** Both ends (but not that of `goneIp`) learn of it about now. */
  reset(goneIp: string | undefined): void {
    this.#dead = true;
    for (const side of [0, 1] as const) {
      if (this.ips[side] === goneIp) this.#shut(side);
      else this.#carrier.timeline.after(this.#carrier.delayMs(), () => this.#end(side, "Read Error"));
    }
  }

  /** Nothing is delivered any more; each end finds out by its own keepalive. */
  die(goneIp: string | undefined): void {
    if (this.#dead) return;
    this.#dead = true;
    for (const side of [0, 1] as const) {
      if (this.ips[side] === goneIp) this.#shut(side);
      else
        this.#carrier.timeline.after(this.#carrier.keepaliveMs(), () => this.#end(side, "Stale Connection"));
    }
  }

  send(from: Side, message: Message): void {
    if (!this.#ends[from].open) return;
    this.#travel(from, (to) => {
      this.#carrier.delivered();
      to.handler?.received(message);
    });
  }

  close(side: Side): void {
    if (!this.#ends[side].open) return;
    this.#travel(side, (to) => this.#end(to.side, "Client Closed"));
    this.#shut(side);
  }

  /** Carries something to the other side, in order with whatever went before. */
  #travel(from: Side, arrive: (to: End<Message>) => void): void {
    const { timeline } = this.#carrier;
    const to = this.#ends[from === 0 ? 1 : 0];
    to.lastArrivalMs = Math.max(to.lastArrivalMs, timeline.nowMs + this.#carrier.delayMs());
    timeline.at(to.lastArrivalMs, () => {
      if (this.#carrier.isCut(this.ips[0], this.ips[1])) this.die(undefined);
      if (this.#dead || !to.open) return;
      if (to.handler !== undefined) arrive(to);
      else (to.waiting ??= []).push(() => arrive(to));
    });
  }

  #end(side: Side, reason: string): void {
    const end = this.#ends[side];
    if (!end.open) return;
    this.#shut(side);
    end.handler?.closed(reason);
  }

  #shut(side: Side): void {
    this.#ends[side].open = false;
    if (!this.#ends[0].open && !this.#ends[1].open) this.#carrier.gone(this);
  }
}

class End<Message> implements Connection<Message> {
  readonly side: Side;
  open = true;
  handler: ConnectionHandler<Message> | undefined;
  /** Arrived before this end was handled. */
  waiting: (() => void)[] | undefined;
  lastArrivalMs = 0;
  readonly #link: Link<Message>;

  constructor(link: Link<Message>, side: Side) {
    this.#link = link;
    this.side = side;
  }

  get linkId(): number {
    return this.#link.id;
  }

  send(message: Message): void {
    this.#link.send(this.side, message);
  }

  close(): void {
    this.#link.close(this.side);
  }
}

function pairKey(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
