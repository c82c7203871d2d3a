/**
 * TLS over TCP, by Node's TLSSocket on a connection that may have said a word before. Reads go into the slab's read window, as
 * with TCP: TLSSocket has no option for that on a connection that stands, so the one of net.Socket is set on it; where Node's
 * internals do not allow that, 'data' events do.
 *
 * What one turn writes is one record (of up to 16 KiB each). A read may hold several records, each of which comes as a piece of its
 * own: replies to all of them are written together, once the event loop has gone on. OpenSSL copies what it is given, so memory can be used again at
 * once, unless an earlier write is still under way.
 */
import { assert } from "../base/assert.ts";
import net from "node:net";
import type * as tls from "node:tls";
import { systemClock } from "../base/clock.ts";
import { READ_START } from "../slab/layout.ts";
import { bytes } from "../slab/memory.ts";
import type { OpenWires } from "./open-wires.ts";
import { nodeTls } from "./node-tls.ts";
import { KEEP_ALIVE_MS, TcpWire } from "./tcp.ts";
import { AlertSender } from "./tls-alert.ts";
import type { TlsContext } from "./tls-context.ts";
import {
  alertFor,
  CROWDED_OUT,
  EOF,
  NOT_PINNED,
  TIMED_OUT,
  tlsProblem,
  type TlsProblem,
} from "./tls-problem.ts";
import { readIntoWindow } from "./tls-window.ts";
import { identityProblem, keyDigest, verifyError } from "./tls-verify.ts";
import type { Opening, Security, WireReceiver } from "./wire.ts";

/** How a port does TLS. May be replaced at any time; handshakes under way keep what they began with. */
export interface TlsTerms {
  readonly context: TlsContext;
  /** Whether connecting peers must present a certificate. Dialled peers always must. */
  readonly verify: "none" | "optional" | "required";
  /** Names and chains of servers that are dialled do not matter. */
  readonly isInsecure: boolean;
  /** SHA-256 of public keys, in lower case hexadecimal; null: all. */
  readonly pinnedKeys: readonly string[] | null;
  readonly timeoutMs: number;
  /** Absent or null: no limit. */
  readonly rate?: HandshakeRate | null;
}

/** How connections on the port for clients begin. */
export interface ClientTlsTerms extends TlsTerms {
  readonly isFirst: boolean;
  /** A client that is silent for this long gets INFO in plaintext; null: never. */
  readonly fallbackMs: number | null;
  /** A client that does not begin TLS continues in plaintext. */
  readonly allowsPlain: boolean;
  /** null: no limit. */
  readonly rate: HandshakeRate | null;
}

/** Limits the handshakes per second. */
export class HandshakeRate {
  private readonly max: number;
  private second = 0;
  private count = 0;

  constructor(max: number) {
    this.max = max;
  }

  admits(): boolean {
    const second = Math.floor(systemClock.nowMs() / 1000);
    if (second !== this.second) this.count = 0;
    this.second = second;
    return ++this.count <= this.max;
  }
}

/** Most concurrent handshakes on a port; beyond it, the oldest one is closed. */
const HANDSHAKES_MAX = 4096;
/** The first byte of every TLS connection. */
const HANDSHAKE_RECORD = 0x16;

/** The handshakes of one port, the oldest first. */
export class Handshakes {
  /** Those that made room for newer ones. */
  crowdedOut = 0;
  private readonly underWay = new Set<TlsWire>();
  private readonly max: number;

  constructor(max = HANDSHAKES_MAX) {
    this.max = max;
  }

  get size(): number {
    return this.underWay.size;
  }

  add(wire: TlsWire): void {
    if (this.underWay.size >= this.max) {
      for (const oldest of this.underWay) {
        this.crowdedOut++;
        oldest.giveUp(CROWDED_OUT);
        break;
      }
    }
    this.underWay.add(wire);
    assert(this.underWay.size <= this.max, "handshakes stay within their bound");
  }

  delete(wire: TlsWire): void {
    this.underWay.delete(wire);
  }
}

export class TlsWire extends TcpWire {
  override security: Security | null = null;
  override isGathering = false;
  private opening: Opening | null = null;
  private timer: Disposable | null = null;
  private hasClosed = false;
  /** The bytes that were read to detect TLS. */
  private early: Buffer | null = null;
  private readonly terms: TlsTerms;
  private readonly handshakes: Handshakes;

  constructor(socket: net.Socket, wires: OpenWires, terms: TlsTerms, handshakes: Handshakes) {
    super(socket, wires);
    this.terms = terms;
    this.handshakes = handshakes;
    socket.on("error", (error: NodeJS.ErrnoException) => (this.problem = error.code ?? error.message));
    socket.on("close", () => this.closed());
  }

  // ---- before bytes pass ----

  /** Agrees on TLS as a server whose clients may begin in several ways. */
  negotiate(opening: Opening): void {
    const { isFirst, fallbackMs, allowsPlain } = this.terms as ClientTlsTerms;
    this.begin(opening, this.terms.timeoutMs + (fallbackMs ?? 0));
    if (isFirst && fallbackMs === null) return this.awaitPeer(() => this.handshake("first"));
    if (isFirst) return this.awaitFirst(opening, fallbackMs ?? 0, allowsPlain);
    opening.sayHello();
    this.awaitSecond(allowsPlain);
  }

  /** TLS at once, as a server. */
  accept(opening: Opening): void {
    this.begin(opening, this.terms.timeoutMs);
    this.awaitPeer(() => this.handshake("first"));
  }

  /** TLS at once, as a client of a server whose certificate has to be for one of `names`. */
  dial(names: readonly string[], opening: Opening): void {
    const { context, isInsecure, timeoutMs } = this.terms;
    this.begin(opening, timeoutMs);
    const asked = names.find((name) => net.isIP(name) === 0);
    const secured = nodeTls().connect({
      socket: this.socket,
      secureContext: context.current,
      ...(asked === undefined ? {} : { servername: asked }),
      checkServerIdentity: (_, certificate) => identityProblem(names, certificate),
      rejectUnauthorized: !isInsecure,
    });
    secured.once("secureConnect", () => this.secured(secured, null, "first"));
    this.adopt(secured);
  }

  /** Fails a pending handshake. */
  giveUp(problem: TlsProblem): void {
    const { opening } = this;
    if (opening === null) return;
    this.settle();
    this.socket.destroy();
    opening.onFailed(problem);
  }

  private begin(opening: Opening, timeoutMs: number): void {
    this.opening = opening;
    this.socket.setKeepAlive(true, KEEP_ALIVE_MS);
    this.handshakes.add(this);
    this.timer = systemClock.setTimer(timeoutMs, () => this.giveUp(TIMED_OUT));
  }

  private settle(): void {
    this.opening = null;
    this.handshakes.delete(this);
    this.timer?.[Symbol.dispose]();
    this.timer = null;
  }

  /** Until the peer has sent something, it costs no more than a socket. */
  private awaitPeer(then: (first: number) => void): void {
    const { socket } = this;
    const onReadable = (): void => {
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) return; // the end: 'close' follows
      socket.off("readable", onReadable);
      this.early = chunk;
      then(chunk[0]!);
    };
    socket.on("readable", onReadable);
    socket.once("end", () => {
      if (this.early === null) socket.destroy();
    });
  }

  private awaitFirst(opening: Opening, fallbackMs: number, allowsPlain: boolean): void {
    let isSilent = true;
    let isInTheOpen = false;
    systemClock.setTimer(fallbackMs, () => {
      if (!isSilent || this.opening === null) return;
      isInTheOpen = true;
      opening.sayHello();
      if (allowsPlain) this.allowSilence();
    });
    this.awaitPeer((first) => {
      isSilent = false;
      if (!isInTheOpen) this.handshake("first");
      else if (allowsPlain && first !== HANDSHAKE_RECORD) this.openPlain();
      else this.handshake("second");
    });
  }

  private awaitSecond(allowsPlain: boolean): void {
    if (allowsPlain) this.allowSilence();
    this.awaitPeer((first) => {
      if (allowsPlain && first !== HANDSHAKE_RECORD) this.openPlain();
      else this.handshake("second");
    });
  }

  /** If TLS is optional, a client that stays silent for too long does not want it. */
  private allowSilence(): void {
    this.timer?.[Symbol.dispose]();
    this.timer = systemClock.setTimer(this.terms.timeoutMs, () => {
      if (this.early === null) this.openPlain();
      else this.giveUp(TIMED_OUT);
    });
  }

  private openPlain(): void {
    const { opening } = this;
    this.settle();
    this.socket.removeAllListeners("readable");
    opening?.onOpen();
  }

  private handshake(order: "first" | "second"): void {
    const { context, verify, rate } = this.terms;
    const { socket, early, opening } = this;
    this.early = null;
    if (rate?.admits() === false) {
      this.settle();
      return opening?.onThrottled();
    }
    if (early !== null) socket.unshift(early);
    const secured = new (nodeTls().TLSSocket)(socket, {
      isServer: true,
      secureContext: context.current,
      requestCert: verify !== "none",
      rejectUnauthorized: verify === "required",
      ...(context.choose === undefined ? {} : { SNICallback: context.choose }),
    });
    const alerts = verify === "none" ? null : new AlertSender(socket, secured);
    secured.once("secure", () => {
      const isGiven = verify === "required" || secured.getPeerX509Certificate() !== undefined;
      const unverified = verify !== "none" && isGiven ? verifyError(secured) : null;
      if (unverified !== null) alerts?.send(alertFor(unverified));
      alerts?.[Symbol.dispose]();
      this.secured(secured, unverified, order);
    });
    this.adopt(secured);
  }

  private adopt(secured: tls.TLSSocket): void {
    this.socket = secured;
    secured.on("error", (error: NodeJS.ErrnoException) => this.failed(error));
    // Errors of an established connection; Node leaves the consequences to the caller.
    secured.on("_tlsError", (error: Error) => {
      this.failed(error);
      secured.destroy();
    });
    secured.on("close", () => this.closed());
  }

  private failed(error: NodeJS.ErrnoException): void {
    this.problem = error.code ?? error.message;
    this.giveUp(tlsProblem(error));
  }

  private secured(secured: tls.TLSSocket, unverified: Error | null, order: "first" | "second"): void {
    const { opening, terms } = this;
    if (opening === null) return;
    if (unverified !== null) return this.giveUp(tlsProblem(unverified));
    const certificate = secured.getPeerX509Certificate();
    if (terms.pinnedKeys !== null) {
      const key = certificate === undefined ? "" : keyDigest(certificate.publicKey);
      if (!terms.pinnedKeys.includes(key)) return this.giveUp(NOT_PINNED);
    }
    this.security = {
      version: (secured.getProtocol() ?? "").replace("TLSv", ""),
      cipherSuite: secured.getCipher().standardName,
      isFirst: order === "first",
      certificate,
    };
    this.settle();
    if (order === "first") opening.sayHello();
    opening.onOpen();
  }

  // ---- bytes ----

  override start(receiver: WireReceiver): void {
    if (this.security === null) return this.startPlain(receiver);
    this.receiver = receiver;
    const secured = this.socket as tls.TLSSocket;
    const onBytes = (length: number): boolean => {
      if (!this.isGathering) {
        this.isGathering = true;
        setImmediate(this.gathered);
      }
      return this.receiver?.onBytes(length) ?? true;
    };
    if (!readIntoWindow(secured, onBytes)) this.readByEvents();
    secured.resume();
  }

  private readonly gathered = (): void => {
    this.isGathering = false;
    // A pending write reports its own completion.
    if (!this.isWriting) this.receiver?.onWritten();
  };

  /** The bytes that were read to detect TLS come first. */
  private startPlain(receiver: WireReceiver): void {
    const { early } = this;
    this.early = null;
    super.start(receiver);
    if (early === null) return;
    bytes.set(early, READ_START);
    if (!receiver.onBytes(early.length)) this.pause();
  }

  override write(piece: Uint8Array): boolean {
    return this.security === null ? super.write(piece) : this.writeMany([piece]);
  }

  override writeMany(pieces: readonly Uint8Array[]): boolean {
    if (this.security === null) return super.writeMany(pieces);
    const { socket } = this;
    const wasIdle = socket.writableLength === 0;
    if (pieces.length > 1) socket.cork();
    for (const piece of pieces) socket.write(piece, this.written);
    if (pieces.length > 1) socket.uncork();
    this.isWriting = !wasIdle && socket.writableLength > 0;
    return !this.isWriting;
  }

  override end(): void {
    const isNegotiating = this.opening !== null;
    this.settle();
    if (isNegotiating && this.socket instanceof nodeTls().TLSSocket) this.socket.destroy();
    else super.end();
  }

  override destroy(): void {
    this.settle();
    super.destroy();
  }

  protected override closed(): void {
    if (this.hasClosed) return;
    this.hasClosed = true;
    if (this.opening !== null) this.giveUp(this.problem === "" ? EOF : tlsProblem({ code: this.problem }));
    super.closed();
  }
}
