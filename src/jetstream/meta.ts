/** What is stored for a stream or a consumer besides its data: its configuration and the time of its creation. */
import type { Disk } from "../store/disk.ts";
import { ApiError } from "./api-error.ts";

/** Durable when this returns. Throws `DiskError`. */
export function writeMeta(disk: Disk, path: string, created: string, config: Record<string, unknown>): void {
  disk.replace(
    `${path}/meta.json`,
    Buffer.from(`${JSON.stringify({ created, config }, null, 1)}\n`, "latin1"),
  );
}

/** null: it is not there, or cannot be understood. */
export function readMeta<T>(
  disk: Disk,
  path: string,
  read: (config: unknown) => T,
): { config: T; created: string } | null {
  const content = disk.read(`${path}/meta.json`);
  if (content === null) return null;
  try {
    const { created, config } = JSON.parse(Buffer.from(content).toString("latin1")) as Record<
      string,
      unknown
    >;
    return typeof created === "string" ? { created, config: read(config) } : null;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof ApiError) return null;
    throw error;
  }
}
