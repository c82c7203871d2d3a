/**
 * Requests about one stream or consumer, which its leader answers, and those about the cluster itself. What nobody is assigned the leader
 * of the meta group refuses.
 */
import { hashName } from "../../base/base62.ts";
import { apiErrors } from "../api-error.ts";
import type { ClusterAssets } from "../cluster-assets.ts";
import type { KnownServers } from "../meta/known-servers.ts";
import type { MetaGroup } from "../meta/meta-group.ts";
import { emptyServer, type PlacementRoom } from "./cluster-moves.ts";
import type { ClusterRequest } from "./cluster-request.ts";
import { bodyOf, textOf, type Fields } from "./request.ts";

export interface OwnedHost {
  readonly meta: MetaGroup;
  readonly servers: KnownServers;
  readonly nameOf: (peer: string) => string;
  /** The request comes from the system account. */
  readonly isSystem: boolean;
  readonly around: PlacementRoom;
  /** Refuses the request with what `act` throws. */
  readonly attempt: (act: () => void) => void;
  readonly answer: (fields: Fields) => void;
  /** Answers as a server by itself does. */
  readonly handle: () => void;
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
  "STREAM.RESTORE",
]);
const UNBUILT = new Set([
  "STREAM.SNAPSHOT",
  "STREAM.RESTORE",
  "CONSUMER.PAUSE",
  "CONSUMER.RESET",
  "CONSUMER.PEER.REMOVE",
]);

export function ownedRequests(request: ClusterRequest, host: OwnedHost, assets: ClusterAssets): void {
  const { operation } = request.found;
  if (operation.subject === "META.LEADER.STEPDOWN") return stepDownMeta(request, host);
  if (operation.subject === "SERVER.REMOVE") return removeServer(request, host);
  const { meta, attempt } = host;
  const { account } = request;
  const [stream = "", name = ""] = request.found.names;
  const consumer = OF_STREAM.has(operation.subject) ? "" : name;
  const placed = meta.assignments.stream(account, stream);
  const isAssigned = placed !== undefined && (consumer === "" || placed.consumers.has(consumer));
  if (!isAssigned) {
    if (meta.leads)
      attempt(() => {
        throw placed === undefined ? apiErrors.streamNotFound() : apiErrors.consumerNotFound();
      });
    return;
  }
  if (assets.standing(account, stream, consumer) !== "leads") return;
  attempt(() => {
    if (operation.subject.endsWith("LEADER.STEPDOWN")) {
      assets.stepDown(account, stream, consumer, preferredOf(request));
      host.answer({ success: true });
    } else if (UNBUILT.has(operation.subject))
      throw apiErrors.streamInvalidConfig(
        `${operation.subject} is not supported by this server in a cluster yet`,
      );
    else host.handle();
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
  const { meta, isSystem, answer, attempt, around } = host;
  if (!isSystem || !meta.leads) return;
  attempt(() => {
    const body = bodyOf(payload);
    const name = textOf(body, "peer");
    const peer = textOf(body, "peer_id") || hashName(name);
    if (!meta.group!.peers.peers.includes(peer)) throw apiErrors.serverNotMember();
    meta.whenSettled(() => emptyServer(around, peer));
    meta.removePeer(peer);
    answer({ success: true });
  });
}
