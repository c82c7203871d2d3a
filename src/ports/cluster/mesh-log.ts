/** What the mesh has to tell, as log lines. `event` names the fact for programs that follow the log. */
import type { Logger } from "../../base/logger.ts";
import type { MeshFact } from "../../cluster/mesh-types.ts";

/** Failed dials are told ever more rarely (the mesh sees to it): the first, and from here on each that is told. */
const DIAL_REPORT_FROM = 16;
/** About two minutes of dials. */
const PATIENT_REPORT_AT = 64;

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
      const { hasLostPeer: _, ...shown } = withoutKind(fact);
      const text = `Error trying to connect to route (attempt ${fact.attempts})`;
      const fields = { event: "dial_failed", ...shown };
      return isDialNews(fact) ? logger.error(text, fields) : logger.debug(text, fields);
    }
    case "gaveUp": {
      const { hasLostPeer, ...shown } = withoutKind(fact);
      const text = "No longer trying to connect to route";
      const fields = { event: "peer_given_up", ...shown };
      return hasLostPeer === true ? logger.debug(text, fields) : logger.info(text, fields);
    }
    case "routeToSelf":
      return logger.debug("Detected route to self, ignoring", { address: fact.address });
    case "duplicateName": {
      const text =
        `Remote server has a duplicate name: ${JSON.stringify(fact.name)}. ` +
        "Give each server a name of its own by --server_name, or server_name in its configuration";
      return logger.error(text, { event: "duplicate_name", ...withoutKind(fact) });
    }
    case "clusterNameConflict": {
      const text = "Cluster name of the other server differs";
      return logger.error(text, { event: "cluster_name_conflict", ...withoutKind(fact) });
    }
    case "otherJetStream": {
      const text =
        `The server ${JSON.stringify(fact.name)} keeps streams and is no shoal: its route is refused. ` +
        "Turn JetStream off on one of the two sides; servers of both kinds cannot keep streams in one cluster yet";
      return logger.error(text, { event: "other_jetstream", ...withoutKind(fact) });
    }
    case "limitReached":
      return logger.warn("A limit of the cluster is reached", {
        event: "limit_reached",
        ...withoutKind(fact),
      });
  }
}

/** A lost member has had its line, and an address that is only found may be of a server that starts or has just gone. */
function isDialNews({ attempts, origin, hasLostPeer }: MeshFact & { kind: "dialFailed" }): boolean {
  if (origin === "discovered") return attempts === PATIENT_REPORT_AT;
  if (hasLostPeer) return attempts >= PATIENT_REPORT_AT;
  return attempts === 1 || attempts >= DIAL_REPORT_FROM;
}

function withoutKind(fact: MeshFact): Record<string, unknown> {
  const { kind: _, ...fields } = fact;
  return fields;
}
