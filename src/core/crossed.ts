/**
 * An account as its imports, and what it owes to those of others, see it. The class is `Account` (account.ts), which is made of them; here
 * stand the words that they have in common, so that none of them imports it.
 */
import type { Work } from "../base/work.ts";
import type { Message, MessageOrigin } from "../protocol/message.ts";
import type { LatencyDefinition, ServiceExportDefinition, TraceDefinition } from "./definitions.ts";
import type { Interest } from "./interest.ts";
import type { Mappings } from "./mappings.ts";
import type { Source } from "./reach.ts";
import type { Crossing, RemoteInterest, Subscription } from "./subscription.ts";

export interface Crossed {
  /** Text. */
  readonly name: string;
  readonly isSystem: boolean;
  /** False: only other servers have the account. */
  readonly isConfigured: boolean;
  readonly work: Work;
  readonly interest: Interest;
  /** null: subjects are not mapped. */
  readonly mappings: Mappings | null;
  readonly trace: TraceDefinition | null;
  readonly serviceExports: readonly ServiceExportDefinition[];
  readonly responses: Responses;
  readonly latency: Latency;
  /** Delivers a message to all receivers in this account, on this and on other servers. */
  publish(message: Message, source: Source): boolean;
  /** The same for a message of this server itself. */
  send(subject: string, payload: Uint8Array | string, reply?: string, headers?: string): boolean;
  subscribe(subscription: Subscription | Crossing): void;
  unsubscribe(subscription: Subscription | Crossing): void;
  withdraw(subscription: Subscription): void;
  /** Takes in the shadow of a subscription that imports from here. */
  shade(shadow: Subscription): void;
  /** The same for what a leaf connection is interested in. */
  shadeLeaf(shadow: RemoteInterest): void;
  unshadeLeaf(shadow: RemoteInterest): void;
}

/** A request whose latency is measured. */
export interface Tracking {
  /** The headers that caused the measurement. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly requester: MessageOrigin | null;
  readonly share: boolean;
}

export interface Request {
  readonly account: Crossed;
  /** Where the requester waits, in its account. */
  readonly reply: string;
  readonly service: ServiceExportDefinition;
  /** null: nobody measures. */
  readonly tracking: Tracking | null;
}

export interface Expected extends Request {
  /** The reply subject in the account that responds. */
  readonly subject: string;
  readonly sinceMs: number;
  /** Time of the request, or of the latest response. */
  activeMs: number;
}

export type ResponseLoss = "nobody there" | "too late";

/** Responses that an account's services owe. */
interface Responses {
  isExpected(subject: string): boolean;
  expect(request: Request): Expected;
  /** No response will come, or none that reaches anyone. */
  forget(expected: Expected, loss: ResponseLoss): void;
  /** Withdraws a request that reached nobody. */
  cancel(expected: Expected): void;
}

/** How long an account's services take. */
interface Latency {
  readonly replySuffix: string;
  refused(latency: LatencyDefinition, tracking: Tracking): void;
  lost(latency: LatencyDefinition, expected: Expected, loss: ResponseLoss): void;
  responded(expected: Expected, responder: MessageOrigin | null): void;
}
