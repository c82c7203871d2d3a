/**
 * Judges streams that servers offer to their cluster (`offers.ts`), on the leader of the meta group: what may be is assigned to the server
 * that has it, with its consumers, and grows from there to as many copies as its configuration says.
 */
import { randomToken } from "../../base/base62.ts";
import type { PeerId } from "../../raft/messages.ts";
import { apiErrors, ApiError } from "../api-error.ts";
import type { Assets } from "../assets.ts";
import { readObject } from "../codec.ts";
import { consumerShape } from "../consumer/config.ts";
import type { GroupTransport } from "../group/group.ts";
import {
  encodeConsumer,
  encodeStream,
  type GroupAssignment,
  type StreamAssignment,
} from "../meta/assignments.ts";
import {
  OFFER_SUBJECT,
  readOffer,
  refuseOffer,
  type OfferedConsumer,
  type OfferedStream,
} from "../meta/offer-messages.ts";
import type { MetaGroup } from "../meta/meta-group.ts";
import { streamShape, type StreamConfig } from "../stream/config.ts";
import { choosePeers, consumerPeers, type PlacementRoom } from "./cluster-moves.ts";
import { checkOverlap, checkRoom, namedGroup } from "./cluster-requests.ts";

export interface ClusterOffersHost {
  readonly transport: GroupTransport;
  readonly meta: MetaGroup;
  readonly around: () => PlacementRoom;
  readonly assetsOf: (account: string) => Assets | undefined;
}

const UNASKED = { client: {}, subject: "", reply: "" };

export class ClusterOffers {
  private readonly host: ClusterOffersHost;
  private readonly ear: Disposable;

  constructor(host: ClusterOffersHost) {
    const { transport, meta } = host;
    this.host = host;
    this.ear = transport.listen(OFFER_SUBJECT, (_subject, reply, payload) => {
      const offered = meta.leads ? readOffer(payload) : null;
      if (offered !== null) meta.whenSettled(() => this.judge(offered, reply));
    });
  }

  stop(): void {
    this.ear[Symbol.dispose]();
  }

  private judge(offered: OfferedStream, reply: string): void {
    const { assetsOf, transport } = this.host;
    const assets = assetsOf(offered.account);
    if (assets === undefined) return; // it offers the stream again, maybe to another leader
    const config = readObject(streamShape, offered.config);
    try {
      this.take(offered, config, assets);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      refuseOffer(transport, reply, offered, { stream: config.name, error });
    }
  }

  /** Throws `ApiError`. */
  private take(offered: OfferedStream, config: StreamConfig, assets: Assets): void {
    const { meta, around } = this.host;
    const { account, created, consumers, peer } = offered;
    const there = meta.assignments.stream(account, config.name);
    const assignment = there?.assignment ?? this.assigned(offered, config, assets);
    // a copy of the disk of another server may hold the same stream
    if (assignment.created !== created || !assignment.group.peers.includes(peer))
      throw apiErrors.restoreNameTaken();
    if (there === undefined) meta.propose(encodeStream(assignment, "assign"));
    for (const consumer of consumers)
      if (there?.consumers.has(consumer.name) !== true)
        meta.propose(encodeConsumer(assignedConsumer(around(), assignment, offered, consumer), "assign"));
  }

  /** Throws `ApiError`. */
  private assigned(
    { origin, account, created, client, subject, reply, peer }: OfferedStream,
    config: StreamConfig,
    assets: Assets,
  ): StreamAssignment {
    const { meta, around } = this.host;
    const room = around();
    if (origin === "own") checkOverlap(meta.assignments.streamsOf(account), config);
    else {
      checkRoom({ account, assets, meta }, config);
    }
    const cluster = config.placement?.cluster || room.clusterName;
    const peers = choosePeers(room, config, [peer]);
    return {
      ...{ client, subject, reply, account, created, config },
      group: growing(room, "S", { peers, storage: config.storage, cluster }, peer),
      sync: `$JSC.SYNC.${randomToken(room.random)}`,
    };
  }
}

function assignedConsumer(
  room: PlacementRoom,
  { config: stream, group }: StreamAssignment,
  { account, peer }: OfferedStream,
  { name, created, config: asked }: OfferedConsumer,
) {
  const config = readObject(consumerShape, asked);
  const { desired, ...settled } = group;
  const all = desired?.peers ?? group.peers;
  const peers = consumerPeers(room, stream, config, { ...settled, peers: [peer] }, all);
  const storage = config.memoryStorage ? "memory" : stream.storage;
  return {
    ...UNASKED,
    ...{ account, stream: stream.name, name, created, config },
    group: growing(room, "C", { peers, storage, cluster: group.cluster }, peer),
  };
}

/** One server has what there is, and others are to have it as well. */
function growing(
  room: PlacementRoom,
  kind: "S" | "C",
  { peers, storage, cluster }: Pick<GroupAssignment, "peers" | "storage" | "cluster">,
  peer: PeerId,
): GroupAssignment {
  const group = { ...namedGroup(room, kind, { peers, storage, cluster }), preferred: peer };
  if (peers.length === 1) return group;
  return { ...group, isShared: true, desired: { peers, members: [peer] } };
}
