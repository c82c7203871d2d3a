import type { X509Certificate } from "node:crypto";

/**
 * A wire carries bytes of one connection. What arrives lies in the slab's read window when `onBytes` is called, for all
 * wires alike, and is gone when it returns.
 */
export interface WireReceiver {
  /** `length` fresh bytes lie at READ_START. Return false to pause reading (until `resume`). */
  onBytes(length: number): boolean;
  /** A write that was not done at once is done. */
  onWritten(): void;
  /** The connection is gone; called once. `problem` is the operating system's word for it, "" for a regular end. */
  onClosed(problem: string): void;
}

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** What TLS has agreed on. */
export interface Security {
  /** "1.2" or "1.3". */
  readonly version: string;
  /** As IANA names it. */
  readonly cipherSuite: string;
  /** TLS began before a word was said. */
  readonly isFirst: boolean;
  /** The peer's own, verified. */
  readonly certificate: X509Certificate | undefined;
}

/** What happens before bytes pass on a wire that may want TLS. */
export interface Opening {
  /** The server's first word, to be written at once; in the open, where `security` is null. */
  sayHello(): void;
  /** The wire can be started. */
  onOpen(): void;
  /** Too many want TLS at this time; what is written goes out in the open. */
  onThrottled(): void;
  /** TLS came to nothing: the wire is gone. `isProbe`: nobody tried. */
  onFailed(problem: { readonly text: string; readonly isProbe: boolean }): void;
}

export interface Wire {
  readonly remote: Endpoint;
  readonly local: Endpoint;
  /** null: in the open. */
  readonly security: Security | null;
  /**
   * One read brings its bytes in several pieces, and more of them may come: what is written meanwhile may wait for `onWritten`,
   * which follows. Absent: never.
   */
  readonly isGathering?: boolean;
  /** Agrees on TLS, before `start`. Not there on wires that never do. */
  negotiate?(opening: Opening): void;
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
  /** Ends the connection once what was written is out; what still arrives is thrown away. Bounded in time. */
  end(): void;
  /**
   * Says that nothing more will be written, once what was written is out. What still arrives is received, until the other side
   * has ended as well, or `patienceMs` have passed.
   */
  endWriting(patienceMs: number): void;
  /** Ends the connection at once. */
  destroy(): void;
}
