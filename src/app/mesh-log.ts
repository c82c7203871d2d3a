/** What the mesh has to tell, as log lines. `event` names the fact for programs that follow the log. */
import type { Logger } from "../base/logger.ts";
import type { MeshFact } from "../cluster/mesh-types.ts";

/** Failed dials are told ever more rarely (the mesh sees to it): the first, and from here on each that is told. */
const DIAL_REPORT_FROM = 16;

export function logMeshFact(logger: Logger, fact: MeshFact): void {
  switch (fact.kind) {
    case "peerJoined": {
      const { id, name, address, size } = fact;
      return logger.info("Server joined the cluster", { event: "peer_joined", name, id, address, ...size });
    }
    case "peerLeft": {
      const { id, name, reason, size } = fact;
      return logger.info("Server left the cluster", { event: "peer_left", name, id, reason, ...size });
    }
    case "peerRestarted":
      return logger.info("Server has restarted", { event: "peer_restarted", ...withoutKind(fact) });
    case "meshComplete":
      return logger.info("Connected to all servers of the cluster", { event: "mesh", ...fact.size });
    case "dialFailed": {
      const text = `Error trying to connect to route (attempt ${fact.attempts})`;
      const fields = { event: "dial_failed", ...withoutKind(fact) };
      const isNews = fact.attempts === 1 || fact.attempts >= DIAL_REPORT_FROM;
      return isNews ? logger.error(text, fields) : logger.debug(text, fields);
    }
    case "gaveUp":
      return logger.info("No longer trying to connect to route", {
        event: "peer_given_up",
        ...withoutKind(fact),
      });
    case "routeToSelf":
      return logger.debug("Detected route to self, ignoring", { address: fact.address });
    case "duplicateName": {
      const text = `Remote server has a duplicate name: ${JSON.stringify(fact.name)}`;
      return logger.error(text, { event: "duplicate_name", ...withoutKind(fact) });
    }
    case "clusterNameConflict": {
      const text = "Cluster name of the other server differs";
      return logger.error(text, { event: "cluster_name_conflict", ...withoutKind(fact) });
    }
    case "limitReached":
      return logger.warn("A limit of the cluster is reached", {
        event: "limit_reached",
        ...withoutKind(fact),
      });
  }
}

function withoutKind(fact: MeshFact): Record<string, unknown> {
  const { kind: _, ...fields } = fact;
  return fields;
}
