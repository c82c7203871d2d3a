/** From the options of the port of the other servers to those of the mesh. */
import { meshOptions, patientBackoff } from "../../cluster/mesh-options.ts";
import type { AddressKey, MeshOptions } from "../../cluster/mesh-types.ts";
import type { ClusterPortOptions } from "./cluster-port-options.ts";

export function meshOptionsOf(
  options: ClusterPortOptions,
  pinnedAccounts: readonly string[],
  ownAddresses: readonly AddressKey[],
): MeshOptions {
  return meshOptions({
    id: options.identity.id,
    name: options.identity.name,
    clusterName: options.name,
    clusterNameDynamic: options.isNameDynamic,
    keepsStreams: options.keepsStreams,
    poolSize: options.poolSize,
    pinnedAccounts,
    ownAddresses,
    connectRetries: options.connectRetries,
    handshakeTimeoutMs: options.authTimeoutMs,
    ...(options.connectBackoff && { backoff: patientBackoff, implicitBackoff: patientBackoff }),
  });
}
