/**
 * The seeded network: dials, connections with delivery in order and random delay, cuts between hosts, connections that die at
 * one end before the other (half open), hosts that vanish without a FIN, and stalls: what one host sends to another one comes late,
 * while the other direction goes on. Like TCP it never reorders, doubles or alters what it delivers on one connection, and it takes
 * no more than it has room for; unlike TCP a connection that a cut has hit stays dead (each end notices for itself).
 *
 * Both ends of a connection are memory wires, so that the sessions of production sit on them.
 */
import { randomInt, type Random } from "../../src/base/random.ts";
import type { DialErrorKind, PeerAddress } from "../../src/cluster/mesh-types.ts";
import { MemoryWire } from "../../src/transport/memory.ts";
import type { Timeline } from "./timeline.ts";

/** A machine with one server. */
export interface Host {
  readonly ip: string;
  /** Whatever reaches the server happens in here. */
  run(work: () => void): void;
  accept(wire: LinkWire): void;
  /** What the server writes, as the network carries it. */
  voice?(data: Uint8Array): Uint8Array;
}

export interface DialHandler {
  connected(wire: LinkWire): void;
  failed(error: DialErrorKind): void;
}

export interface NetworkOptions {
  readonly delayMinMs: number;
  readonly delayMaxMs: number;
  /** An end whose connection is dead notices within this. */
  readonly keepaliveMs: number;
  /** Bytes that may be under way in one direction of a connection; at that bound the wire takes no more until half of them have arrived. */
  readonly roomBytes: number;
}

const EPHEMERAL_PORT = 40_000;

export class Network {
  delivered = 0;
  linksMade = 0;
  /** Told of whatever is done to connections between two hosts, or to a host. */
  onFault: (a: string, b: string | undefined) => void = () => undefined;
  private readonly timeline: Timeline;
  private readonly random: Random;
  private readonly options: NetworkOptions;
  private readonly hosts = new Map<string, Host>();
  /** Addresses behind which any of several hosts answers. */
  private readonly balancers = new Map<string, () => readonly string[]>();
  private readonly cuts = new Set<string>();
  /** Until when what one host sends to another one waits. */
  private readonly stalls = new Map<string, number>();
  private readonly links = new Map<string, Set<Link>>();
  /** Connections that nothing was done to, and neither end has ended. */
  private readonly alive = new Set<number>();
  private readonly carrier: Carrier;

  constructor(timeline: Timeline, random: Random, options: NetworkOptions) {
    this.timeline = timeline;
    this.random = random;
    this.options = options;
    this.carrier = {
      timeline,
      delayMs: () => this.delayMs(),
      keepaliveMs: () => random.next() * options.keepaliveMs,
      roomBytes: options.roomBytes,
      isCut: (a, b) => this.isCut(a, b),
      stalledUntilMs: (from, to) => this.stalls.get(`${from} ${to}`) ?? 0,
      gone: (link) => {
        for (const { ip } of link.hosts) this.links.get(ip)?.delete(link);
      },
      lost: (link) => void this.alive.delete(link.id),
      delivered: () => void this.delivered++,
    };
  }

  attach(host: Host): void {
    this.hosts.set(host.ip, host);
  }

  /** Takes no new connections; what travels arrives. */
  detach(ip: string): void {
    this.onFault(ip, undefined);
    this.hosts.delete(ip);
  }

  balance(address: string, ips: () => readonly string[]): void {
    this.balancers.set(address, ips);
  }

  /** The process dies: some of its peers get a RST, others hear nothing. */
  crash(ip: string): void {
    this.onFault(ip, undefined);
    this.hosts.delete(ip);
    for (const link of this.linksOf(ip)) {
      if (this.random.next() < 0.5) link.reset(ip);
      else link.die(ip);
    }
  }

  cut(a: string, b: string): void {
    this.onFault(a, b);
    this.cuts.add(pairKey(a, b));
    for (const link of this.linksOf(a)) {
      if (link.hosts.some(({ ip }) => ip === b)) link.die(undefined);
    }
  }

  heal(a: string, b: string): void {
    this.cuts.delete(pairKey(a, b));
  }

  healAll(): void {
    this.cuts.clear();
  }

  /** What `from` sends to `to` arrives no sooner than `untilMs`. */
  stall(from: string, to: string, untilMs: number): void {
    this.onFault(from, to);
    this.stalls.set(`${from} ${to}`, untilMs);
  }

  /** Kills one random connection of a host; true if there was one. */
  dropOne(ip: string): boolean {
    const links = this.linksOf(ip);
    const link = links[randomInt(this.random, links.length)];
    if (link === undefined) return false;
    this.onFault(link.hosts[0].ip, link.hosts[1].ip);
    if (this.random.next() < 0.5) link.reset(undefined);
    else link.die(undefined);
    return true;
  }

  dial(from: Host, address: PeerAddress, timeoutMs: number, handler: DialHandler): { cancel(): void } {
    let over = false;
    const finish = (run: () => void) => (): void => {
      if (over) return;
      over = true;
      from.run(run);
    };
    this.timeline.after(
      timeoutMs,
      finish(() => handler.failed("timeout")),
    );
    this.timeline.after(this.delayMs(), () => {
      const toIp = this.resolve(address.host);
      if (over || this.isCut(from.ip, toIp)) return;
      const host = this.hosts.get(toIp);
      if (host === undefined)
        return this.timeline.after(
          this.delayMs(),
          finish(() => handler.failed("refused")),
        );
      this.connect(from, host, handler, finish);
    });
    return { cancel: () => void (over = true) };
  }

  isStalled(a: string, b: string): boolean {
    const untilMs = Math.max(this.stalls.get(`${a} ${b}`) ?? 0, this.stalls.get(`${b} ${a}`) ?? 0);
    return untilMs > this.timeline.nowMs;
  }

  isAlive(linkId: number): boolean {
    return this.alive.has(linkId);
  }

  isCut(a: string, b: string): boolean {
    return this.cuts.size > 0 && this.cuts.has(pairKey(a, b));
  }

  private connect(
    from: Host,
    host: Host,
    handler: DialHandler,
    finish: (run: () => void) => () => void,
  ): void {
    const link = new Link(this.linksMade++, [from, host], this.carrier);
    this.alive.add(link.id);
    for (const { ip } of link.hosts) {
      const known = this.links.get(ip);
      if (known === undefined) this.links.set(ip, new Set([link]));
      else known.add(link);
    }
    link.handOver(1, (wire) => host.accept(wire));
    let established = false;
    this.timeline.after(this.delayMs(), () => {
      finish(() => {
        established = true;
        link.handOver(0, (wire) => handler.connected(wire));
      })();
      if (!established) link.abandon(0);
    });
  }

  private resolve(host: string): string {
    const ips = this.balancers.get(host)?.();
    if (ips === undefined) return host;
    return ips[randomInt(this.random, ips.length)] ?? host;
  }

  private linksOf(ip: string): Link[] {
    return [...(this.links.get(ip) ?? [])];
  }

  private delayMs(): number {
    const { delayMinMs, delayMaxMs } = this.options;
    return delayMinMs + this.random.next() * (delayMaxMs - delayMinMs);
  }
}

/** What a link needs of its network. */
interface Carrier {
  readonly timeline: Timeline;
  delayMs(): number;
  keepaliveMs(): number;
  readonly roomBytes: number;
  isCut(a: string, b: string): boolean;
  stalledUntilMs(from: string, to: string): number;
  gone(link: Link): void;
  lost(link: Link): void;
  delivered(): void;
}

type Side = 0 | 1;

/** A wire that knows which connection of the network it is an end of. */
export class LinkWire extends MemoryWire {
  readonly linkId: number;

  constructor(link: Link, side: Side) {
    const [own, other] = side === 0 ? link.hosts : [link.hosts[1], link.hosts[0]];
    super({
      local: { address: own.ip, port: EPHEMERAL_PORT + link.id },
      remote: { address: other.ip, port: EPHEMERAL_PORT + link.id },
      far: {
        onOutput: (data) => link.send(side, data),
        onEnd: () => link.finish(side),
        onDestroyed: () => link.abandon(side),
      },
    });
    this.linkId = link.id;
  }
}

interface End {
  readonly wire: LinkWire;
  /** The network still has something to do with it. */
  isOpen: boolean;
  /** Its server has it, and reads. */
  isHandedOver: boolean;
  hasFinished: boolean;
  /** Arrived before it was handed over. */
  waiting: (() => void)[];
  lastArrivalMs: number;
  /** Sent from here, and not arrived. */
  underWayBytes: number;
}

class Link {
  readonly id: number;
  /** The server that dialled, and the one that was dialled. */
  readonly hosts: readonly [Host, Host];
  private readonly carrier: Carrier;
  private readonly ends: readonly [End, End];
  private isDead = false;

  constructor(id: number, hosts: readonly [Host, Host], carrier: Carrier) {
    this.id = id;
    this.hosts = hosts;
    this.carrier = carrier;
    this.ends = [this.newEnd(0), this.newEnd(1)];
  }

  handOver(side: Side, take: (wire: LinkWire) => void): void {
    const end = this.ends[side];
    if (!end.isOpen) return;
    this.hosts[side].run(() => {
      end.isHandedOver = true;
      take(end.wire);
    });
    for (const arrive of end.waiting.splice(0)) arrive();
  }

  /** Both ends (but not that of `goneIp`) learn of it about now. */
  reset(goneIp: string | undefined): void {
    this.lose();
    for (const side of [0, 1] as const) {
      if (this.hosts[side].ip === goneIp) this.shut(side);
      else this.carrier.timeline.after(this.carrier.delayMs(), () => this.hangUp(side, "ECONNRESET"));
    }
  }

  /** Nothing is delivered any more; each end finds out by its own keepalive. */
  die(goneIp: string | undefined): void {
    if (this.isDead) return;
    this.lose();
    for (const side of [0, 1] as const) {
      if (this.hosts[side].ip === goneIp) this.shut(side);
      else this.carrier.timeline.after(this.carrier.keepaliveMs(), () => this.hangUp(side, "ETIMEDOUT"));
    }
  }

  send(from: Side, data: Uint8Array): void {
    const end = this.ends[from];
    const host = this.hosts[from];
    if (!end.isOpen || this.isDead) return;
    const said = host.voice?.(data) ?? data;
    end.underWayBytes += said.length;
    if (end.underWayBytes > this.carrier.roomBytes) end.wire.holdsWrites = true;
    this.travel(from, (to) => {
      this.arrived(from, said.length);
      this.carrier.delivered();
      to.wire.receive(said);
    });
  }

  /** One side ends the connection in good order: the other one hears of it, and this one that it has. */
  finish(side: Side): void {
    const end = this.ends[side];
    if (!end.isOpen || end.hasFinished) return;
    end.hasFinished = true;
    this.carrier.lost(this);
    this.travel(side, () => {
      this.hangUp(other(side), "");
      this.carrier.timeline.after(this.carrier.delayMs(), () => this.hangUp(side, ""));
    });
  }

  /** One side is gone at once. */
  abandon(side: Side): void {
    if (!this.ends[side].isOpen) return;
    this.carrier.lost(this);
    this.travel(side, () => this.hangUp(other(side), "ECONNRESET"));
    this.carrier.timeline.after(0, () => this.hangUp(side, ""));
  }

  private newEnd(side: Side): End {
    return {
      wire: new LinkWire(this, side),
      isOpen: true,
      isHandedOver: false,
      hasFinished: false,
      waiting: [],
      lastArrivalMs: 0,
      underWayBytes: 0,
    };
  }

  private lose(): void {
    this.isDead = true;
    this.carrier.lost(this);
  }

  /** Carries something to the other side, in order with whatever went before. */
  private travel(from: Side, arrive: (to: End) => void): void {
    const { timeline } = this.carrier;
    const [fromIp, toIp] = [this.hosts[from].ip, this.hosts[other(from)].ip];
    const to = this.ends[other(from)];
    const earliestMs = Math.max(timeline.nowMs, this.carrier.stalledUntilMs(fromIp, toIp));
    to.lastArrivalMs = Math.max(to.lastArrivalMs, earliestMs + this.carrier.delayMs());
    timeline.at(to.lastArrivalMs, () => {
      if (this.carrier.isCut(fromIp, toIp)) this.die(undefined);
      if (this.isDead || !to.isOpen) return;
      const run = (): void => this.hosts[other(from)].run(() => arrive(to));
      if (to.isHandedOver) run();
      else to.waiting.push(run);
    });
  }

  private arrived(from: Side, length: number): void {
    const end = this.ends[from];
    end.underWayBytes -= length;
    if (!end.wire.holdsWrites || end.underWayBytes > this.carrier.roomBytes / 2) return;
    end.wire.holdsWrites = false;
    this.carrier.timeline.after(0, () => this.hosts[from].run(() => end.wire.completeWrite()));
  }

  private hangUp(side: Side, problem: string): void {
    const end = this.ends[side];
    if (!end.isOpen) return;
    this.shut(side);
    if (end.isHandedOver) this.hosts[side].run(() => end.wire.hangUp(problem));
  }

  private shut(side: Side): void {
    this.ends[side].isOpen = false;
    if (!this.ends[0].isOpen && !this.ends[1].isOpen) this.carrier.gone(this);
  }
}

function other(side: Side): Side {
  return side === 0 ? 1 : 0;
}

function pairKey(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
