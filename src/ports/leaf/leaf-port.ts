/**
 * The port for leaf nodes: accepts other servers as spokes, keeps the configured remotes connected, and lists all leaf connections. Their protocol
 * is in `links/leaf`.
 *
 * Bounds: `max_connections` of the server do not apply; UNADMITTED_MAX connections that have not been admitted, the oldest of which makes room.
 */
import { randomBytes } from "node:crypto";
import { assert } from "../../base/assert.ts";
import type { Authenticator } from "../../auth/authenticator.ts";
import type { Clock } from "../../base/clock.ts";
import { liveCell, type LiveCell } from "../../base/live.ts";
import type { Logger } from "../../base/logger.ts";
import type { Random } from "../../base/random.ts";
import { sameValues } from "../../base/same-values.ts";
import type { Accounts } from "../../core/accounts.ts";
import { LeafFeeds } from "../../links/leaf/feed.ts";
import type { LeafFacts, LeafHost, LeafRemote } from "../../links/leaf/host.ts";
import { LeafSession } from "../../links/leaf/session.ts";
import { leafSnapshot, type LeafSnapshot } from "../../links/leaf/snapshot.ts";
import { isWanted, type CompressionTerms } from "../../links/trunk/compression.ts";
import type { FaultKeeper } from "../../links/trunk/faults.ts";
import { TrafficLedger } from "../../links/trunk/traffic.ts";
import type { Turn } from "../../links/trunk/turn.ts";
import { SERVER_SHUTDOWN, type CloseCause } from "../../protocol/close-cause.ts";
import * as errors from "../../protocol/errors.ts";
import { leafInfoLine, type OwnLeafInfo } from "../../protocol/leaf-info.ts";
import { serverLineMax } from "../../protocol/server-lines.ts";
import type { S2Wires } from "../../transport/s2-wire.ts";
import { OpenWires } from "../../transport/open-wires.ts";
import { listenTcp, tcpWire, type TcpListener } from "../../transport/tcp.ts";
import { Handshakes, TlsWire, type ClientTlsTerms, type TlsTerms } from "../../transport/tls.ts";
import { Deflate } from "../../transport/websocket/deflate.ts";
import { WebSocketWire } from "../../transport/websocket/wire.ts";
import type { Endpoint, Wire } from "../../transport/wire.ts";
import { listening } from "../start-error.ts";
import type { LeafDial } from "./dial.ts";
import { introduction } from "./introduction.ts";
import type { LeafAddress, LeafRemoteSettings, LeafSettings } from "./leaf-settings.ts";
import { Solicitor } from "./solicitor.ts";

export interface LeafPortOptions {
  /** null: nobody is accepted. */
  readonly listen: { readonly host: string; readonly port: number } | null;
  readonly settings: LeafSettings;
  readonly accounts: Accounts;
  readonly authenticator: Authenticator;
  readonly turn: Turn;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly faults: FaultKeeper;
  readonly s2: S2Wires;
  /** TLS of accepted connections; null: plaintext. */
  tls(): ClientTlsTerms | null;
  /** TLS of the remote with this index. */
  remoteTls(index: number): TlsTerms;
  lookup(name: string): Promise<readonly string[]>;
  readonly dial: LeafDial;
  facts(): LeafFacts;
  /** The fields of INFO that are the same for all connections. */
  info(): Omit<OwnLeafInfo, "cid" | "nonce" | "admission" | "compression">;
  nextConnectionId(): number;
  newLoopSubject(): string;
  /** Whether an account is there and may be used; with an operator it may have to be looked up. The promise is never rejected. */
  hasAccount(name: string): boolean | Promise<boolean>;
  /** The time of an account is over, or it was deleted. */
  isAccountOver(name: string): boolean;
  /** Interest of spokes here, for the other servers of the cluster. */
  readonly tellRoutes: ConstructorParameters<typeof LeafFeeds>[0]["tellRoutes"];
}

export interface LeafCounters {
  slowConsumers: number;
  slowConsumersByDeadline: number;
  staleConnections: number;
  authFailures: number;
}

/** Learns which leaf connections come and go. */
export interface LeafWatcher {
  opened(session: LeafSession): void;
  closed?(session: LeafSession): void;
}

const UNADMITTED_MAX = 4096;
/** What it takes for one connection, in steps of chores. */
const WRITE_STEPS = 10;
const RECHECK_STEPS = 4;
const TRACE_STEPS = 2;
const NONCE_BYTES = 11;

export class LeafPort {
  readonly sessions = new Map<number, LeafSession>();
  readonly wires = new OpenWires();
  readonly handshakes = new Handshakes();
  readonly counters: LeafCounters = {
    slowConsumers: 0,
    slowConsumersByDeadline: 0,
    staleConnections: 0,
    authFailures: 0,
  };
  readonly feeds: LeafFeeds;
  readonly settings: LiveCell<LeafSettings>;
  readonly traffic = new TrafficLedger(this.sessions, ({ account }) => account?.name ?? "");
  totalConnections = 0;
  readonly watchers: LeafWatcher[] = [];
  /** The oldest first. */
  private readonly unadmitted = new Set<LeafSession>();
  private readonly solicitors = new Map<LeafSession, Solicitor>();
  private remotes: readonly Solicitor[] = [];
  private listener: TcpListener | null = null;
  private isClosed = false;
  private readonly overWebSocket = new Set<number>();
  /** null: not needed yet, or this Node.js does not allow it. */
  private deflate: Deflate | null = null;
  private readonly host: LeafHost;
  private readonly options: LeafPortOptions;

  constructor(options: LeafPortOptions) {
    this.options = options;
    const { turn, tellRoutes } = options;
    this.settings = liveCell(options.settings);
    const newLoopSubject = (): string => options.newLoopSubject();
    this.feeds = new LeafFeeds({ chores: turn.chores, newLoopSubject, tellRoutes });
    this.host = this.leafHost();
  }

  private leafHost(): LeafHost {
    const { options, settings, counters, feeds } = this;
    const { accounts, authenticator, turn, clock, logger, faults } = options;
    return {
      ...{ accounts, authenticator, turn, clock, logger, faults, counters, feeds },
      limits: {
        get current() {
          return settings.current.limits;
        },
      },
      newNonce: () => randomBytes(NONCE_BYTES).toString("base64url"),
      isIsolated: () => settings.current.isIsolated,
      versionMin: () => settings.current.versionMin,
      facts: () => options.facts(),
      sharesJetStream: (account) => settings.current.sharingJetStream.includes(account),
      compression: () => settings.current.compression,
      infoLine: ({ lid, nonce }, admission, compression) => {
        const isSystemAccount = admission !== null && admission.account === accounts.system?.name;
        return leafInfoLine({
          ...options.info(),
          cid: lid,
          nonce: admission === null ? nonce : "",
          compression,
          admission: admission === null ? null : { ...admission, isSystemAccount },
        });
      },
      connectionType: (lid) => (this.overWebSocket.has(lid) ? "LEAFNODE_WS" : "LEAFNODE"),
      hasAccount: (name) => options.hasAccount(name),
      isAccountOver: (name) => options.isAccountOver(name),
      onRefused: () => void counters.authFailures++,
      onOpen: (lid) => this.opened(this.session(lid)),
      onAddresses: (lid, info) => this.solicitors.get(this.session(lid))?.learn(info),
      onClosed: (lid) => this.forget(this.session(lid)),
    };
  }

  /** Rejects with the operating system's error. null: nobody is accepted. */
  async listen(): Promise<Endpoint | null> {
    const at = this.options.listen;
    if (at === null) return null;
    const attempt = listenTcp(at.host, at.port, (socket) => {
      const { wires, handshakes, options } = this;
      const tls = options.tls();
      this.accept(tls === null ? tcpWire(socket, wires) : new TlsWire(socket, wires, tls, handshakes));
    });
    this.listener = await listening(
      at,
      attempt,
      (reason) => `Error listening on leafnode port: ${at.port} - ${reason}`,
    );
    return this.listener.endpoint;
  }

  /** Dials the remotes, and again whenever a connection ends. */
  solicit(): void {
    this.followRemotes();
  }

  /** Another server has dialled, here or at the port for WebSocket. */
  accept(wire: Wire, by: "tcp" | "websocket" = "tcp"): void {
    if (this.isClosed) return wire.end(SERVER_SHUTDOWN);
    if (this.unadmitted.size >= UNADMITTED_MAX) {
      const [oldest] = this.unadmitted;
      oldest?.onPeerError(errors.maxConnectionsExceeded, "made room for a newer one");
    }
    const { compression, limits } = this.settings.current;
    const lineMax = serverLineMax(limits);
    const session = this.open(this.compressible(wire, compression, lineMax), null);
    this.unadmitted.add(session);
    if (by === "websocket") this.overWebSocket.add(session.lid);
    session.greet();
  }

  /** Applies settings; existing connections follow, or end. */
  reconfigure(next: LeafSettings): void {
    const before = this.settings.current;
    this.settings.current = next;
    if (!sameValues(before.remotes, next.remotes)) this.followRemotes();
    this.withEach(RECHECK_STEPS, (session) => {
      session.onLimitsChanged();
      session.followCompression();
    });
    this.sayInfoToAll();
  }

  /** Users or accounts have changed: closes connections that would no longer be admitted, the newest of an account first. */
  recheckGrants(): void {
    this.withEach(RECHECK_STEPS, (session) => session.recheckGrant());
  }

  /** The addresses that leaf nodes are told have changed, or the server leaves. */
  sayInfoToAll(): void {
    this.withEach(WRITE_STEPS, (session) => session.sayInfo());
  }

  followTracing(): void {
    this.withEach(TRACE_STEPS, (session) => session.followTracing());
  }

  /** The newest first, in slices, at so many steps each. */
  private withEach(cost: number, act: (session: LeafSession) => void): void {
    const items = [...this.sessions.values()].reverse();
    void this.options.turn.chores.each({ items, count: items.length, cost, act });
  }

  /** Accepts and dials no more connections. */
  stopListening(): void {
    this.isClosed = true;
    this.listener?.close();
    this.listener = null;
    for (const one of this.remotes) one[Symbol.dispose]();
    this.remotes = [];
  }

  closeAll(cause: CloseCause): void {
    this.stopListening();
    for (const session of [...this.sessions.values()]) session.close(cause);
  }

  /** Admitted connections. */
  get count(): number {
    return this.sessions.size - this.unadmitted.size;
  }

  /** Places in the settings of the remotes to which there should be a connection, and is none. */
  *unconnectedRemotes(): Generator<number> {
    const connected = new Set<Solicitor>();
    for (const [session, solicitor] of this.solicitors)
      if (!this.unadmitted.has(session)) connected.add(solicitor);
    for (const [place, one] of this.remotes.entries())
      if (!one.settings.isDisabled && !connected.has(one)) yield place;
  }

  /** As monitoring looks at them. */
  *connections(): Generator<LeafSnapshot> {
    for (const session of this.sessions.values()) {
      const snapshot = leafSnapshot(session);
      if (snapshot !== null) yield snapshot;
    }
  }

  private compressible(wire: Wire, { mode }: CompressionTerms, strangerMaxBytes: number): Wire {
    // WebSocket has a compression of its own. nats-server packs the frames themselves, which no proxy on the way understands.
    return isWanted(mode) && !(wire instanceof WebSocketWire)
      ? this.options.s2.over(wire, strangerMaxBytes)
      : wire;
  }

  private open(wire: Wire, remote: LeafRemote | null): LeafSession {
    const session = new LeafSession(this.host, wire, this.options.nextConnectionId(), remote);
    this.totalConnections++;
    this.sessions.set(session.lid, session);
    return session;
  }

  private session(lid: number): LeafSession {
    const session = this.sessions.get(lid);
    assert(session !== undefined, "a leaf connection is known until it has ended");
    return session;
  }

  private opened(session: LeafSession): void {
    this.unadmitted.delete(session);
    this.solicitors.get(session)?.opened();
    if (session.remote === null) this.closeDuplicates(session);
    for (const watcher of this.watchers) watcher.opened(session);
  }

  /** A server that connects again has lost its first connection, which was not noticed here yet; or it is configured to dial twice. */
  private closeDuplicates(session: LeafSession): void {
    const { name, cluster, account } = session.peer;
    if (name === "" || account === "") return;
    for (const other of [...this.sessions.values()]) {
      if (other === session || other.remote !== null || other.account !== session.account) continue;
      const { peer } = other;
      if (peer.name !== name || peer.cluster !== cluster || peer.account !== account) continue;
      session.log.warn("Replacing connection from same server");
      other.onPeerError(errors.duplicateLeaf, "");
    }
  }

  private forget(session: LeafSession): void {
    this.overWebSocket.delete(session.lid);
    const wasOfUse = !this.unadmitted.delete(session) && session.account !== null;
    if (this.sessions.delete(session.lid)) this.traffic.closed(session);
    const solicitor = this.solicitors.get(session);
    this.solicitors.delete(session);
    if (wasOfUse) for (const watcher of this.watchers) watcher.closed?.(session);
    solicitor?.ended(session.redialDelayMs, wasOfUse);
  }

  /** Remotes that have not changed, but for times, keep their connections. */
  private followRemotes(): void {
    const { remotes } = this.settings.current;
    const left = [...this.remotes];
    const fresh: Solicitor[] = [];
    this.remotes = remotes.map((settings) => {
      const at = left.findIndex((one) => sameValues(timeless(one.settings), timeless(settings)));
      const [kept] = at < 0 ? [] : left.splice(at, 1);
      if (kept !== undefined) {
        kept.settings = settings;
        return kept;
      }
      const solicitor = this.solicitor(settings);
      fresh.push(solicitor);
      return solicitor;
    });
    for (const one of left) this.drop(one);
    for (const one of fresh) one.start();
  }

  private drop(solicitor: Solicitor): void {
    solicitor[Symbol.dispose]();
    for (const [session, one] of this.solicitors) if (one === solicitor) session.close(SERVER_SHUTDOWN);
  }

  private solicitor(settings: LeafRemoteSettings): Solicitor {
    const { options } = this;
    const { clock, random, logger } = options;
    const { wires, handshakes } = this;
    const solicitor: Solicitor = new Solicitor({
      ...{ settings, clock, random, logger, dial: options.dial },
      reconnectMs: () => this.settings.current.reconnectMs,
      dialHost: {
        ...{ wires, handshakes, clock },
        deflate: () => (this.deflate ??= Deflate.open()),
        lookup: (name) => options.lookup(name),
      },
      // Its place among the remotes may change with a reload.
      tls: () => options.remoteTls(this.remotes.indexOf(solicitor)),
      hasAccount: () => options.hasAccount(settings.account),
      onWire: (wire, infoJson, address) => this.introduce(solicitor, wire, infoJson, address),
    });
    return solicitor;
  }

  private introduce(solicitor: Solicitor, wire: Wire, infoJson: string | null, address: LeafAddress): void {
    const { settings } = solicitor;
    const { account, isHub, denyImports, denyExports, isIsolated, asksForIsolation, compression } = settings;
    const remote: LeafRemote = {
      ...{ account, isHub, denyImports, denyExports, isIsolated, asksForIsolation, compression },
      connectLine: (info, mode) => introduction(settings, address, this.options.facts(), info, mode),
    };
    // A hub tells its interest in the same write that admits this server.
    const session = this.open(this.compressible(wire, compression, Infinity), remote);
    this.unadmitted.add(session);
    this.solicitors.set(session, solicitor);
    session.introduce(infoJson, settings.infoTimeoutMs);
  }
}

function timeless(settings: LeafRemoteSettings): LeafRemoteSettings {
  return { ...settings, dialTimeoutMs: 0, infoTimeoutMs: 0 };
}
