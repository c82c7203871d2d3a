/** What a consumer is made with. */
import type { EntryLog } from "../../store/consumer-log.ts";
import type { Advise } from "../advisories.ts";
import type { AccountHost } from "../host.ts";
import type { SyncPolicy } from "../stream/commit.ts";
import type { Stream } from "../stream/stream.ts";
import type { ConsumerConfig } from "./config.ts";
import type { DeadLetterCounts, StreamNamed } from "./dead-letters.ts";
import type { Deferral } from "./outlet.ts";
import type { ConsumerState } from "./state.ts";

export interface ConsumerOptions {
  readonly config: ConsumerConfig;
  /** RFC 3339. */
  readonly created: string;
  readonly stream: Stream;
  readonly host: AccountHost;
  readonly log: EntryLog;
  readonly state: ConsumerState;
  /** Absent: messages go out as soon as they are noted. */
  readonly deferral?: Deferral;
  /** A message here is damaged. True: another server is to deliver it; absent: there is none. */
  readonly leavesDamage?: () => boolean;
  readonly policy: SyncPolicy;
  /** False: the client gave it no name. */
  readonly wasNamed: boolean;
  readonly advise: Advise;
  readonly streamNamed: StreamNamed;
  readonly deadLetters: DeadLetterCounts;
  /** Nobody has used it for its inactive threshold. */
  readonly onInactive: () => void;
}
