/** The mesh's defaults: a member that restarted is back within 3 s, a healed partition within 5 s. */
import type { BackoffOptions } from "../base/backoff.ts";
import type { MeshLimits, MeshOptions } from "./mesh-types.ts";

const defaultMeshLimits: MeshLimits = {
  peersMax: 2048,
  addressesMax: 8192,
  handshakesMax: 1024,
  dialsInFlightMax: 128,
  gossipPerSecondMax: 20_000,
};

export type MeshIdentity = Pick<MeshOptions, "id" | "name" | "clusterName"> & Partial<MeshOptions>;

export function meshOptions(given: MeshIdentity): MeshOptions {
  return { ...defaults, ...given };
}

/** The delays of `connect_backoff`: nats-server waits 1, 2, 4, ... 30 s; here with jitter, so that members do not dial in step. */
export const patientBackoff: BackoffOptions = { baseMs: 1000, maxMs: 30_000, factor: 2, jitter: 0.5 };

const defaults = {
  clusterNameDynamic: false,
  keepsStreams: false,
  poolSize: 3,
  pinnedAccounts: [],
  ownAddresses: [],
  backoff: { baseMs: 100, maxMs: 1500, factor: 2, jitter: 0.5 },
  implicitBackoff: { baseMs: 200, maxMs: 2000, factor: 2, jitter: 0.5 },
  connectRetries: 0,
  giveUpAfterMs: 60_000,
  dialTimeoutMs: 1000,
  handshakeTimeoutMs: 2000,
  implicitDelayMs: 100,
  gossipIntervalMs: 2000,
  probeMinMs: 2000,
  probeMaxMs: 30_000,
  limits: defaultMeshLimits,
} satisfies Omit<MeshOptions, "id" | "name" | "clusterName">;
