/**
 * Routes over TCP, secured by TLS where the configuration says so: listens, dials, and hands on wires that are ready. Turns the
 * operating system's errors into the mesh's kinds. The mesh bounds how many dials are under way at once.
 */
import { isIP, type Socket } from "node:net";
import type { DialErrorKind, PeerAddress } from "../../cluster/mesh-types.ts";
import { dialTcp, listenTcp, tcpWire } from "../../transport/tcp.ts";
import { Handshakes, TlsWire, type TlsTerms } from "../../transport/tls.ts";
import type { Wire } from "../../transport/wire.ts";
import type { DialTarget } from "./peer-discovery.ts";
import type { DialOutcome, RouteListenerHost, RouteNetwork, RouteNetworkOptions } from "./route-network.ts";

const KINDS: Readonly<Record<string, DialErrorKind>> = {
  ECONNREFUSED: "refused",
  ECONNRESET: "refused",
  ETIMEDOUT: "timeout",
  ABORT_ERR: "timeout",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
  EADDRNOTAVAIL: "unreachable",
  ENOTFOUND: "resolve",
  EAI_AGAIN: "resolve",
};

export class TcpRoutes implements RouteNetwork {
  private readonly handshakes = new Handshakes();
  private readonly options: RouteNetworkOptions;

  constructor(options: RouteNetworkOptions) {
    this.options = options;
  }

  get crowdedOut(): number {
    return this.handshakes.crowdedOut;
  }

  listen(host: string, port: number, listenerHost: RouteListenerHost): void {
    const onWire = (wire: Wire): void => listenerHost.onWire(wire);
    listenTcp(host, port, (socket) => this.welcome(socket, onWire)).then(
      (listener) => listenerHost.onListening(listener),
      (error: unknown) => listenerHost.onFailed(error),
    );
  }

  dial(address: PeerAddress, timeoutMs: number, outcome: DialOutcome): Disposable {
    const aborter = new AbortController();
    let isOver = false;
    const timer = this.options.clock.setTimer(timeoutMs, () => aborter.abort(timeoutError(timeoutMs)));
    const failed = (error: DialErrorKind, detail: string): void => {
      timer[Symbol.dispose]();
      if (isOver) return;
      isOver = true;
      outcome.failed(error, detail);
    };
    const connected = (wire: Wire): void => {
      if (isOver) return wire.destroy();
      isOver = true;
      outcome.connected(wire);
    };
    dialTcp(address.host, address.port, aborter.signal).then(
      (socket) => {
        timer[Symbol.dispose]();
        const terms = this.options.tls();
        if (terms === null) return connected(tcpWire(socket, this.options.wires));
        const wire = this.secure(socket, terms, address, connected, failed);
        aborter.signal.addEventListener("abort", () => wire.destroy(), { once: true });
      },
      (error: NodeJS.ErrnoException) => failed(kindOf(error), error.message || String(error.code)),
    );
    return {
      [Symbol.dispose]: () => {
        isOver = true;
        aborter.abort(new Error("called off"));
      },
    };
  }

  private secure(
    socket: Socket,
    terms: TlsTerms,
    address: PeerAddress,
    connected: (wire: Wire) => void,
    failed: DialOutcome["failed"],
  ): Wire {
    const wire = new TlsWire(socket, this.options.wires, terms, this.handshakes);
    wire.dial(this.namesOf(address), {
      sayHello: () => undefined,
      onThrottled: () => undefined,
      onOpen: () => connected(wire),
      onFailed: ({ text }) => failed("tls", text),
    });
    return wire;
  }

  /** A server has connected: hands on its wire once it is secured. */
  private welcome(socket: Socket, onWire: (wire: Wire) => void): void {
    const { wires, logger } = this.options;
    const terms = this.options.tls();
    if (terms === null) return onWire(tcpWire(socket, wires));
    const wire = new TlsWire(socket, wires, terms, this.handshakes);
    const peer = `${wire.remote.address}:${wire.remote.port}`;
    wire.accept({
      sayHello: () => undefined,
      onOpen: () => onWire(wire),
      onThrottled: () => undefined,
      onFailed: ({ text }) => logger.error(`TLS route handshake error: ${text}`, { peer }),
    });
  }

  /**
   * For which of these names a dialled server's certificate may be; the first is asked for. Where an address came by gossip,
   * certificates seldom have it: then the name of a configured route counts as well, as in nats-server. A source of addresses may
   * say which name is meant.
   */
  private namesOf(address: PeerAddress): string[] {
    const { host, verifyName } = address as DialTarget;
    const stated = verifyName === undefined ? [] : [verifyName];
    if (isIP(host) === 0) return [...stated, host];
    const { routes } = this.options.settings.current;
    const seeds = routes.map((route) => route.host).filter((name) => isIP(name) === 0);
    return [...new Set([...stated, ...seeds, host])];
  }
}

function timeoutError(timeoutMs: number): NodeJS.ErrnoException {
  return Object.assign(new Error(`no connection within ${timeoutMs} ms`), { code: "ETIMEDOUT" });
}

/** With several addresses behind a name, Node wraps one error for each. */
function kindOf(error: NodeJS.ErrnoException & { errors?: readonly NodeJS.ErrnoException[] }): DialErrorKind {
  const code = error.code ?? error.errors?.[0]?.code ?? "";
  return KINDS[code] ?? "other";
}
