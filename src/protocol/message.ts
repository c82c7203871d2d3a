import type { MessageTrace } from "./message-trace.ts";

/** The client that a message comes from, as other accounts are told of it. */
export interface MessageOrigin {
  readonly account: { readonly name: string };
  /** 0: not known. */
  readonly roundTripMs: number;
  /** Fields of `Nats-Request-Info`, for those with whom they are shared. */
  details(): Readonly<Record<string, unknown>>;
  /** The server and the cluster it is connected to. */
  serverDetails(): Readonly<Record<string, unknown>>;
}

/** Imports that a message has come through, the last one first. */
export interface Via {
  readonly export: object;
  readonly isShared: boolean;
  /** Where the requester waits in its own account, as far as JetStream is told; "": it is not. */
  readonly reply: string;
  readonly before: Via | null;
}

/**
 * The message under the parser's hand. There is one per parser, reused for every message: it holds where the parts lie
 * in the slab and owns no bytes. It is valid until the call that received it returns.
 *
 *     HPUB subject [reply ][headerLength ]size\r\nheaders payload\r\n
 *     ^at  ^subject ^reply ^sizes               ^payload           at + length
 *                   ^tail: from here on a delivery is the same bytes
 *
 * All `...From` are offsets from `at`, so that a repeated head only moves `at`.
 */
export class Message {
  /** The sender, if it is a client of this server. */
  origin: MessageOrigin | null = null;
  /** What becomes of the message is written down here; null: it is not traced. */
  trace: MessageTrace | null = null;
  /** The import that it has come through last; null: it is where it was published. */
  via: Via | null = null;
  at = 0;
  /** Bytes from `at` to behind the closing CRLF; up to the payload only when `body` holds it. */
  length = 0;
  subjectFrom = 0;
  subjectLength = 0;
  /** `hashBytes` over the subject. */
  subjectHash = 0;
  tailFrom = 0;
  replyFrom = 0;
  /** 0: no reply subject. */
  replyLength = 0;
  sizesFrom = 0;
  payloadFrom = 0;
  /** Bytes of headers at the start of the payload; 0: no headers. */
  headerLength = 0;
  /** Bytes of headers and payload, without the closing CRLF. */
  size = 0;
  /** A payload too large for the slab, with its closing CRLF, else null. */
  body: Uint8Array | null = null;
  /** The cluster of the leaf node that the message comes from, as routes tell it to each other; "": of none. */
  leafCluster = "";
  /** The payload in memory that no longer changes, once a receiver needed it so. The router sets it back for every message. */
  copied: Uint8Array | null = null;

  /**
   * The subject that clients are shown in place of the one that the message is matched on: `shownLength` bytes behind `HMSG ` at
   * `shownAt`, with a blank behind them. 0: they see the subject itself. See shown-subject.ts.
   */
  shownAt = 0;
  shownLength = 0;
  /** Where the room of a message of the server's own making begins (`core/publish.ts`). */
  stagedAt = 0;

  /** What stands before the sid in a delivery to a client (`MSG subject ` or `HMSG subject `). Set by the router. */
  headAt = 0;
  headLength = 0;

  /** Has the subject be the one that lies at `at`, anywhere in the slab. The tail stays as it is. */
  moveSubject(at: number, length: number, hash: number): void {
    this.subjectFrom = at - this.at;
    this.subjectLength = length;
    this.subjectHash = hash;
  }
}
