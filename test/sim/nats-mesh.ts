/**
 * How nats-server (2.15, route.go as observed) runs its routes, as a Mesh: first registered wins, a duplicate is closed by
 * whoever notices, both sides' dials crossing cost both connections, explicit routes are dialled again after a second,
 * implicit ones once. A model to test against, not to run with; timings are its defaults.
 */
import { randomInt, type Random } from "../../src/base/random.ts";
import { addressKey, advertisedAddress, routeUrl } from "../../src/cluster/address.ts";
import type {
  CloseReason,
  ConnId,
  GossipMode,
  Mesh,
  MeshAction,
  MeshEvent,
  MeshOptions,
  MeshSnapshot,
  PeerAddress,
  RouteInfo,
  RouteSlot,
  ServerId,
} from "../../src/cluster/mesh-types.ts";

const RECONNECT_MS = 1000;
const JITTER_MS = 100;
const AUTH_TIMEOUT_MS = 2000;

interface Dial {
  readonly address: PeerAddress;
  explicit: boolean;
  readonly gossipMode: GossipMode;
  readonly account: string;
}

interface Conn {
  readonly id: ConnId;
  readonly remoteIp: string | undefined;
  /** Set: solicited, or upgraded to it. */
  dial: Dial | undefined;
  readonly dialled: boolean;
  retry: boolean;
  noReconnect: boolean;
  peerId: ServerId | undefined;
  slot: RouteSlot | undefined;
  noPool: boolean;
  info: RouteInfo | undefined;
  nextOnPong: Dial | undefined;
}

export class NatsMesh implements Mesh {
  private readonly options: MeshOptions;
  private readonly random: Random;
  private readonly conns = new Map<ConnId, Conn>();
  private readonly routes = new Map<ServerId, (ConnId | undefined)[]>();
  private readonly accountRoutes = new Map<string, Map<ServerId, ConnId>>();
  private readonly dials = new Map<number, Dial>();
  private readonly explicit = new Set<string>();
  private timers: { readonly atMs: number; readonly run: () => void }[] = [];
  private actions: MeshAction[] = [];
  private nowMs = 0;
  private nextDialId = 1;

  constructor(options: MeshOptions, random: Random) {
    this.options = options;
    this.random = random;
    for (const account of options.pinnedAccounts) this.accountRoutes.set(account, new Map());
  }

  step(event: MeshEvent, nowMs: number): MeshAction[] {
    this.actions = [];
    this.nowMs = nowMs;
    this.apply(event);
    const due = this.timers.filter((timer) => timer.atMs <= nowMs);
    this.timers = this.timers.filter((timer) => timer.atMs > nowMs);
    for (const timer of due) timer.run();
    return this.actions;
  }

  nextWakeMs(): number | undefined {
    return this.timers.length === 0 ? undefined : Math.min(...this.timers.map((timer) => timer.atMs));
  }

  size() {
    return this.snapshot().size;
  }

  isComplete(): boolean {
    return this.snapshot().complete;
  }

  snapshot(): MeshSnapshot {
    const peers = [...this.routes].map(([id, slots]) => {
      const infos = slots.map((connId) => (connId === undefined ? undefined : this.conns.get(connId)));
      const first = infos.find((conn) => conn !== undefined);
      return {
        id,
        name: first?.info?.name ?? "",
        address: "",
        noPool: first?.noPool ?? false,
        shoal: first?.info?.shoal ?? false,
        solicited: first?.dial !== undefined,
        routeType: first?.dial?.explicit === true ? ("explicit" as const) : ("implicit" as const),
        joinedMs: 0,
        slots: [...slots],
        accounts: [...this.accountRoutes].map(([account, conns]) => ({ account, connId: conns.get(id) })),
      };
    });
    return {
      size: { connected: 1 + peers.length, wanted: 1 + peers.length },
      complete: peers.every((peer) => !peer.slots.includes(undefined)),
      peers,
      addresses: [],
      dialsWaiting: 0,
      alarms: 0,
      dialsInFlight: this.dials.size,
      handshakesOpen: 0,
      handshakesCrowdedOut: 0,
      gossipDropped: 0,
    };
  }

  private apply(event: MeshEvent): void {
    switch (event.kind) {
      case "sourceChanged":
        return this.setRoutes(event.peers);
      case "dialSucceeded": {
        const dial = this.dials.get(event.dialId);
        this.dials.delete(event.dialId);
        return this.addConn(event.connId, event.remoteIp, dial);
      }
      case "dialFailed": {
        const dial = this.dials.get(event.dialId);
        this.dials.delete(event.dialId);
        if (dial?.explicit === true) this.later(RECONNECT_MS, () => this.dial(dial));
        return;
      }
      case "connAccepted":
        return this.addConn(event.connId, event.remoteIp, undefined);
      case "handshakeInfo":
        return this.withConn(event.connId, (conn) => this.receiveInfo(conn, event.info));
      case "routeConfirmed":
        return this.withConn(event.connId, (conn) => this.pong(conn));
      case "routeClosed":
        return this.withConn(event.connId, (conn) => this.removed(conn));
      case "gossipReceived":
        return this.withConn(event.connId, () => this.implicitRoute(event.info));
      case "stopped":
        for (const conn of [...this.conns.values()]) {
          conn.noReconnect = true;
          this.close(conn, "serverShutdown");
        }
        this.timers = [];
        return;
      case "clusterNameHeard":
      case "gossipDropped":
      case "challengeOver":
      case "peerLeaving":
      case "tick":
        return;
    }
  }

  private setRoutes(peers: readonly PeerAddress[]): void {
    this.explicit.clear();
    for (const address of peers) {
      const key = addressKey(address.host, address.port);
      this.explicit.add(key);
      if (this.options.ownAddresses.includes(key)) continue;
      for (const account of ["", ...this.options.pinnedAccounts]) {
        this.dial({ address, explicit: true, gossipMode: 0, account });
      }
    }
  }

  private dial(dial: Dial): void {
    if (dial.explicit && !this.explicit.has(addressKey(dial.address.host, dial.address.port))) return;
    const dialId = this.nextDialId++;
    this.dials.set(dialId, dial);
    const { address, account, explicit } = dial;
    const origin = explicit ? "explicit" : "gossiped";
    this.actions.push({ kind: "dial", dialId, address, origin, account, timeoutMs: 1000 });
  }

  private addConn(id: ConnId, remoteIp: string | undefined, dial: Dial | undefined): void {
    const conn: Conn = {
      id,
      remoteIp,
      dial: dial && { ...dial },
      dialled: dial !== undefined,
      retry: false,
      noReconnect: false,
      peerId: undefined,
      slot: undefined,
      noPool: false,
      info: undefined,
      nextOnPong: undefined,
    };
    this.conns.set(id, conn);
    this.later(AUTH_TIMEOUT_MS, () => {
      if (this.conns.get(id) === conn && conn.slot === undefined) this.close(conn, "handshakeTimeout");
    });
  }

  private receiveInfo(conn: Conn, info: RouteInfo): void {
    conn.peerId = info.id;
    conn.info = info;
    if (info.id === this.options.id) return this.close(conn, "routeToSelf");
    if (!conn.dialled && info.name === this.options.name) return this.close(conn, "duplicateServerName");
    const account = conn.dialled ? (conn.dial?.account ?? "") : info.routeAccount;
    const pool = info.routePoolSize > 0 && this.options.poolSize > 0;
    if (account !== "") return this.addAccountRoute(conn, info, account, pool);
    if (pool) return this.addPooledRoute(conn, info);
    conn.noPool = true;
    const existing = this.routes.get(info.id)?.[0];
    if (existing === undefined) {
      this.routes.set(info.id, [undefined]);
      return this.register(conn, info, { kind: "pool", index: 0 }, true);
    }
    conn.noReconnect = true;
    this.noteDuplicate(existing, conn);
    this.close(conn, "duplicateRoute");
  }

  private addAccountRoute(conn: Conn, info: RouteInfo, account: string, pool: boolean): void {
    const routes = this.accountRoutes.get(account);
    if (!pool || routes === undefined) {
      conn.noReconnect = !pool;
      return this.close(conn, "noRouteForAccount");
    }
    const existing = routes.get(info.id);
    if (existing !== undefined) {
      conn.noReconnect = true;
      this.noteDuplicate(existing, conn);
      return this.close(conn, "duplicateRoute");
    }
    routes.set(info.id, conn.id);
    this.register(conn, info, { kind: "account", account }, false);
  }

  private addPooledRoute(conn: Conn, info: RouteInfo): void {
    const size = Math.max(this.options.poolSize, info.routePoolSize);
    const slots = this.routes.get(info.id) ?? new Array<ConnId | undefined>(size).fill(undefined);
    const isFirst = !this.routes.has(info.id);
    this.routes.set(info.id, slots);
    if (!conn.dialled) {
      const existing = slots[info.routePoolIdx];
      if (existing !== undefined) {
        this.noteDuplicate(existing, conn);
        return this.close(conn, "duplicateRoute");
      }
      const solicited = slots.map((id) => this.conn(id)?.dial).find((dial) => dial !== undefined);
      if (solicited !== undefined) conn.dial = { ...solicited };
      return this.register(conn, info, { kind: "pool", index: info.routePoolIdx }, isFirst);
    }
    for (const id of slots) this.upgrade(this.conn(id), conn.dial);
    const index = slots.indexOf(undefined);
    if (index === -1) {
      conn.noReconnect = true;
      return this.close(conn, "duplicateRoute");
    }
    this.register(conn, info, { kind: "pool", index }, isFirst);
    if (slots.includes(undefined)) conn.nextOnPong = conn.dial;
  }

  private register(conn: Conn, info: RouteInfo, slot: RouteSlot, isFirst: boolean): void {
    conn.slot = slot;
    if (slot.kind === "pool") (this.routes.get(info.id) as (ConnId | undefined)[])[slot.index] = conn.id;
    const gossipMode = conn.dial?.gossipMode ?? 0;
    this.actions.push({
      kind: "register",
      connId: conn.id,
      peerId: info.id,
      peerName: info.name,
      slot,
      noPool: conn.noPool,
      poolSize: this.options.poolSize,
      solicited: conn.dial !== undefined,
      routeType: conn.dial?.explicit === true ? "explicit" : "implicit",
      ...(conn.dialled && {
        sendInfo: {
          routePoolIdx: slot.kind === "pool" ? slot.index : 0,
          routeAccount: slot.kind === "account" ? slot.account : "",
          gossipMode,
        },
      }),
    });
    if (isFirst) this.forward(conn, info);
  }

  private forward(conn: Conn, info: RouteInfo): void {
    const fromGossip = conn.dialled && conn.dial?.explicit !== true;
    if ((fromGossip && conn.dial?.gossipMode !== 2) || info.gossipMode === 1) return;
    const address = advertisedAddress(info, conn.remoteIp);
    if (address === undefined) return;
    for (const [id, slots] of this.routes) {
      const connId = slots.find((slot) => slot !== undefined);
      if (id === info.id || connId === undefined) continue;
      const explicitThere = this.conn(connId)?.dial?.explicit === true;
      const explicitHere = conn.dialled && conn.dial?.explicit === true;
      const gossipMode = (!conn.dialled && explicitThere) || explicitHere ? 2 : conn.dialled ? 0 : 1;
      this.actions.push({ kind: "announce", connIds: [connId], info, ip: routeUrl(address), gossipMode });
    }
  }

  private implicitRoute(info: RouteInfo): void {
    if (info.id === this.options.id || this.routes.has(info.id)) return;
    const address = advertisedAddress(info, undefined);
    if (address === undefined || this.explicit.has(addressKey(address.host, address.port))) return;
    for (const account of ["", ...this.options.pinnedAccounts]) {
      this.dial({ address, explicit: false, gossipMode: info.gossipMode, account });
    }
  }

  private pong(conn: Conn): void {
    const next = conn.nextOnPong;
    conn.nextOnPong = undefined;
    if (next !== undefined) this.dial(next);
  }

  private removed(conn: Conn): void {
    this.conns.delete(conn.id);
    const { peerId, slot } = conn;
    if (peerId !== undefined && slot !== undefined) this.freeSlot(conn, peerId, slot);
    if (conn.noReconnect || peerId === this.options.id) return;
    const { dial } = conn;
    if (dial === undefined && !conn.retry) return;
    const own = dial ?? this.dialBack(conn);
    if (own === undefined) return;
    const delayMs = randomInt(this.random, JITTER_MS) + (own.explicit ? RECONNECT_MS : 0);
    this.later(delayMs, () => this.dial({ ...own, gossipMode: 0 }));
  }

  private freeSlot(conn: Conn, peerId: ServerId, slot: RouteSlot): void {
    if (slot.kind === "account") {
      const routes = this.accountRoutes.get(slot.account);
      if (routes?.get(peerId) === conn.id) routes.delete(peerId);
      return;
    }
    const slots = this.routes.get(peerId);
    if (slots?.[slot.index] !== conn.id) return;
    slots[slot.index] = undefined;
    if (slots.every((id) => id === undefined)) this.routes.delete(peerId);
  }

  private dialBack(conn: Conn): Dial | undefined {
    const address = conn.info && advertisedAddress(conn.info, conn.remoteIp);
    return address && { address, explicit: false, gossipMode: 0, account: conn.info?.routeAccount ?? "" };
  }

  private noteDuplicate(existingId: ConnId, duplicate: Conn): void {
    const existing = this.conn(existingId);
    if (existing === undefined) return;
    if (duplicate.dialled) this.upgrade(existing, duplicate.dial);
    existing.retry = true;
  }

  private upgrade(conn: Conn | undefined, dial: Dial | undefined): void {
    if (conn === undefined || dial === undefined) return;
    if (conn.dial === undefined || (dial.explicit && !conn.dial.explicit)) conn.dial = { ...dial };
  }

  private close(conn: Conn, reason: CloseReason): void {
    this.actions.push({ kind: "close", connId: conn.id, reason, detail: "" });
    this.removed(conn);
  }

  private later(delayMs: number, run: () => void): void {
    this.timers.push({ atMs: this.nowMs + delayMs, run });
  }

  private conn(id: ConnId | undefined): Conn | undefined {
    return id === undefined ? undefined : this.conns.get(id);
  }

  private withConn(id: ConnId, run: (conn: Conn) => void): void {
    const conn = this.conns.get(id);
    if (conn !== undefined) run(conn);
  }
}
