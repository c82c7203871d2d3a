/**
 * The port of the clients: accepts, counts, and keeps the list of sessions. Refuses beyond `maxConnections`. Sums up what
 * sessions counted, also of those that are gone.
 */
import { assert } from "../../base/assert.ts";
import { liveCell, type LiveCell } from "../../base/live.ts";
import type { Logger } from "../../base/logger.ts";
import type { Accounts } from "../../core/accounts.ts";
import type { Authenticator } from "../../auth/authenticator.ts";
import type { Clock } from "../../base/clock.ts";
import type { FaultKeeper } from "../../links/trunk/faults.ts";
import type { Arrival } from "../../links/client/arrival.ts";
import type { ClientCounters, ClientHost, ClientLimits, InfoContext } from "../../links/client/host.ts";
import { ClientSession } from "../../links/client/session.ts";
import type { Turn } from "../../links/trunk/turn.ts";
import {
  maxAccountConnectionsExceeded,
  maxConnectionsExceeded,
  type PeerError,
} from "../../protocol/errors.ts";
import { OpenWires } from "../../transport/open-wires.ts";
import { listenTcp, tcpWire, type TcpListener } from "../../transport/tcp.ts";
import { Handshakes, TlsWire, type ClientTlsTerms } from "../../transport/tls.ts";
import type { Endpoint, Wire } from "../../transport/wire.ts";
import { INSIDE, OUTSIDE, WEBSOCKET, type Entrance } from "../entrance.ts";
import { listening } from "../start-error.ts";
import { TrafficLedger } from "../../links/trunk/traffic.ts";
import { SERVER_SHUTDOWN, type CloseCause } from "../../protocol/close-cause.ts";
import { OpenConnection } from "./open-connection.ts";

/** What it takes to write to a connection, and to look again at what it may do, in steps of chores. */
const WRITE_STEPS = 10;
const RECHECK_STEPS = 4;
/** What it takes to put a tap between a parser and its session. */
const TRACE_STEPS = 2;

export interface ClientPortOptions {
  readonly host: string;
  readonly port: number;
  /** A second listener, for clients outside; null: none. */
  readonly external: { readonly host: string; readonly port: number } | null;
  /** null: no limit. */
  readonly maxConnections: number | null;
  readonly limits: ClientLimits;
  readonly authenticator: Authenticator;
  /** The values that differ for clients over WebSocket. */
  readonly webSocket?: { readonly limits: ClientLimits; readonly authenticator: Authenticator };
  readonly accounts: Accounts;
  readonly turn: Turn;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly faults: FaultKeeper;
  /** Terms for connections that come from now on; null: plaintext. */
  tls(): ClientTlsTerms | null;
  info(context: InfoContext): string;
  /** The server and its cluster, as other accounts are told of them. */
  serverDetails(): Readonly<Record<string, string>>;
  /** Numbers for connections, shared with routes. */
  nextConnectionId(): number;
}

export interface ClientWatcher {
  /** At each CONNECT that is accepted. */
  connected(session: ClientSession): void;
  refused(session: ClientSession, error: PeerError): void;
  /** With its subscriptions as they were. */
  disconnected(session: ClientSession): void;
}

export class ClientPort {
  readonly sessions = new Map<number, ClientSession>();
  readonly wires = new OpenWires();
  readonly counters: ClientCounters = {
    slowConsumers: 0,
    slowConsumersByDeadline: 0,
    staleConnections: 0,
    authFailures: 0,
    tlsFailures: 0,
    stalls: 0,
  };
  readonly handshakes = new Handshakes();
  /** null: no limit. */
  private maxConnections: number | null;
  totalConnections = 0;
  /** Clients without credentials that made room for newer ones. */
  crowdedOut = 0;
  /** Learns which clients come and go. */
  watcher: ClientWatcher | null = null;
  /** What clients sent and received. */
  readonly traffic = new TrafficLedger(this.sessions, ({ account }) => account.name);
  /** Clients that owe credentials, the oldest first. */
  private readonly unnamed = new Set<ClientSession>();
  private isClosed = false;
  /** INFO has changed, and no client has been told yet. */
  private isInfoDue = false;
  private readonly listeners: TcpListener[] = [];
  private readonly options: ClientPortOptions;
  private readonly host: ClientHost<ClientSession>;
  private readonly webSocketHost: ClientHost<ClientSession>;
  private readonly limits: LiveCell<ClientLimits>;
  private readonly webSocketLimits: LiveCell<ClientLimits>;

  constructor(options: ClientPortOptions) {
    this.options = options;
    this.maxConnections = options.maxConnections;
    this.limits = liveCell(options.limits);
    this.webSocketLimits = liveCell(options.webSocket?.limits ?? options.limits);
    this.host = {
      ...options,
      limits: this.limits,
      counters: this.counters,
      info: (context) => options.info(context),
      serverDetails: () => options.serverDetails(),
      onAdmitted: (session) => {
        this.unnamed.delete(session);
        session.wire.admitted?.();
        this.watcher?.connected(session);
      },
      onRefused: (session, error) => this.refuse(session, error),
      onClosed: (session) => this.forget(session),
    };
    const authenticator = options.webSocket?.authenticator ?? options.authenticator;
    this.webSocketHost = { ...this.host, authenticator, limits: this.webSocketLimits };
  }

  /** Rejects with the operating system's error. */
  async listen(): Promise<Endpoint> {
    return this.listenAt(this.options, INSIDE);
  }

  /** The second listener; null: none is wanted. */
  async listenOutside(): Promise<Endpoint | null> {
    const { external } = this.options;
    return external === null ? null : this.listenAt(external, OUTSIDE);
  }

  private async listenAt(at: { host: string; port: number }, entrance: Entrance): Promise<Endpoint> {
    const attempt = listenTcp(at.host, at.port, (socket) => {
      const { wires, handshakes } = this;
      const tls = this.options.tls();
      const wire = tls === null ? tcpWire(socket, wires) : new TlsWire(socket, wires, tls, handshakes);
      this.accept(wire, { entrance });
    });
    const listener = await listening(
      at,
      attempt,
      (reason) => `Error listening on port: ${at.host}:${at.port}, "${reason}"`,
    );
    this.listeners.push(listener);
    return listener.endpoint;
  }

  stopListening(): void {
    for (const listener of this.listeners.splice(0)) listener.close();
  }

  /** Sessions over WebSocket. */
  get webSocketCount(): number {
    let count = 0;
    for (const { arrival } of this.sessions.values()) if (arrival.entrance === WEBSOCKET) count++;
    return count;
  }

  get subscriptionCount(): number {
    let count = 0;
    for (const session of this.sessions.values()) count += session.subscriptions.size;
    return count;
  }

  /** How many are open. */
  get count(): number {
    return this.sessions.size;
  }

  /** The open connection of this number. */
  find(cid: number): OpenConnection | undefined {
    const session = this.sessions.get(cid);
    return session === undefined ? undefined : new OpenConnection(session);
  }

  /** As monitoring looks at them, in the order in which they came. */
  *connections(): Generator<OpenConnection> {
    for (const session of this.sessions.values()) yield new OpenConnection(session);
  }

  /** In slices, as all that is done with each session, and written at once. What all are told is what holds when they are. */
  sendInfoToAll(): void {
    if (this.isInfoDue) return;
    this.isInfoDue = true;
    this.withEach(this.toldInfo(), WRITE_STEPS, (session) => {
      session.introduction.sendInfo();
      session.outbox.flush();
    });
  }

  private *toldInfo(): Generator<ClientSession> {
    this.isInfoDue = false;
    yield* this.sessions.values();
  }

  /** Tracing has been switched on or off. */
  followTracing(): void {
    this.withEach(this.sessions.values(), TRACE_STEPS, (session) => session.followTracing());
  }

  /** Users have changed. */
  recheckGrants(): void {
    this.withEach(this.sessions.values(), RECHECK_STEPS, (session) => session.recheckGrant());
  }

  /** Limits apply to open connections, too. */
  applyLimits(limits: ClientLimits, maxConnections: number | null, webSocket = limits): void {
    this.limits.current = limits;
    this.webSocketLimits.current = webSocket;
    this.maxConnections = maxConnections;
    this.withEach(this.sessions.values(), RECHECK_STEPS, (session) => session.onLimitsChanged());
    this.closeSurplus();
  }

  /** Accounts have changed. */
  recheckAccounts(): void {
    const newestFirst = [...this.sessions.values()].reverse();
    this.withEach(newestFirst, RECHECK_STEPS, (session) => this.recheckAccount(session));
  }

  /** These accounts have changed, in all that operators sign. */
  recheckAccountsOf(names: ReadonlySet<string>): void {
    if (names.size === 0) return;
    const affected = [...this.sessions.values()].filter(({ account }) => names.has(account.name)).reverse();
    this.withEach(affected, RECHECK_STEPS, (session) => {
      this.recheckAccount(session);
      session.recheckGrant();
    });
  }

  /** Those who came last go first. */
  private recheckAccount(session: ClientSession): void {
    if (!session.isOpen) return;
    session.onLimitsChanged();
    session.onRulesChanged();
    const { account } = session;
    if (account.isOverfull) session.onPeerError(maxAccountConnectionsExceeded, account.name);
  }

  private withEach(
    items: Iterable<ClientSession>,
    cost: number,
    act: (session: ClientSession) => void,
  ): void {
    void this.options.turn.chores.each({ items, count: this.sessions.size, cost, act });
  }

  /** Those who came last go first. */
  private closeSurplus(): void {
    const { maxConnections } = this;
    if (maxConnections === null) return;
    const surplus = [...this.sessions.values()].slice(maxConnections);
    this.withEach(surplus, WRITE_STEPS, (session) => {
      if (session.isOpen) session.onPeerError(maxConnectionsExceeded, `${maxConnections} connections`);
    });
    if (surplus.length > 0) {
      const fields = { closed: surplus.length, maxConnections };
      this.options.logger.info("Connections were closed to fall within max_connections", fields);
    }
  }

  closeAll(cause: CloseCause): void {
    this.isClosed = true;
    this.stopListening();
    for (const session of [...this.sessions.values()]) session.close(cause);
  }

  /** A client that came by another port. */
  takeOver(wire: Wire, arrival: Arrival): void {
    if (this.isClosed) wire.end(SERVER_SHUTDOWN);
    else this.accept(wire, arrival);
  }

  private accept(wire: Wire, arrival: Arrival): void {
    const host = arrival.entrance === WEBSOCKET ? this.webSocketHost : this.host;
    const session = new ClientSession(host, wire, this.options.nextConnectionId(), arrival);
    this.totalConnections++;
    const { maxConnections } = this;
    if (maxConnections !== null && this.sessions.size >= maxConnections) this.makeRoom(maxConnections);
    const isFull = maxConnections !== null && this.sessions.size >= maxConnections;
    assert(!this.sessions.has(session.cid), "a connection has a number of its own");
    this.sessions.set(session.cid, session);
    if (host.authenticator.hasSecrets) this.unnamed.add(session);
    session.open();
    if (isFull) session.onPeerError(maxConnectionsExceeded, `${maxConnections} connections`);
  }

  /** Keeps clients without credentials from locking out those with credentials. */
  private makeRoom(maxConnections: number): void {
    const [oldest] = this.unnamed;
    if (oldest === undefined) return;
    this.crowdedOut++;
    oldest.onPeerError(maxConnectionsExceeded, `${maxConnections} connections; made room for a newer one`);
  }

  private forget(session: ClientSession): void {
    this.unnamed.delete(session);
    if (!this.sessions.delete(session.cid)) return;
    assert(this.unnamed.size <= this.sessions.size, "a client that owes credentials is connected");
    this.traffic.closed(session);
    this.watcher?.disconnected(session);
  }

  private refuse(session: ClientSession, error: PeerError): void {
    this.counters.authFailures++;
    this.watcher?.refused(session, error);
  }
}
