/**
 * An account: interest is per account, and messages cross into another account only through an import. Every receiver joins and
 * leaves by `subscribe` and `unsubscribe`, so that neighbours learn of it and imported streams reach it.
 */
import { assert, halfChanged } from "../base/assert.ts";
import type { Chores } from "../base/chores.ts";
import type { Work } from "../base/work.ts";
import type { Clock } from "../base/clock.ts";
import type { Random } from "../base/random.ts";
import { toByteString } from "../protocol/info.ts";
import type { Message } from "../protocol/message.ts";
import type { Crossed } from "./crossed.ts";
import type {
  AccountLimits,
  ExportDefinition,
  ServiceExportDefinition,
  TraceDefinition,
} from "./definitions.ts";
import { Interest } from "./interest.ts";
import { ServiceLatency } from "./latency.ts";
import { LocalInterest, type InterestChange } from "./local-interest.ts";
import type { Mappings } from "./mappings.ts";
import { withNumbered, withStaged, type NumberedMessage, type ServerMessage } from "./publish.ts";
import { OWN_SOURCE, type Source } from "./reach.ts";
import { assertOutsideDelivery, publish } from "./router.ts";
import type { ServiceImport } from "./service-import.ts";
import { ServiceResponses } from "./service-responses.ts";
import { LeafShadows } from "./leaf-shadows.ts";
import { Shadow, shadowOf, type StreamImport } from "./stream-import.ts";
import {
  isCrossing,
  RemoteInterest,
  type Crossing,
  type Interested,
  type Subscription,
} from "./subscription.ts";

const NO_LIMITS: AccountLimits = {
  maxConnections: null,
  maxLeafNodes: null,
  maxSubscriptions: null,
  maxPayloadBytes: null,
};
const NOWHERE = { connections: 0, leafnodes: 0 };

/** What accounts need from the server. */
export interface AccountWorld {
  readonly chores: Chores;
  /** The work that messages have caused in this round. */
  readonly work: Work;
  readonly clock: Clock;
  readonly random: Random;
  /** A token of subjects that identifies this server. */
  readonly serverHash: string;
  system(): Account | null;
  /** Propagates an interest change to other servers. */
  tell(account: Account, change: InterestChange): void;
  /** A neighbour's interest has grown by so many members (1 without a queue group), or shrunk where that is below 0. */
  heard(account: Account, interest: RemoteInterest, members: number): void;
}

export interface AccountImports {
  readonly streams: readonly StreamImport[];
  readonly services: readonly ServiceImport[];
}

export class Account implements Crossed {
  /** Text; on wires it is UTF-8. */
  readonly name: string;
  /** What people call it; "": as its name. */
  nameTag = "";
  readonly interest: Interest;
  /** The local interest, as propagated to neighbours. */
  readonly localInterest = new LocalInterest();
  /** Open connections of clients and of leaf nodes. */
  connections = 0;
  /** Open connections of leaf nodes. */
  leafnodes = 0;
  /** Those to other servers of the cluster, as far as they are known and limits ask for them. */
  elsewhere: { readonly connections: number; readonly leafnodes: number } = NOWHERE;
  limits = NO_LIMITS;
  /** null: subjects are not mapped. */
  mappings: Mappings | null = null;
  /** False: only other servers have the account. */
  isConfigured = false;
  isSystem = false;
  /** Its requests to JetStream cross into the system account. */
  usesJetStream = false;
  /** Destination of traces of messages with a `traceparent`; null: these are not traced. */
  trace: TraceDefinition | null = null;
  streamExports: readonly ExportDefinition[] = [];
  serviceExports: readonly ServiceExportDefinition[] = [];
  readonly responses: ServiceResponses;
  readonly latency: ServiceLatency;
  private imports: AccountImports = { streams: [], services: [] };
  /** For each subscription, its shadows in the accounts that it imports from. */
  private readonly shadows = new Map<Subscription, readonly ShadowPlace[]>();
  /** The same for what leaf connections are interested in. */
  private readonly leafShadows = new LeafShadows();
  private readonly withdrawn = new Set<Subscription | Crossing>();
  private readonly world: AccountWorld;
  private readonly publishStaged = (message: Message): boolean => this.publishOwn(message);

  constructor(name: string, world: AccountWorld) {
    this.name = name;
    this.world = world;
    this.interest = new Interest(toByteString(name), world.work);
    this.responses = new ServiceResponses(this, world);
    this.latency = new ServiceLatency(this, world);
  }

  /** A client's connection belongs to the account from now on. */
  enter(): void {
    this.connections++;
  }

  /** It has ended, or belongs to another account. */
  leave(): void {
    this.connections--;
    assert(this.connections >= 0, "a connection leaves an account that it has entered");
  }

  get isFull(): boolean {
    const { maxConnections } = this.limits;
    return maxConnections !== null && this.connections + this.elsewhere.connections >= maxConnections;
  }

  /** It has more connections than its limit permits, which may have been higher before. */
  get isOverfull(): boolean {
    const { maxConnections } = this.limits;
    return maxConnections !== null && this.connections + this.elsewhere.connections > maxConnections;
  }

  /** How many leaf nodes there are beyond the limit; below 0: so many more may come. */
  get leafnodesBeyond(): number {
    return this.leafnodes + this.elsewhere.leafnodes - (this.limits.maxLeafNodes ?? Infinity);
  }

  get serviceImports(): readonly ServiceImport[] {
    return this.imports.services;
  }

  get streamImports(): readonly StreamImport[] {
    return this.imports.streams;
  }

  /** The work that messages have caused in this round. */
  get work(): Work {
    return this.world.work;
  }

  subscribe(subscription: Subscription | Crossing): void {
    try {
      this.interest.add(subscription);
      this.changed(this.localInterest.add(subscription));
      if (this.imports.streams.length > 0 && !isCrossing(subscription)) this.castShadows(subscription);
    } catch (error) {
      throw halfChanged(error);
    }
  }

  unsubscribe(subscription: Subscription | Crossing): void {
    try {
      if (this.interest.remove(subscription)) this.takeBack(subscription);
    } catch (error) {
      throw halfChanged(error);
    }
  }

  private takeBack(subscription: Subscription | Crossing): void {
    if (!this.withdrawn.delete(subscription)) this.changed(this.localInterest.remove(subscription));
    if (this.shadows.size > 0 && !isCrossing(subscription)) this.dropShadows(subscription);
  }

  /** Withdraws a subscription from the interest that neighbours see. Messages that arrive anyway are delivered until it is unsubscribed. */
  withdraw(subscription: Subscription): void {
    if (this.withdrawn.has(subscription)) return;
    try {
      this.withdrawn.add(subscription);
      this.changed(this.localInterest.remove(subscription));
      for (const { streams, shadow } of this.shadows.get(subscription) ?? [])
        streams.exporter.withdraw(shadow);
    } catch (error) {
      throw halfChanged(error);
    }
  }

  /** A neighbour's interest begins. */
  addRemote(interest: RemoteInterest): void {
    try {
      this.interest.add(interest);
      this.world.heard(this, interest, interest.weight);
      if (this.imports.streams.length > 0) this.leafShadows.cast(interest, this.imports.streams);
    } catch (error) {
      throw halfChanged(error);
    }
  }

  removeRemote(interest: RemoteInterest): void {
    try {
      if (!this.interest.remove(interest)) return;
      this.world.heard(this, interest, -interest.weight);
      if (this.leafShadows.size > 0) this.leafShadows.drop(interest);
    } catch (error) {
      throw halfChanged(error);
    }
  }

  /** A queue group behind a neighbour has so many members now. */
  reweigh(interest: RemoteInterest, weight: number): void {
    const before = interest.weight;
    if (weight === before) return;
    interest.weight = weight;
    try {
      this.interest.changed(interest.subject);
      this.world.heard(this, interest, weight - before);
      this.leafShadows.reweigh(interest, weight);
    } catch (error) {
      throw halfChanged(error);
    }
  }

  /** Delivers a message to all receivers in this account, on this and on other servers. */
  publish(message: Message, source: Source): boolean {
    const subjectAt = message.at + message.subjectFrom;
    const plan = this.interest.plan(subjectAt, message.subjectLength, message.subjectHash);
    return publish(plan, message, source);
  }

  /** The same for a message that this server has staged. */
  publishOwn(message: Message): boolean {
    assertOutsideDelivery();
    const { subjectLength, subjectHash } = message;
    const plan = this.interest.planOfServer(message.at + message.subjectFrom, subjectLength, subjectHash);
    return publish(plan, message, OWN_SOURCE);
  }

  /** The same for a message of this server itself. `headers`: the whole block; "": none. */
  send(subject: string, payload: Uint8Array | string, reply = "", headers = ""): boolean {
    return withStaged({ subject, reply, headers, payload }, this.publishStaged);
  }

  /** The same for a payload that is a number with a text around it. */
  sendNumbered(message: NumberedMessage): boolean {
    return withNumbered(message, this.publishStaged);
  }

  /** The same for a message that may be shown under another subject. */
  sendMade(message: ServerMessage): boolean {
    return withStaged(message, this.publishStaged);
  }

  /**
   * Replaces all imports. Existing subscriptions follow in slices: each changes from the old imports to the new ones in one step. Unchanged
   * imports stay, and old shadows are removed last, so that neighbours see no change where there is none.
   */
  import({ streams, services }: AccountImports): void {
    const before = this.imports;
    if (before.services.length + services.length + before.streams.length + streams.length === 0) return;
    const kept = new Map(before.streams.map((one) => [one.key, one]));
    const now = streams.map((one) => kept.get(one.key) ?? one);
    const isSame = now.length === before.streams.length && now.every((one) => kept.has(one.key));
    this.imports = { streams: isSame ? before.streams : now, services };
    for (const service of services) this.interest.add(service);
    for (const service of before.services) this.interest.remove(service);
    if (isSame) return;
    // A lazy iterator: it does not visit all subscriptions at once.
    const items = now.length === 0 ? this.shaded() : this.interest.items();
    const count = now.length === 0 ? this.shadows.size + this.leafShadows.size : this.interest.size;
    this.world.chores.add({ steps: this.recastAll(items, this.imports.streams), count });
  }

  private *shaded(): Generator<Interested> {
    yield* this.shadows.keys();
    yield* this.leafShadows.interests();
  }

  /** If the imports change again meanwhile, all subscriptions are visited again. */
  private *recastAll(items: Iterable<Interested>, streams: readonly StreamImport[]): Generator<number, void> {
    for (const item of items) {
      if (this.imports.streams !== streams) return;
      if (item instanceof RemoteInterest) {
        if (this.interest.has(item)) this.recastLeaf(item, streams);
        yield Math.max(1, streams.length);
        continue;
      }
      const isReal = !(isCrossing(item) || item.owner instanceof Shadow);
      if (isReal && this.interest.has(item)) this.recast(item);
      yield Math.max(1, streams.length);
    }
  }

  /** Has no effect on a subscription that has been visited. */
  private recast(subscription: Subscription): void {
    const before = this.shadows.get(subscription) ?? [];
    this.shadows.delete(subscription);
    try {
      this.castShadows(subscription, before);
      const kept = new Set(this.shadows.get(subscription));
      for (const place of before) if (!kept.has(place)) place.streams.exporter.unsubscribe(place.shadow);
    } catch (error) {
      throw halfChanged(error);
    }
  }

  private recastLeaf(interest: RemoteInterest, streams: readonly StreamImport[]): void {
    try {
      this.leafShadows.cast(interest, streams);
    } catch (error) {
      throw halfChanged(error);
    }
  }

  /** Releases its memory in the slab and its timers when the server has stopped. */
  [Symbol.dispose](): void {
    this.responses.stop();
    this.interest[Symbol.dispose]();
    this.mappings?.[Symbol.dispose]();
  }

  /** `before`: the existing shadows. */
  private castShadows(subscription: Subscription, before: readonly ShadowPlace[] = []): void {
    const there = new Map(before.map((place) => [place.streams, place]));
    const places: ShadowPlace[] = [];
    for (const streams of this.imports.streams) {
      const place = there.get(streams);
      const shadow = place === undefined ? shadowOf(subscription, streams) : null;
      if (place !== undefined) places.push(place);
      if (shadow === null) continue;
      places.push({ streams, shadow });
      streams.exporter.shade(shadow);
    }
    if (places.length > 0) this.shadows.set(subscription, places);
  }

  private dropShadows(subscription: Subscription): void {
    const places = this.shadows.get(subscription) ?? [];
    this.shadows.delete(subscription);
    for (const { streams, shadow } of places) streams.exporter.unsubscribe(shadow);
  }

  /** Shadows are not chained: a stream crosses one import, as in nats-server. */
  shade(shadow: Subscription): void {
    this.interest.add(shadow);
    this.changed(this.localInterest.add(shadow));
  }

  shadeLeaf(shadow: RemoteInterest): void {
    this.interest.add(shadow);
    this.changed(this.localInterest.add(shadow));
  }

  unshadeLeaf(shadow: RemoteInterest): void {
    if (this.interest.remove(shadow)) this.changed(this.localInterest.remove(shadow));
  }

  private changed(change: InterestChange | null): void {
    if (change !== null) this.world.tell(this, change);
  }
}

interface ShadowPlace {
  readonly streams: StreamImport;
  readonly shadow: Subscription;
}
