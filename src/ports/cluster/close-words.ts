/** Why the mesh closes a connection, in the words of nats-server: the -ERR text for the peer, and the reason for the log. */
import type { CloseReason } from "../../cluster/mesh-types.ts";
import type { RouteDirection } from "../../links/route/session.ts";

export interface CloseWords {
  /** null: the peer is told nothing. */
  readonly text: string | null;
  readonly reason: string;
}

export function closeWords(reason: CloseReason, detail: string, direction: RouteDirection): CloseWords {
  switch (reason) {
    case "duplicateRoute":
    case "routeToSelf":
    case "superseded":
      return { text: null, reason: "Duplicate Route" };
    case "duplicateServerName":
      return { text: null, reason: "Duplicate Server Name" };
    case "clusterNameConflict":
      return { text: direction === "accepted" ? detail : null, reason: "Cluster Name Conflict" };
    case "otherJetStream":
      return { text: "JetStream of servers of both kinds in one cluster", reason: "JetStream Conflict" };
    case "invalidPoolIndex":
      return { text: detail, reason: "Protocol Violation" };
    case "noRouteForAccount":
      return { text: detail, reason: "Missing Account" };
    case "handshakeTimeout":
      return { text: "Authentication Timeout", reason: "Authentication Timeout" };
    case "tooManyConnections":
      return { text: null, reason: "Maximum Connections Exceeded" };
    case "serverShutdown":
      return { text: null, reason: "Server Shutdown" };
  }
}
