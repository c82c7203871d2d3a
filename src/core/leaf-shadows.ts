/**
 * Streams that an account imports, for those behind its leaf connections. As for subscriptions (stream-import.ts) nothing is copied: the interest of a
 * leaf connection has a shadow in the exporter's account, on this server only, and the connection is sent what arrives there under the
 * subject that it has here. Other servers are told of the shadow as of any subscription there.
 *
 * Invariant: all shadows of a connection by one import have one neighbour there, so that a message goes to it once.
 */
import { assert } from "../base/assert.ts";
import type { Message } from "../protocol/message.ts";
import { AREA, LINE_MAX } from "../slab/layout.ts";
import { readText, writeText } from "../slab/memory.ts";
import type { Heads } from "./heads.ts";
import type { NeighbourTier } from "./reach.ts";
import { ShadowFilter, type StreamImport } from "./stream-import.ts";
import { RemoteInterest, type Neighbour } from "./subscription.ts";

interface Place {
  readonly streams: StreamImport;
  readonly shadow: RemoteInterest;
}

interface Shared {
  readonly neighbour: ShadowNeighbour;
  shadows: number;
}

const VERB = "HMSG ";

export class LeafShadows {
  private readonly places = new Map<RemoteInterest, readonly Place[]>();
  private readonly neighbours = new Map<StreamImport, Map<Neighbour, Shared>>();

  get size(): number {
    return this.places.size;
  }

  interests(): Iterable<RemoteInterest> {
    return this.places.keys();
  }

  /** Shadows that are there already stay, those by other imports go last. Routes have shadows of their own where messages come from. */
  cast(interest: RemoteInterest, imports: readonly StreamImport[]): void {
    const { neighbour } = interest;
    if (neighbour.tier === "route" || neighbour.isShadow === true) return;
    const before = this.places.get(interest) ?? [];
    const places = imports.flatMap((streams): Place[] => {
      const known = before.find((place) => place.streams === streams);
      if (known !== undefined) return [known];
      const shadow = this.shadowOf(interest, streams);
      if (shadow === null) return [];
      streams.exporter.shadeLeaf(shadow);
      return [{ streams, shadow }];
    });
    if (places.length > 0) this.places.set(interest, places);
    else this.places.delete(interest);
    for (const place of before) if (!places.includes(place)) this.end(interest.neighbour, place);
  }

  drop(interest: RemoteInterest): void {
    const places = this.places.get(interest);
    if (places === undefined) return;
    this.places.delete(interest);
    for (const place of places) this.end(interest.neighbour, place);
  }

  reweigh(interest: RemoteInterest, weight: number): void {
    for (const { shadow } of this.places.get(interest) ?? []) shadow.weight = weight;
  }

  private shadowOf(interest: RemoteInterest, streams: StreamImport): RemoteInterest | null {
    const subject = streams.shadowSubject(interest.subject);
    if (subject === null) return null;
    const { queue, weight, filter } = interest;
    const neighbour = this.neighbourFor(interest.neighbour, streams);
    const own = filter === null ? null : new ShadowFilter(filter, streams);
    return new RemoteInterest(neighbour, subject, queue, weight, own);
  }

  private neighbourFor(real: Neighbour, streams: StreamImport): ShadowNeighbour {
    let byReal = this.neighbours.get(streams);
    if (byReal === undefined) this.neighbours.set(streams, (byReal = new Map<Neighbour, Shared>()));
    let shared = byReal.get(real);
    if (shared === undefined)
      byReal.set(real, (shared = { neighbour: new ShadowNeighbour(real, streams), shadows: 0 }));
    shared.shadows++;
    return shared.neighbour;
  }

  private end(real: Neighbour, { streams, shadow }: Place): void {
    streams.exporter.unshadeLeaf(shadow);
    const byReal = this.neighbours.get(streams);
    const shared = byReal?.get(real);
    assert(byReal !== undefined && shared !== undefined, "a shadow that ends has a neighbour");
    if (--shared.shadows > 0) return;
    byReal.delete(real);
    if (byReal.size === 0) this.neighbours.delete(streams);
  }
}

/** A leaf connection as it stands in the exporter's account. */
class ShadowNeighbour implements Neighbour {
  chosenQueues = "";
  readonly isShadow = true;
  readonly dialect = "client";
  readonly rank: number;
  readonly tier: NeighbourTier;
  readonly leafCluster: string;
  private readonly real: Neighbour;
  private readonly streams: StreamImport;

  constructor(real: Neighbour, streams: StreamImport) {
    this.real = real;
    this.streams = streams;
    this.rank = real.rank;
    this.tier = real.tier;
    this.leafCluster = real.leafCluster;
    assert(real.dialect === "client", "leaf connections have the heads of clients");
  }

  get isGone(): boolean {
    return this.real.isGone === true;
  }

  forward(plan: Heads, message: Message, queues: string): void {
    const { real, streams } = this;
    // A subject that is shown is nobody's to map: it is the one of the stream that the message comes from.
    if (message.shownLength > 0) return real.forward(plan, message, queues);
    const subject = readText(plan.subjectAt, plan.subjectLength);
    const mapped = streams.map(subject);
    if (mapped === subject) return real.forward(plan, message, queues);
    if (mapped.length > LINE_MAX) return;
    const { at } = AREA.shadowHead;
    const length = writeText(at, `${VERB}${mapped} `) - at;
    const { account, neighbours } = plan;
    const subjectAt = at + VERB.length;
    const head = { subjectAt, subjectLength: mapped.length, clientHead: { at, length }, routeHead: null };
    real.forward({ account, neighbours, ...head }, message, queues);
  }
}
