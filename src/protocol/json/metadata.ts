/** What a server says of itself beside the fields that NATS has. */

/** The version of shoal, next to that of nats-server which it is like. */
export function withVersion(
  metadata: Readonly<Record<string, string>>,
  version: string,
): Readonly<Record<string, string>> {
  return { ...metadata, shoal_version: version };
}
