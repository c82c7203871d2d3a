/**
 * The port for WebSocket: listens, secures connections, answers their requests, and hands those that are upgraded on, by path. What is
 * spoken over them is the business of others.
 *
 * Bounds: OPENINGS_MAX connections whose request has not been answered, the oldest of which makes room; the time of the
 * handshake for each.
 */
import type { Clock } from "../../base/clock.ts";
import type { Live } from "../../base/live.ts";
import type { Logger } from "../../base/logger.ts";
import { hostPort } from "../../base/host-port.ts";
import type { Presented } from "../../links/client/arrival.ts";
import { OpenWires } from "../../transport/open-wires.ts";
import { listenTcp, tcpWire, type TcpListener } from "../../transport/tcp.ts";
import { Handshakes, TlsWire, type TlsTerms } from "../../transport/tls.ts";
import { Deflate } from "../../transport/websocket/deflate.ts";
import type { WebOrigin, UpgradeRefusal, Upgrade, UpgradeTerms } from "../../transport/websocket/request.ts";
import { WebSocketWire, type MessageLimits } from "../../transport/websocket/wire.ts";
import type { Endpoint, Wire, WireReceiver } from "../../transport/wire.ts";
import { listening } from "../start-error.ts";
import { Upgrading } from "../../transport/websocket/upgrading.ts";

/** What a reload can change, for connections that come. */
export interface WebSocketSettings {
  readonly compression: boolean;
  readonly sameOrigin: boolean;
  readonly allowedOrigins: readonly WebOrigin[];
  readonly headers: Readonly<Record<string, string>>;
  readonly cookies: {
    readonly jwt: string | null;
    readonly user: string | null;
    readonly pass: string | null;
    readonly token: string | null;
  };
  readonly handshakeTimeoutMs: number;
  readonly limits: MessageLimits;
}

export interface WebSocketPortOptions {
  readonly host: string;
  readonly port: number;
  readonly settings: Live<WebSocketSettings>;
  /** null: plaintext. */
  readonly tls: () => TlsTerms | null;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Takes a client over: it has begun to send to `wire` when this returns. */
  readonly onClient: (wire: Wire, presented: Presented, forwardedFor: string) => void;
  /** Takes a leaf node over in the same way; null: none are accepted. */
  readonly onLeaf: ((wire: Wire) => void) | null;
}

export interface WebSocketCounters {
  upgraded: number;
  refused: number;
  /** Handshakes of TLS that failed. */
  tlsFailures: number;
  /** Requests that did not come in time, or made room for newer ones. */
  abandoned: number;
}

const OPENINGS_MAX = 4096;
/** What `handshake_timeout: 0` means; nats-server waits indefinitely. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;
/** The end of the path at which leaf nodes connect. */
const LEAF_PATH = "/leafnode";

export class WebSocketPort {
  readonly wires = new OpenWires();
  readonly handshakes = new Handshakes();
  readonly counters: WebSocketCounters = { upgraded: 0, refused: 0, tlsFailures: 0, abandoned: 0 };
  /** null: this Node.js does not allow it. */
  private readonly deflate = Deflate.open();
  /** The oldest first. */
  private readonly openings = new Map<Upgrading, Disposable>();
  private listener: TcpListener | null = null;
  private readonly options: WebSocketPortOptions;

  constructor(options: WebSocketPortOptions) {
    this.options = options;
  }

  /** Rejects with the operating system's error. */
  async listen(): Promise<Endpoint> {
    const { host, port, logger, tls } = this.options;
    const attempt = listenTcp(host, port, (socket) => {
      const { wires, handshakes } = this;
      const terms = tls();
      if (terms === null) this.accept(tcpWire(socket, wires));
      else this.secure(new TlsWire(socket, wires, terms, handshakes));
    });
    this.listener = await listening(
      { host, port },
      attempt,
      (reason) => `Unable to listen for websocket connections: ${reason}`,
    );
    const { endpoint } = this.listener;
    const scheme = tls() === null ? "ws" : "wss";
    const at = hostPort(host || "0.0.0.0", endpoint.port);
    logger.info(`Listening for websocket clients on ${scheme}://${at}`);
    if (scheme === "ws") logger.warn("Websocket not configured with TLS. DO NOT USE IN PRODUCTION!");
    return endpoint;
  }

  stopListening(): void {
    this.listener?.close();
    this.listener = null;
  }

  /** Connections that have not become clients end. */
  stop(): void {
    this.stopListening();
    for (const opening of [...this.openings.keys()]) opening.giveUp();
  }

  get openingCount(): number {
    return this.openings.size;
  }

  private secure(wire: TlsWire): void {
    wire.accept({
      sayHello: () => undefined,
      onOpen: () => this.accept(wire),
      onThrottled: () => wire.destroy(),
      onFailed: ({ text, isProbe }) => {
        this.counters.tlsFailures++;
        const { address, port } = wire.remote;
        const fields = { peer: hostPort(address, port) };
        if (isProbe) this.options.logger.debug(`websocket: TLS handshake error: ${text}`, fields);
        else this.options.logger.error(`websocket: TLS handshake error: ${text}`, fields);
      },
    });
  }

  /** A wire whose first bytes are a request; also for tests, by memory. */
  accept(wire: Wire): void {
    if (this.openings.size >= OPENINGS_MAX) {
      for (const oldest of this.openings.keys()) {
        this.abandon(oldest);
        break;
      }
    }
    const { clock, settings } = this.options;
    const opening = new Upgrading(wire, {
      terms: (isSecured) => this.terms(isSecured),
      onUpgrade: (_, upgrade) => this.upgraded(opening, upgrade),
      onRefused: (_, refusal) => this.refused(opening, refusal),
      onClosed: () => this.settle(opening),
    });
    const timer = clock.setTimer(settings.current.handshakeTimeoutMs, () => this.abandon(opening));
    this.openings.set(opening, timer);
    wire.start(opening);
  }

  private abandon(opening: Upgrading): void {
    this.counters.abandoned++;
    this.settle(opening);
    opening.giveUp();
  }

  private settle(opening: Upgrading): void {
    this.openings.get(opening)?.[Symbol.dispose]();
    this.openings.delete(opening);
  }

  private refused(opening: Upgrading, { reason }: UpgradeRefusal): void {
    this.counters.refused++;
    this.settle(opening);
    this.log(opening, reason);
  }

  private upgraded(opening: Upgrading, upgrade: Upgrade): WireReceiver | null {
    this.settle(opening);
    const { settings, onClient, onLeaf } = this.options;
    const isLeaf = upgrade.path.endsWith(LEAF_PATH);
    if (isLeaf && onLeaf === null) {
      this.counters.refused++;
      this.log(opening, "Not configured to accept leaf node connections");
      return null;
    }
    this.counters.upgraded++;
    const { limits, cookies: names } = settings.current;
    const { isMasked, compression } = upgrade;
    const deflate = compression ? this.deflate : null;
    const wire = new WebSocketWire(opening.wire, { isMasked, deflate }, limits);
    if (isLeaf && onLeaf !== null) {
      onLeaf(wire);
      return wire;
    }
    const cookie = (name: string | null): string => (name === null ? "" : (upgrade.cookies.get(name) ?? ""));
    const presented = {
      jwt: cookie(names.jwt),
      user: cookie(names.user),
      pass: cookie(names.pass),
      authToken: cookie(names.token),
    };
    onClient(wire, presented, upgrade.forwardedFor);
    return wire;
  }

  private log({ wire: { remote } }: Upgrading, reason: string): void {
    const peer = hostPort(remote.address, remote.port);
    this.options.logger.error(`websocket handshake error: ${reason}`, { peer });
  }

  private terms(isSecured: boolean): UpgradeTerms {
    const { compression, sameOrigin, allowedOrigins, headers } = this.options.settings.current;
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    return {
      compression: compression && this.deflate !== null,
      sameOrigin,
      allowedOrigins,
      headers: lines.join(""),
      isSecured,
    };
  }
}
