/** When the disk has to have what a stream acknowledges: as the server says, unless the stream's metadata says otherwise. */
import { apiErrors } from "../api-error.ts";
import type { SyncPolicy } from "./commit.ts";
import type { StreamConfig } from "./config.ts";

/** In the metadata of a stream: "always" or "lazy". */
const SYNC = "shoal.sync";
const POLICIES: Readonly<Record<string, SyncPolicy>> = { always: "sync", lazy: "lazy" };

/** `usual`: the server's. */
export function syncPolicyOf({ metadata }: StreamConfig, usual: SyncPolicy): SyncPolicy {
  return POLICIES[metadata[SYNC] ?? ""] ?? usual;
}

/** `before`: what the stream is now, or null. Throws `ApiError`. */
export function checkSyncPolicy({ metadata }: StreamConfig, before: StreamConfig | null): void {
  const asked = metadata[SYNC];
  if (asked !== undefined && POLICIES[asked] === undefined)
    throw apiErrors.streamInvalidConfig(`${SYNC} must be "always" or "lazy"`);
  if (before !== null && before.metadata[SYNC] !== asked)
    throw apiErrors.streamInvalidConfig(`stream configuration update can not change ${SYNC}`);
}
