/** A client as the files around its session see it. The session itself (session.ts) imports them, and they do not import it. */
import type { Grant } from "../../auth/grant.ts";
import type { Logger } from "../../base/logger.ts";
import type { Account } from "../../core/account.ts";
import type { Subscriber, Subscription } from "../../core/subscription.ts";
import type { ClientHello } from "../../protocol/connect.ts";
import type { PeerError } from "../../protocol/errors.ts";
import type { Message } from "../../protocol/message.ts";
import type { Wire } from "../../transport/wire.ts";
import type { Heartbeat } from "../trunk/heartbeat.ts";
import type { Outbox } from "../trunk/outbox.ts";
import type { Standing } from "../trunk/phase.ts";
import type { Tap } from "../trunk/tap.ts";
import type { Arrival } from "./arrival.ts";
import type { ClientHost } from "./host.ts";
import type { Rights } from "./rights.ts";

export interface Client {
  readonly cid: number;
  readonly host: ClientHost;
  readonly wire: Wire;
  readonly outbox: Outbox;
  readonly heartbeat: Heartbeat;
  readonly log: Logger;
  readonly tap: Tap | null;
  readonly arrival: Arrival;
  readonly startedMs: number;
  readonly isOpen: boolean;
  /** null: it has ended. */
  readonly standing: Standing | null;
  readonly nonce: string;
  readonly hello: ClientHello;
  readonly account: Account;
  readonly grant: Grant | null;
  readonly user: string;
  readonly proxyKey: string;
  readonly limits: ClientHost["limits"];
  readonly rights: Rights | null;
  readonly receiver: Subscriber;
  /** Sends a line of the protocol. */
  say(line: string): void;
  /** Takes a message that is not traced, or whose trace has begun. Returns whether to read on. */
  take(message: Message): boolean;
  /** Returns whether the connection continues. */
  onPeerError(error: PeerError, detail: string): boolean;
  countDelivery(subscription: Subscription, size: number): void;
  /** A service with its own time limit decides who the client is, or the client is known. */
  stopAuthTimer(): void;
}
