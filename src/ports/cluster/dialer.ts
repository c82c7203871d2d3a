/** Dials for the mesh: bounded in time, can be called off, turns the operating system's errors into the mesh's kinds. */
import type { OpenWires } from "../../transport/open-wires.ts";
import { dialTcp, tcpWire } from "../../transport/tcp.ts";
import { TlsWire, type Handshakes, type TlsTerms } from "../../transport/tls.ts";
import type { Wire } from "../../transport/wire.ts";
import type { DialErrorKind, DialId, PeerAddress } from "../../cluster/mesh-types.ts";

export interface DialerActions {
  /** How routes are secured; null: they are not. */
  tls(): { readonly terms: TlsTerms; readonly handshakes: Handshakes } | null;
  /** For which of these names a server's certificate may be; the first is asked for. */
  namesOf(address: PeerAddress): readonly string[];
  onConnected(dialId: DialId, address: PeerAddress, wire: Wire): void;
  onFailed(dialId: DialId, error: DialErrorKind, detail: string): void;
}

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

/** The mesh bounds how many dials are under way at once. */
export class Dialer {
  private readonly underWay = new Map<DialId, AbortController>();
  private readonly actions: DialerActions;

  private readonly wires: OpenWires;

  constructor(wires: OpenWires, actions: DialerActions) {
    this.wires = wires;
    this.actions = actions;
  }

  dial(dialId: DialId, address: PeerAddress, timeoutMs: number): void {
    const aborter = new AbortController();
    this.underWay.set(dialId, aborter);
    const timer = setTimeout(() => aborter.abort(timeoutError(timeoutMs)), timeoutMs);
    timer.unref();
    const fail = (error: DialErrorKind, detail: string): void => {
      clearTimeout(timer);
      if (this.underWay.delete(dialId)) this.actions.onFailed(dialId, error, detail);
    };
    const connected = (wire: Wire): void => {
      if (this.underWay.delete(dialId)) this.actions.onConnected(dialId, address, wire);
      else wire.destroy();
    };
    dialTcp(address.host, address.port, aborter.signal).then(
      (socket) => {
        clearTimeout(timer);
        const tls = this.actions.tls();
        if (tls === null) return connected(tcpWire(socket, this.wires));
        const wire = new TlsWire(socket, this.wires, tls.terms, tls.handshakes);
        aborter.signal.addEventListener("abort", () => wire.destroy(), { once: true });
        wire.dial(this.actions.namesOf(address), {
          sayHello: () => undefined,
          onThrottled: () => undefined,
          onOpen: () => connected(wire),
          onFailed: ({ text }) => fail("tls", text),
        });
      },
      (error: NodeJS.ErrnoException) => fail(kindOf(error), error.message || String(error.code)),
    );
  }

  /** Nothing is reported of this dial any more. */
  cancel(dialId: DialId): void {
    const aborter = this.underWay.get(dialId);
    this.underWay.delete(dialId);
    aborter?.abort(new Error("called off"));
  }

  cancelAll(): void {
    for (const dialId of [...this.underWay.keys()]) this.cancel(dialId);
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
