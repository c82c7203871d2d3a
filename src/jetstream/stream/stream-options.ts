/** What a stream is made with. */
import type { StreamStore } from "../../store/stream-store.ts";
import type { AccountHost } from "../host.ts";
import type { BatchBudgets } from "../server-limits.ts";
import type { SyncPolicy } from "./commit.ts";
import type { StreamConfig } from "./config.ts";
import type { Room } from "./judge.ts";
import type { OriginPositions } from "./origin-positions.ts";
import type { TimedMessages } from "./timed.ts";

export interface StreamOptions {
  readonly config: StreamConfig;
  /** RFC 3339. */
  readonly created: string;
  readonly host: AccountHost;
  readonly store: StreamStore;
  /** The index of the messages in the store. */
  readonly timed: TimedMessages;
  readonly positions: OriginPositions;
  readonly policy: SyncPolicy;
  /** Level of the API. */
  readonly level: number;
  readonly room: Room;
  readonly budgets: BatchBudgets;
  /** A replica takes what its group has agreed on, and nothing from publishers. */
  readonly role: "alone" | "replica";
}
