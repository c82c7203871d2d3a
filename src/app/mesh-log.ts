/** What the mesh has to tell, as log lines. `event` names the fact for programs that follow the log. */
import type { Logger } from "../base/logger.ts";
import type { MeshFact } from "../cluster/mesh-types.ts";

/** A dial that fails is told at its first try, then rarely. */
const DIAL_REPORT_EVERY = 100;

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
    case "dialFailed":
      if (fact.attempts % DIAL_REPORT_EVERY === 1) {
        return logger.error(`Error trying to connect to route (attempt ${fact.attempts})`, withoutKind(fact));
      }
      return logger.debug(`Error trying to connect to route (attempt ${fact.attempts})`, withoutKind(fact));
    case "gaveUp":
      return logger.info("No longer trying to connect to route", {
        event: "peer_given_up",
        ...withoutKind(fact),
      });
    case "routeToSelf":
      return logger.debug("Detected route to self, ignoring", { address: fact.address });
    case "duplicateName":
      return logger.error(
        `Remote server has a duplicate name: ${JSON.stringify(fact.name)}`,
        withoutKind(fact),
      );
    case "clusterNameConflict":
      return logger.error("Cluster name of the other server differs", withoutKind(fact));
    case "limitReached":
      return logger.warn("A limit of the cluster is reached", withoutKind(fact));
  }
}

function withoutKind(fact: MeshFact): Record<string, unknown> {
  const { kind: _, ...fields } = fact;
  return fields;
}
