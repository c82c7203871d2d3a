/**
 * Streams that this server has and its cluster does not know yet: those of a backup, and those that it kept by itself before it belonged to
 * the cluster. Each is offered to the leader of the meta group until that has taken it, with all its consumers, or refused it:
 *
 *     offered/<stream>/              as streams/<stream>/: becomes that when the cluster assigns the stream to this server
 *     streams/<stream>/offer.json    some of its consumers may not be assigned yet
 *
 * A stream of a backup that is refused leaves nothing behind; one that this server kept by itself is put aside, and never deleted.
 *
 * Bounded by the streams of this server. One offer names consumers of up to OFFER_BYTES.
 */
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { PeerId } from "../raft/messages.ts";
import type { Disk } from "../store/disk.ts";
import type { StreamStore } from "../store/stream-store.ts";
import type { ApiError } from "./api-error.ts";
import type { Assets, RestoredContents } from "./assets.ts";
import { readObject, writeObject } from "./codec.ts";
import { consumerShape, type ConsumerConfig } from "./consumer/config.ts";
import type { GroupTransport } from "./group/group.ts";
import { readMeta } from "./meta.ts";
import type { AssignmentChange, Assignments } from "./meta/assignments.ts";
import {
  bytesOf,
  OFFER_SUBJECT,
  readRefusal,
  recordOf,
  REFUSED_SUBJECT,
  type OfferedConsumer,
  type OfferedStream,
  type OfferOrigin,
  type RestoreAsked,
} from "./meta/offer-messages.ts";
import { streamShape, type StreamConfig } from "./stream/config.ts";

/** Beside the folder of streams. */
export const OFFERED_FOLDER = "offered";
const OFFER_FILE = "offer.json";
const OFFER_MS = 1000;
const OFFER_BYTES = 512 * 1024;

interface Offer {
  readonly assets: Assets;
  readonly config: StreamConfig;
  readonly created: string;
  readonly origin: OfferOrigin;
  readonly asked: RestoreAsked;
  /** By name: those that the cluster has not been seen to know. */
  readonly consumers: Map<string, OfferedConsumer>;
  /** Its messages; null: the disk has them. */
  readonly store: StreamStore | null;
  /** By consumer: states that are in no file. */
  readonly states: ReadonlyMap<string, string>;
  readonly refused: (error: ApiError) => void;
  /** It is one of the streams of this server. */
  isTaken: boolean;
  round: number;
  /** Called when the cluster knows all of it. */
  readonly whenWhole: (() => void)[];
}

export interface OffersOptions {
  readonly self: PeerId;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly disk: Disk;
  readonly transport: GroupTransport;
  readonly assignments: Assignments;
  /** A group that begins here may begin with what this server has. */
  readonly mayBegin: () => boolean;
}

const UNASKED: RestoreAsked = { client: {}, subject: "", reply: "" };

export class Offers {
  private readonly options: OffersOptions;
  private readonly offers = new Map<string, Offer>();
  /** Accounts whose folders were looked through. */
  private readonly gathered = new Set<Assets>();
  private readonly ear: Disposable;
  private timer: Disposable | null = null;
  private rounds = 0;

  constructor(options: OffersOptions) {
    this.options = options;
    const { transport, self } = options;
    this.ear = transport.listen(`${REFUSED_SUBJECT}.${self}`, (_subject, _reply, payload) =>
      this.takeRefusal(payload),
    );
  }

  stop(): void {
    this.ear[Symbol.dispose]();
    this.timer?.[Symbol.dispose]();
  }

  /** Streams that the cluster has not taken with all their consumers. */
  get count(): number {
    return this.offers.size;
  }

  has(account: string, stream: string): boolean {
    return this.offers.has(keyOf(account, stream));
  }

  /** Takes up what the disk has to be offered of an account, once. Before its streams are opened. */
  gather(assets: Assets): void {
    if (this.gathered.has(assets)) return;
    this.gathered.add(assets);
    const { disk } = this.options;
    const { folder } = assets.options;
    for (const name of disk.names(`${folder}/${OFFERED_FOLDER}`))
      if (!this.gatherOne(assets, `${folder}/${OFFERED_FOLDER}/${name}`, name))
        assets.quarantine(`${folder}/${OFFERED_FOLDER}/${name}`, `stream-${name}`);
    for (const name of disk.names(`${folder}/streams`))
      if (disk.read(`${folder}/streams/${name}/${OFFER_FILE}`) !== null)
        this.gatherOne(assets, `${folder}/streams/${name}`, name);
    this.changed(null); // the cluster may have removed a stream while this server was away
    this.sendAll();
  }

  /** The account has JetStream no longer; the disk still has what was to be offered. */
  leave(assets: Assets): void {
    this.gathered.delete(assets);
    for (const [key, offer] of this.offers) if (offer.assets === assets) this.offers.delete(key);
  }

  /** False: its folder cannot be understood. */
  private gatherOne(assets: Assets, path: string, name: string): boolean {
    const { disk } = this.options;
    const meta = readMeta(disk, path, (config) => readObject(streamShape, config));
    if (meta === null || meta.config.name !== name) return false;
    const key = keyOf(assets.host.name, name);
    const isTaken = path !== offeredPath(assets, name);
    if (isTaken && this.offers.has(key)) return true; // another one of that name lies in the folder of offers
    const known = disk.read(`${path}/${OFFER_FILE}`);
    const origin = known === null ? "own" : originOf(known);
    if (known === null) writeOffer(disk, path, origin);
    const consumers = new Map(consumersOn(disk, path).map((one) => [one.name, one]));
    this.offers.set(key, {
      ...{ assets, ...meta, origin, asked: UNASKED, consumers, store: null, states: new Map() },
      refused: () => {},
      isTaken,
      round: 0,
      whenWhole: [],
    });
    return true;
  }

  /** A stream was made of a backup. `refused`: there is to be none, and nothing is left of it. */
  restored(
    assets: Assets,
    { config, created, consumers: inMemory, store }: RestoredContents,
    asked: RestoreAsked,
    refused: (error: ApiError) => void,
  ): void {
    const consumers = new Map<string, OfferedConsumer>(
      inMemory.map(({ config: one }) => [
        one.name,
        { name: one.name, created, config: writeObject(consumerShape, one) },
      ]),
    );
    if (store === null)
      for (const one of consumersOn(this.options.disk, offeredPath(assets, config.name)))
        consumers.set(one.name, one);
    const states = new Map(inMemory.map(({ config: one, state }) => [one.name, state]));
    const key = keyOf(assets.host.name, config.name);
    this.offers.set(key, {
      ...{ assets, config, created, origin: "backup", asked, consumers, store, states, refused },
      isTaken: false,
      round: 0,
      whenWhole: [],
    });
    this.sendAll();
  }

  /** Calls once the cluster knows all consumers of a stream that was offered; at once where it was not. */
  whenWhole(account: string, stream: string, call: () => void): void {
    const offer = this.offers.get(keyOf(account, stream));
    if (offer === undefined) call();
    else offer.whenWhole.push(call);
  }

  /**
   * The cluster has assigned the stream to this server: puts its files where streams are. Returns its messages where they are in memory;
   * null: they are not, or it was not offered.
   */
  take(assets: Assets, name: string, created: string): StreamStore | null {
    const offer = this.offers.get(keyOf(assets.host.name, name));
    if (offer === undefined || offer.isTaken || offer.created !== created) return null;
    offer.isTaken = true;
    if (offer.store !== null) return offer.store;
    const { disk } = this.options;
    const streams = `${assets.options.folder}/streams`;
    if (disk.names(streams).includes(name)) assets.quarantine(`${streams}/${name}`, `stream-${name}`);
    disk.makeFolder(streams);
    disk.rename(offeredPath(assets, name), `${streams}/${name}`);
    return null;
  }

  /** The state of a consumer whose state is in no file, as JSON; null: it is not known here. */
  stateOf(account: string, stream: string, consumer: string): string | null {
    return this.offers.get(keyOf(account, stream))?.states.get(consumer) ?? null;
  }

  /** Something was agreed on, and this server has followed. null: everything may be different. */
  changed(change: AssignmentChange | null): void {
    if (this.offers.size === 0) return;
    if (change === null) {
      for (const offer of [...this.offers.values()]) this.look(offer);
      return;
    }
    const offer = this.offers.get(keyOf(change.account, change.stream));
    if (offer === undefined) return;
    // it may be deleted before this server looks again
    if (change.kind === "assigned" && this.isAssigned(offer)) offer.consumers.delete(change.consumer);
    this.look(offer);
  }

  /** To this server. */
  private isAssigned({ assets, config, created }: Offer): boolean {
    const { assignments, self } = this.options;
    const assignment = assignments.stream(assets.host.name, config.name)?.assignment;
    return assignment?.created === created && assignment.group.peers.includes(self);
  }

  /** Whether the cluster knows all of it by now, or this server is to keep it no longer. */
  private look(offer: Offer): void {
    if (!offer.isTaken) return;
    const { assets, config, consumers } = offer;
    const account = assets.host.name;
    const { assignments, disk, logger } = this.options;
    const isAssigned = this.isAssigned(offer);
    if (isAssigned)
      for (const name of assignments.stream(account, config.name)!.consumers.keys()) consumers.delete(name);
    if (isAssigned && consumers.size > 0) return;
    this.offers.delete(keyOf(account, config.name));
    if (!isAssigned) return;
    for (const call of offer.whenWhole) call();
    if (offer.store === null) disk.remove(`${assets.options.folder}/streams/${config.name}/${OFFER_FILE}`);
    if (offer.origin === "own")
      logger.info("a stream that this server kept by itself belongs to its cluster now", {
        account,
        stream: config.name,
      });
  }

  private sendAll(): void {
    this.timer?.[Symbol.dispose]();
    this.timer = null;
    if (this.offers.size === 0) return;
    if (this.options.mayBegin()) for (const offer of this.offers.values()) this.send(offer);
    this.timer = this.options.clock.setTimer(OFFER_MS, () => {
      this.changed(null);
      this.sendAll();
    });
  }

  private send(offer: Offer): void {
    const { self, transport } = this.options;
    const { assets, config, created, origin, asked } = offer;
    const consumers: OfferedConsumer[] = [];
    let bytes = 0;
    for (const one of offer.consumers.values()) {
      bytes += JSON.stringify(one.config).length;
      if (bytes > OFFER_BYTES && consumers.length > 0) break;
      consumers.push(one);
    }
    offer.round = ++this.rounds;
    const about = { peer: self, round: offer.round, origin, account: assets.host.name, created, consumers };
    const told: OfferedStream = { ...asked, ...about, config: writeObject(streamShape, config) };
    transport.send(OFFER_SUBJECT, `${REFUSED_SUBJECT}.${self}`, bytesOf(told));
  }

  private takeRefusal(payload: Uint8Array): void {
    const refusal = readRefusal(payload);
    if (refusal === null) return;
    const { account, stream, round, error } = refusal;
    const key = keyOf(account, stream);
    const offer = this.offers.get(key);
    // an older offer of the same stream may have been taken since
    if (offer === undefined || offer.isTaken || offer.round !== round) return;
    this.offers.delete(key);
    const { disk, logger } = this.options;
    const path = offeredPath(offer.assets, stream);
    if (offer.origin === "own") {
      const about = { account, stream, error: error.message };
      logger.error("the cluster refuses a stream that this server kept by itself: it is put aside", about);
      offer.assets.quarantine(path, `stream-${stream}`);
      return;
    }
    if (offer.store === null) disk.removeFolder(path);
    else offer.store.close();
    offer.refused(error);
  }
}

/** A stream in this folder is offered until the cluster has taken it. Durable when this returns. Throws `DiskError`. */
export function writeOffer(disk: Disk, path: string, origin: OfferOrigin): void {
  disk.replace(`${path}/${OFFER_FILE}`, Buffer.from(`${JSON.stringify({ origin })}\n`, "latin1"));
}

function offeredPath(assets: Assets, stream: string): string {
  return `${assets.options.folder}/${OFFERED_FOLDER}/${stream}`;
}

function originOf(content: Uint8Array): OfferOrigin {
  return recordOf(content)?.["origin"] === "backup" ? "backup" : "own"; // what cannot be read is not deleted
}

/** Those whose state is in files. What cannot be understood stays where it is. */
function consumersOn(disk: Disk, path: string): OfferedConsumer[] {
  return disk.names(`${path}/obs`).flatMap((name) => {
    const meta = readMeta<ConsumerConfig>(disk, `${path}/obs/${name}`, (config) =>
      readObject(consumerShape, config),
    );
    if (meta === null || meta.config.name !== name) return [];
    return [{ name, created: meta.created, config: writeObject(consumerShape, meta.config) }];
  });
}

function keyOf(account: string, stream: string): string {
  return `${account} ${stream}`;
}
