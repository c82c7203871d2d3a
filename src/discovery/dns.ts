/**
 * A name in DNS as a source of addresses: all of its A and AAAA records, or all targets of its SRV records, looked up repeatedly.
 * lookup.ts does a single lookup.
 *
 *          +-----------------------------------------------+
 *          v                                               | after the interval, or the time to live if that is shorter,
 *     look up --found--> replaces what was seen before ----+ or QUICK_SHARE of it while members are missing
 *          |---none----> what was seen is kept KEEP_MS ----|
 *          \--failed---> what was seen is kept ------------/
 *
 * Invariant: addresses go only because an answer says so. One lookup is under way at a time, bounded by DEADLINE_MS.
 */
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Random } from "../base/random.ts";
import type { DiscoveredPeer, DiscoverySource, SourceOrigin, SourceSnapshot } from "./discovery.ts";
import { NameLookup, type LookupAnswer, type Families } from "./lookup.ts";
import type { NameResolver, ServiceRecord } from "./resolver.ts";

export interface DnsName {
  readonly host: string;
  /** With SRV records: only those with this port; null: all. */
  readonly port: number | null;
  /** Absent: A and AAAA. */
  readonly records?: "srv" | undefined;
}

export interface DnsSourceOptions {
  readonly intervalMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly resolver: NameResolver;
  /** False: members are missing, so an early lookup may help. */
  isMeshWhole(): boolean;
}

/** Share of the interval that is random, so that servers that started together do not ask together. */
const JITTER = 0.25;
const QUICK_SHARE = 0.2;
const TTL_MIN_MS = 1000;
/** An empty answer is believed once there has been no other for this long. */
const KEEP_MS = 60_000;
const DEADLINE_MS = 5000;
/** Lookups in a row without an address before a line is logged. */
const TROUBLE_FROM = 3;
/** Further addresses are left out, and `lastError` says so. */
const ADDRESSES_MAX = 1024;
const TARGETS_MAX = 256;

/** The result of one lookup by full name: "" for the name itself, otherwise the targets of its SRV records. */
type Found = ReadonlyMap<string, { readonly ports: readonly number[]; readonly families: Families }>;

export class DnsSource implements DiscoverySource {
  readonly name: string;
  readonly settings: string;
  private readonly dnsName: DnsName;
  private readonly options: DnsSourceOptions;
  private readonly lookup: NameLookup;
  private report: ((peers: readonly DiscoveredPeer[], origin: SourceOrigin) => void) | null = null;
  private timer: Disposable | null = null;
  private dueMs = 0;
  private isHasty = false;
  private isLooking = false;
  private seen: Found = new Map();
  private peers: readonly DiscoveredPeer[] = [];
  private foundMs = Number.NEGATIVE_INFINITY;
  private answeredMs: number | null = null;
  private lookups = 0;
  private failures = 0;
  private withoutAddress = 0;
  private lastError: string | null = null;

  constructor(dnsName: DnsName, options: DnsSourceOptions) {
    this.name = sourceName(dnsName);
    this.settings = JSON.stringify([dnsName, options.intervalMs]);
    this.dnsName = dnsName;
    this.options = options;
    this.lookup = new NameLookup(options.resolver, dnsName.host);
  }

  watch(onPeers: (peers: readonly DiscoveredPeer[], origin: SourceOrigin) => void): Disposable {
    this.report = onPeers;
    void this.look();
    return {
      [Symbol.dispose]: () => {
        this.report = null;
        this.timer?.[Symbol.dispose]();
        this.timer = null;
        this.options.resolver.cancel();
      },
    };
  }

  hasten(): void {
    this.isHasty = true;
    if (this.timer !== null && this.dueMs > this.options.clock.nowMs() + this.quickMs) this.schedule(null);
  }

  snapshot(): SourceSnapshot {
    const { name, peers, lookups, failures, answeredMs, lastError } = this;
    const hasShown = this.foundMs !== Number.NEGATIVE_INFINITY;
    return { name, peers, lookups, failures, answeredMs, lastError, hasShown };
  }

  private async look(): Promise<void> {
    assert(!this.isLooking, "one lookup is under way at a time");
    this.isLooking = true;
    this.timer = null;
    this.isHasty = false;
    const answer = await this.withinDeadline(this.ask());
    this.isLooking = false;
    if (this.report === null) return;
    this.lookups++;
    this.lastError = null;
    if (answer.kind === "found") this.found(answer.value);
    else if (answer.kind === "none") this.foundNone();
    else this.failed(answer.error);
    this.schedule(answer.kind === "found" ? shortestTtlMs(answer.value) : null);
  }

  private found(found: Found): void {
    const nowMs = this.options.clock.nowMs();
    this.answeredMs = nowMs;
    this.foundMs = nowMs;
    if (this.withoutAddress >= TROUBLE_FROM) {
      this.options.logger.info("The name of other servers has addresses again", this.logFields());
    }
    this.withoutAddress = 0;
    this.seen = withUnanswered(found, this.seen);
    this.show(this.peersOf(this.seen));
  }

  private foundNone(): void {
    const nowMs = this.options.clock.nowMs();
    this.answeredMs = nowMs;
    this.noticeTrouble("there is no such name, or it has no address");
    if (nowMs - this.foundMs < KEEP_MS) return;
    this.seen = new Map();
    this.show([]);
  }

  private failed(error: string): void {
    this.failures++;
    this.lastError = error;
    this.noticeTrouble(error);
  }

  private noticeTrouble(error: string): void {
    if (++this.withoutAddress !== TROUBLE_FROM) return;
    const fields = { ...this.logFields(), error, kept: this.peers.length };
    this.options.logger.warn("The name of other servers has no address now; it is looked up again", fields);
  }

  private logFields(): { readonly event: string; readonly source: string } {
    return { event: "discovery", source: this.name };
  }

  private show(peers: readonly DiscoveredPeer[]): void {
    const isNews =
      peers.length !== this.peers.length || !peers.every((peer, i) => isSame(peer, this.peers[i]));
    assert(peers.length <= ADDRESSES_MAX, "addresses of a name stay within their bound");
    this.peers = peers;
    // A name of one server is as good as its address; behind others it is left to chance who was meant.
    if (isNews)
      this.report?.(
        peers,
        peers.length === 1 && this.dnsName.records === undefined ? "explicit" : "discovered",
      );
  }

  private peersOf(found: Found): DiscoveredPeer[] {
    const byKey = new Map<string, DiscoveredPeer>();
    for (const [target, { ports, families }] of found) {
      const verifyName = target === "" ? this.dnsName.host.replace(/\.$/, "") : target;
      const name = target === "" ? {} : { name: target.split(".", 1)[0] as string };
      for (const host of [...(families.v4 ?? []), ...(families.v6 ?? [])]) {
        for (const port of ports) byKey.set(`${host} ${port}`, { host, port, verifyName, ...name });
      }
    }
    if (byKey.size > ADDRESSES_MAX) {
      this.lastError = `${byKey.size} addresses; those after the first ${ADDRESSES_MAX} are left out`;
    }
    return [...byKey.keys()]
      .slice(0, ADDRESSES_MAX)
      .sort()
      .map((key) => byKey.get(key) as DiscoveredPeer);
  }

  // ---- asking ----

  private async ask(): Promise<LookupAnswer<Found>> {
    if (this.dnsName.records === "srv") return this.askServices();
    const answer = await this.lookup.addresses();
    if (answer.kind !== "found") return answer;
    const ports = [this.dnsName.port ?? 0];
    return { kind: "found", value: new Map([["", { ports, families: answer.value }]]) };
  }

  private async askServices(): Promise<LookupAnswer<Found>> {
    const services = await this.lookup.services();
    if (services.kind !== "found") return services;
    const ports = portsByTarget(services.value, this.dnsName.port);
    const targets = [...ports.keys()].slice(0, TARGETS_MAX);
    const answers = await Promise.all(targets.map((target) => this.lookup.addressesOf(target)));
    const silence = answers.find((answer) => answer.kind === "failed");
    if (silence !== undefined && !answers.some(({ kind }) => kind === "found")) return silence;
    const found = new Map<string, { ports: readonly number[]; families: Families }>();
    for (const [i, answer] of answers.entries()) {
      const target = targets[i] as string;
      if (answer.kind === "none") continue;
      const families = answer.kind === "found" ? answer.value : { v4: null, v6: null, ttlMs: null };
      found.set(target, { ports: ports.get(target) ?? [], families });
    }
    return found.size > 0 ? { kind: "found", value: found } : { kind: "none" };
  }

  private async withinDeadline(asking: Promise<LookupAnswer<Found>>): Promise<LookupAnswer<Found>> {
    const { promise, resolve } = Promise.withResolvers<LookupAnswer<Found>>();
    const deadline = this.options.clock.setTimer(DEADLINE_MS, () => {
      resolve({ kind: "failed", error: `no answer within ${DEADLINE_MS} ms`, isSilence: true });
      this.options.resolver.cancel();
    });
    const answer = await Promise.race([asking, promise]);
    deadline[Symbol.dispose]();
    return answer;
  }

  private get quickMs(): number {
    return this.options.intervalMs * QUICK_SHARE;
  }

  private schedule(ttlMs: number | null): void {
    const { clock, random, intervalMs } = this.options;
    const isQuick = this.isHasty || this.withoutAddress > 0 || !this.options.isMeshWhole();
    const usualMs = ttlMs === null ? intervalMs : Math.min(intervalMs, Math.max(ttlMs, TTL_MIN_MS));
    const delayMs = Math.min(usualMs, isQuick ? this.quickMs : Infinity) * (1 - JITTER * random.next());
    this.timer?.[Symbol.dispose]();
    this.dueMs = clock.nowMs() + delayMs;
    this.timer = clock.setTimer(delayMs, () => void this.look());
  }
}

function sourceName({ host, port, records }: DnsName): string {
  const at = port === null ? host : `${host}:${port}`;
  return records === "srv" ? `dns+srv ${at}` : `dns ${at}`;
}

function portsByTarget(services: readonly ServiceRecord[], wanted: number | null): Map<string, number[]> {
  const ports = new Map<string, number[]>();
  for (const { name, port } of services) {
    if (wanted !== null && port !== wanted) continue;
    const known = ports.get(name);
    if (known === undefined) ports.set(name, [port]);
    else known.push(port);
  }
  return ports;
}

/** Unanswered queries keep what an earlier answer said. */
function withUnanswered(found: Found, before: Found): Found {
  return new Map(
    [...found].map(([target, { ports, families }]) => {
      const old = before.get(target)?.families;
      const v4 = families.v4 ?? old?.v4 ?? null;
      const v6 = families.v6 ?? old?.v6 ?? null;
      return [target, { ports, families: { ...families, v4, v6 } }];
    }),
  );
}

function shortestTtlMs(found: Found): number | null {
  const ttls = [...found.values()].map(({ families }) => families.ttlMs).filter((ms) => ms !== null);
  return ttls.length > 0 ? Math.min(...ttls) : null;
}

function isSame(peer: DiscoveredPeer, other: DiscoveredPeer | undefined): boolean {
  return peer.host === other?.host && peer.port === other.port && peer.verifyName === other.verifyName;
}
