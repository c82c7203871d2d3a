/**
 * Requests about one stream or consumer, which its leader answers, and those about the cluster itself. What nobody is assigned the leader
 * of the meta group refuses.
 */
import { hashName } from "../../base/base62.ts";
import type { PeerId } from "../../raft/messages.ts";
import { apiErrors, ApiError } from "../api-error.ts";
import type { ClusterAssets } from "../cluster-assets.ts";
import type { KnownServers } from "../meta/known-servers.ts";
import type { MetaGroup } from "../meta/meta-group.ts";
import type { ClusterRequest } from "./cluster-request.ts";
import type { HeldFor } from "./held-requests.ts";
import { bodyOf, expectEmpty, textOf, type Fields } from "./request.ts";

export interface OwnedHost {
  readonly self: PeerId;
  readonly meta: MetaGroup;
  readonly servers: KnownServers;
  readonly nameOf: (peer: string) => string;
  /** The request comes from the system account. */
  readonly isSystem: boolean;
  /** The server is to leave the cluster for good. */
  readonly leaves: (peer: PeerId) => void;
  /** Refuses the request with what `act` throws. */
  readonly attempt: (act: () => void) => void;
  readonly answer: (fields: Fields) => void;
  readonly isOnline: (peer: string) => boolean;
  /** The same, as soon as the connection to it ends. */
  readonly isThere: (peer: PeerId) => boolean;
  /** Calls once, when others have had time to answer. */
  readonly afterAWhile: (act: () => void) => void;
  /** Answers as a server by itself does. */
  readonly handle: () => void;
  /** The request is judged again, when something has changed. */
  readonly hold: (reason: HeldFor) => void;
  /** The request is not for this server. */
  readonly leaveToAnother: () => void;
  /** Whoever holds it does so no longer: this server has refused it. */
  readonly tellRefused: () => void;
  /** This server leads the meta group no longer, and has not answered. */
  readonly lost: () => void;
}

/** Names behind it: a stream. */
const OF_STREAM = new Set([
  "STREAM.INFO",
  "STREAM.PURGE",
  "STREAM.MSG.GET",
  "STREAM.MSG.DELETE",
  "STREAM.LEADER.STEPDOWN",
  "STREAM.PEER.REMOVE",
  "STREAM.SNAPSHOT",
]);
/** They change nothing, so that it does no harm if two servers answer them. */
const READS = new Set(["STREAM.INFO", "CONSUMER.INFO", "STREAM.MSG.GET"]);
const UNBUILT = new Set(["CONSUMER.PEER.REMOVE"]);

export function ownedRequests(request: ClusterRequest, host: OwnedHost, assets: ClusterAssets): void {
  const { operation } = request.found;
  if (operation.subject === "META.LEADER.STEPDOWN") return stepDownMeta(request, host);
  if (operation.subject === "SERVER.REMOVE") return removeServer(request, host);
  const { meta, attempt } = host;
  const asked = askedOf(request);
  if (placedOf(asked, meta) !== undefined) {
    ownedByLeader(request, { asked, host, assets });
    return;
  }
  if (!meta.leads) {
    if (meta.isLeaderless) refuseLater(host, () => meta.isLeaderless, apiErrors.clusterUnavailable());
    // it may have been agreed on, and not be known here yet
    else host.hold(meta.isUndecided ? "leaderless" : "unknown");
    return;
  }
  // it may be under way, and known to the server already that has answered for it
  meta.whenSettled(() => {
    if (placedOf(asked, meta) !== undefined) ownedByLeader(request, { asked, host, assets });
    else
      attempt(() => {
        host.tellRefused(); // before anything is proposed that would make it
        refuseUnbuilt(operation.subject);
        if (operation.subject === "CONSUMER.INFO") expectEmpty(request.payload);
        const there = meta.assignments.stream(asked.account, asked.stream);
        throw there === undefined ? apiErrors.streamNotFound() : apiErrors.consumerNotFound();
      });
  }, host.lost);
}

interface Asked {
  readonly account: string;
  readonly stream: string;
  /** "": it is about the stream. */
  readonly consumer: string;
}

function askedOf({ account, found }: ClusterRequest): Asked {
  const [stream = "", name = ""] = found.names;
  return { account, stream, consumer: OF_STREAM.has(found.operation.subject) ? "" : name };
}

/** undefined: nobody keeps it. */
function placedOf({ account, stream, consumer }: Asked, { assignments }: MetaGroup) {
  const placed = assignments.stream(account, stream);
  return consumer === "" ? placed?.assignment : placed?.consumers.get(consumer);
}

interface Owned {
  readonly asked: Asked;
  readonly host: OwnedHost;
  readonly assets: ClusterAssets;
}

function ownedByLeader(request: ClusterRequest, { asked, host, assets }: Owned): void {
  const { operation } = request.found;
  const { meta, attempt } = host;
  const { account, stream, consumer } = asked;
  if (assets.standing(account, stream, consumer) !== "leads") {
    const { peers } = placedOf(asked, meta)!.group;
    const isOffline = (): boolean => meta.leads && peers.every((peer) => !host.isOnline(peer));
    const offline = consumer === "" ? apiErrors.streamOffline() : apiErrors.consumerOffline();
    const isLeaderless = (): boolean => meta.isLeaderless || assets.isLeaderless(account, stream, consumer);
    const leader = assets.leaderOf(account, stream, consumer);
    if (isOffline()) refuseLater(host, isOffline, offline);
    else if (operation.subject === "STREAM.INFO" && assets.isLeaderless(account, stream, ""))
      attempt(host.handle);
    else if (isLeaderless()) refuseLater(host, isLeaderless, apiErrors.clusterUnavailable());
    // nobody leads it yet, or this server is about to
    else if (peers.includes(host.self) && (leader === "" || leader === host.self)) host.hold("leaderless");
    else if (READS.has(operation.subject)) readElsewhere(host, { peers, leader });
    return;
  }
  attempt(() => {
    if (operation.subject.endsWith("LEADER.STEPDOWN")) {
      assets.stepDown(account, stream, consumer, preferredOf(request));
      host.answer({ success: true });
    } else {
      refuseUnbuilt(operation.subject);
      host.handle();
    }
  });
}

/** Its leader answers, if that is there. Whoever of the others leads next has kept the request. */
function readElsewhere(
  { self, isThere, hold, leaveToAnother }: OwnedHost,
  { peers, leader }: { readonly peers: readonly PeerId[]; readonly leader: PeerId },
): void {
  if (peers.includes(self) && leader !== "" && !isThere(leader)) hold("unknown");
  else leaveToAnother();
}

function refuseUnbuilt(subject: string): void {
  if (UNBUILT.has(subject))
    throw apiErrors.streamInvalidConfig(`${subject} is not supported by this server in a cluster yet`);
}

/** Others have a moment to answer first. */
function refuseLater({ afterAWhile, attempt }: OwnedHost, isSo: () => boolean, refusal: ApiError): void {
  if (!isSo()) return;
  afterAWhile(() => {
    if (isSo())
      attempt(() => {
        throw refusal;
      });
  });
}

/** The id of the server that the request names; "": none. */
function preferredOf({ payload }: ClusterRequest): string {
  const placement = bodyOf(payload)["placement"];
  if (typeof placement !== "object" || placement === null) return "";
  const preferred = textOf(placement as Fields, "preferred");
  return preferred === "" ? "" : hashName(preferred);
}

function stepDownMeta(request: ClusterRequest, { meta, isSystem, answer, attempt }: OwnedHost): void {
  if (!isSystem || !meta.leads) return;
  attempt(() => {
    meta.group!.transfer(preferredOf(request));
    answer({ success: true });
  });
}

function removeServer({ payload }: ClusterRequest, host: OwnedHost): void {
  const { meta, isSystem, answer, attempt, leaves } = host;
  if (!isSystem) return;
  if (!meta.leads) {
    const peer = leavingPeer(payload);
    if (peer !== null) leaves(peer);
    return;
  }
  attempt(() => {
    const peer = peerOf(payload);
    if (!meta.group!.peers.peers.includes(peer)) throw apiErrors.serverNotMember();
    leaves(peer);
    answer({ success: true });
  });
}

/** null: whoever leads refuses the request. */
function leavingPeer(payload: string): PeerId | null {
  try {
    return peerOf(payload);
  } catch (error) {
    if (error instanceof ApiError) return null;
    throw error;
  }
}

/** Throws `ApiError`. */
function peerOf(payload: string): PeerId {
  const body = bodyOf(payload);
  return textOf(body, "peer_id") || hashName(textOf(body, "peer"));
}
