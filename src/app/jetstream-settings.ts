/** What the configuration says of JetStream, in its own words. */
import type { JetStreamLimits } from "../jetstream/limits.ts";
import type { ServerLimits } from "../jetstream/server-limits.ts";
import type { ShownLimits } from "../monitor/source.ts";
import type { StoreKeyOptions } from "../store/store-keys.ts";

export interface JetStreamSettings {
  /** `/jetstream` is appended, as nats-server does. */
  readonly storeFolder: string;
  /** Bytes; Infinity: no limit. */
  readonly maxMemoryBytes: number;
  /** null: what the volume has, less a reserve. */
  readonly maxFileBytes: number | null;
  /** "": none. */
  readonly domain: string;
  readonly isStrict: boolean;
  /** null: the disk has what is acknowledged; else so much later. */
  readonly syncIntervalMs: number | null;
  /** null: everything lies on the disk in the clear. */
  readonly encryption: Omit<StoreKeyOptions, "entropy" | "stretch"> | null;
  /** Within this time everything on the disk is read back; null: it never is. */
  readonly scrubIntervalMs: number | null;
  readonly serverLimits: ServerLimits;
  /** Those that were written, as monitoring shows them. */
  readonly shownLimits: ShownLimits;
  /** Of clusters; "": none. */
  readonly uniqueTag: string;
  /** Of clusters: leaderships are spread over the servers. */
  readonly balancesLeaders: boolean;
  /** The accounts that have it. */
  readonly accounts: ReadonlyMap<string, JetStreamLimits>;
}
