import type { X509Certificate } from "node:crypto";

/**
 * A wire carries the bytes of one connection. With every kind of wire, received bytes are in the slab's read window while `onBytes`
 * runs, and no longer.
 */
export interface WireReceiver {
  /** `length` fresh bytes lie at READ_START. Return false to pause reading (until `resume`). */
  onBytes(length: number): boolean;
  /** A write that was not done at once is done. */
  onWritten(): void;
  /** The connection has ended; called once. `problem` is the operating system's error code, "" for a regular end. */
  onClosed(problem: string): void;
}

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** The result of the TLS handshake. */
export interface Security {
  /** "1.2" or "1.3". */
  readonly version: string;
  /** As IANA names it. */
  readonly cipherSuite: string;
  /** Whether the handshake came before INFO. */
  readonly isFirst: boolean;
  /** The peer's own, verified. */
  readonly certificate: X509Certificate | undefined;
}

/** Callbacks during the opening of a wire that may use TLS. */
export interface Opening {
  /** Writes the server's greeting at once; in plaintext if `security` is null. */
  sayHello(): void;
  /** The wire can be started. */
  onOpen(): void;
  /** Too many handshakes are pending; what is written goes out in plaintext. */
  onThrottled(): void;
  /** The TLS handshake failed, and the wire is closed. `isProbe`: the peer never began one. */
  onFailed(problem: { readonly text: string; readonly isProbe: boolean }): void;
}

/** Why a connection ends, for wires that tell the peer. */
export interface EndReason {
  readonly reason: string;
  /** The status of a Close frame. */
  readonly webSocketStatus: number;
}

/** How S2 frames what is written: as it is, or packed so hard. */
export type WireFraming = "uncompressed" | "fast" | "better" | "best";

export interface Wire {
  readonly remote: Endpoint;
  readonly local: Endpoint;
  /** null: plaintext. */
  readonly security: Security | null;
  /**
   * Whether one read delivers its bytes in several pieces and more may come: writes meanwhile may wait for `onWritten`, which follows.
   * Absent: never.
   */
  readonly isGathering?: boolean;
  /** Negotiates TLS, before `start`. Absent on wires that never use it. */
  negotiate?(opening: Opening): void;
  /** The peer has been admitted. Absent on wires that bound no stranger. */
  admitted?(): void;
  /**
   * From now on what comes is packed by S2, and what is written behind the next `plainBytes`; called again, at another level. Absent on
   * wires that do not compress.
   */
  compress?(framing: WireFraming, plainBytes: number): void;
  /** Begins reading. Called once. */
  start(receiver: WireReceiver): void;
  /**
   * Writes a piece. True: done, its memory may be used again at once. False: it is in use until `onWritten`, before which
   * nothing else may be written but the last words of a connection that ends.
   */
  write(piece: Uint8Array): boolean;
  /** The same for several pieces in order. */
  writeMany(pieces: readonly Uint8Array[]): boolean;
  pause(): void;
  resume(): void;
  /** Ends the connection once all written bytes are sent; bytes that still arrive are discarded. Bounded in time. */
  end(reason?: EndReason): void;
  /**
   * Half-closes the connection once all written bytes are sent. It still receives until the other side has ended as well or
   * `patienceMs` have passed.
   */
  endWriting(patienceMs: number): void;
  /** Ends the connection at once. */
  destroy(): void;
}
