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
  readonly #links = new Set<Link<Message>>();

  constructor(timeline: Timeline, random: Random, options: NetworkOptions) {
    this.#timeline = timeline;
    this.#random = random;
    this.#options = options;
  }

  attach(host: Host<Message>): void {
    this.#hosts.set(host.ip, host);
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
    for (const link of this.#links) {
      if (link.joins(a, b)) link.die(undefined);
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
    return this.#cuts.has(pairKey(a, b));
  }

  #connect(
    fromIp: string,
    host: Host<Message>,
    handler: DialHandler<Message>,
    finish: (run: () => void) => () => void,
  ): void {
    const link = new Link<Message>(this.linksMade++, fromIp, host.ip, {
      timeline: this.#timeline,
      delayMs: () => this.#delayMs(),
      keepaliveMs: () => this.#random.next() * this.#options.keepaliveMs,
      isCut: (a, b) => this.isCut(a, b),
      gone: (which) => void this.#links.delete(which),
      delivered: () => void this.delivered++,
    });
    this.#links.add(link);
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
    return [...this.#links].filter((link) => link.touches(ip));
  }

  #delayMs(): number {
    const { delayMinMs, delayMaxMs } = this.#options;
    return delayMinMs + this.#random.next() * (delayMaxMs - delayMinMs);
  }
}

interface LinkContext<Message> {
  readonly timeline: Timeline;
  delayMs(): number;
  keepaliveMs(): number;
  isCut(a: string, b: string): boolean;
  gone(link: Link<Message>): void;
  delivered(): void;
}

type Side = 0 | 1;

class Link<Message> {
  readonly #id: number;
  readonly #ips: readonly [string, string];
  readonly #context: LinkContext<Message>;
  readonly #handlers: [ConnectionHandler<Message> | undefined, ConnectionHandler<Message> | undefined];
  /** Arrived before this end was handled. */
  readonly #waiting: [(() => void)[], (() => void)[]] = [[], []];
  readonly #open: [boolean, boolean] = [true, true];
  readonly #lastArrivalMs: [number, number] = [0, 0];
  #dead = false;

  constructor(id: number, dialler: string, acceptor: string, context: LinkContext<Message>) {
    this.#id = id;
    this.#ips = [dialler, acceptor];
    this.#context = context;
    this.#handlers = [undefined, undefined];
  }

  touches(ip: string): boolean {
    return this.#ips.includes(ip);
  }

  joins(a: string, b: string): boolean {
    return this.touches(a) && this.touches(b);
  }

  handle(side: Side, handler: ConnectionHandler<Message>): void {
    this.#handlers[side] = handler;
    for (const arrive of this.#waiting[side].splice(0)) arrive();
  }

  end(side: Side): Connection<Message> {
    return { linkId: this.#id, send: (message) => this.#send(side, message), close: () => this.#close(side) };
  }

  /** Both ends (but not that of `goneIp`) learn of it about now. */
  reset(goneIp: string | undefined): void {
    this.#dead = true;
    for (const side of [0, 1] as const) {
      if (this.#ips[side] === goneIp) this.#shut(side);
      else this.#context.timeline.after(this.#context.delayMs(), () => this.#end(side, "Read Error"));
    }
  }

  /** Nothing is delivered any more; each end finds out by its own keepalive. */
  die(goneIp: string | undefined): void {
    if (this.#dead) return;
    this.#dead = true;
    for (const side of [0, 1] as const) {
      if (this.#ips[side] === goneIp) this.#shut(side);
      else
        this.#context.timeline.after(this.#context.keepaliveMs(), () => this.#end(side, "Stale Connection"));
    }
  }

  #send(from: Side, message: Message): void {
    if (!this.#open[from]) return;
    this.#travel(from, (to) => {
      this.#context.delivered();
      this.#handlers[to]?.received(message);
    });
  }

  #close(side: Side): void {
    if (!this.#open[side]) return;
    this.#travel(side, (to) => this.#end(to, "Client Closed"));
    this.#shut(side);
  }

  /** Carries something to the other side, in order with whatever went before. */
  #travel(from: Side, arrive: (to: Side) => void): void {
    const { timeline } = this.#context;
    const to = (1 - from) as Side;
    const atMs = Math.max(this.#lastArrivalMs[to], timeline.nowMs + this.#context.delayMs());
    this.#lastArrivalMs[to] = atMs;
    timeline.at(atMs, () => {
      if (this.#context.isCut(...this.#ips)) this.die(undefined);
      if (this.#dead || !this.#open[to]) return;
      if (this.#handlers[to] === undefined) this.#waiting[to].push(() => arrive(to));
      else arrive(to);
    });
  }

  #end(side: Side, reason: string): void {
    if (!this.#open[side]) return;
    this.#shut(side);
    this.#handlers[side]?.closed(reason);
  }

  #shut(side: Side): void {
    this.#open[side] = false;
    if (!this.#open[0] && !this.#open[1]) this.#context.gone(this);
  }
}

function pairKey(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
