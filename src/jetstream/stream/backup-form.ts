/** In which form a stream is saved: as nats-server 2.15 does, unless the metadata of the stream names an older one. */
import { apiErrors } from "../api-error.ts";
import type { StreamConfig } from "./config.ts";

/** In the metadata of a stream: the newest nats-server that has to be able to read its backups. */
export const BACKUP_FORM = "shoal.backup";
const OLD = "2.14";

/** Throws `ApiError`. */
export function checkBackupForm({ metadata }: StreamConfig): void {
  const asked = metadata[BACKUP_FORM];
  if (asked !== undefined && asked !== OLD)
    throw apiErrors.streamInvalidConfig(`${BACKUP_FORM} must be "${OLD}", or not be there`);
}
