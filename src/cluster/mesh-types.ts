/**
 * The words of the mesh: what happens to it (events), what it wants done (actions), what it tells operators (facts),
 * what it shows (snapshot) and how it is set (options). Types only, no code.
 *
 * The mesh decides, the acting side (dialler and route sessions, in `ports/cluster`) executes. Order of calls, per connection:
 *
 *     dialled   action dial -> connect, TLS, send CONNECT -> event dialSucceeded | dialFailed
 *               peer's INFO arrives                        -> event handshakeInfo
 *               action register -> send own INFO (sendInfo), then interest, then PING
 *               first PONG                                 -> event routeConfirmed
 *     accepted  send own INFO (pool index 0)               -> event connAccepted
 *               CONNECT and INFO arrive                    -> event handshakeInfo (at the INFO)
 *               action register -> send interest (sendInfo is absent)
 *     either    an INFO whose id is not this peer's        -> event gossipReceived
 *               action close, or the socket ended          -> close; event routeClosed (after an action close it is optional)
 *
 * Invariant: once `close` was returned for a connection, the mesh has forgotten it; later events about it are ignored.
 */
import type { BackoffOptions } from "../base/backoff.ts";

/** `server_id` of a server: new at each start. */
export type ServerId = string;
/** Number of a connection, minted by the acting side (NATS: cid); never reused within a process. */
export type ConnId = number;
/** Number of a dial, minted by the mesh; never reused within a process. */
export type DialId = number;
/** Canonical `host:port`: lower case, IPv6 in brackets. */
export type AddressKey = string;

/** `gossip_mode` of an INFO: 0 as usual, 1 the receiver's dial must not be forwarded, 2 it must be, though it is implicit. */
export type GossipMode = 0 | 1 | 2;

/** A place to dial. The acting side gets back from a dial the very object that the source handed in. */
export interface PeerAddress {
  readonly host: string;
  readonly port: number;
  /** Opaque to the mesh: credentials, TLS name. Absent for gossiped addresses (then the cluster's own credentials apply; see `isStranger`). */
  readonly url?: string;
}

/** What an address came from. `explicit` and `discovered` are dialled without end while listed, `gossiped` is not. */
export type AddressOrigin = "explicit" | "discovered" | "gossiped";

/** What the mesh needs of a peer's INFO; `raw` travels along unread, so that it can be announced to others. */
export interface RouteInfo {
  readonly id: ServerId;
  readonly name: string;
  /** Cluster name; "" if the INFO had none. */
  readonly cluster: string;
  readonly clusterDynamic: boolean;
  readonly host: string;
  readonly port: number;
  /** `ip` field (`nats-route://host:port/`), "" if absent. */
  readonly ip: string;
  /** 0: the peer knows no pooling (before 2.10) or has it disabled. */
  readonly routePoolSize: number;
  readonly routePoolIdx: number;
  /** Pinned account this connection is for; "" for a pooled one. */
  readonly routeAccount: string;
  readonly gossipMode: GossipMode;
  /** The peer is a shoal: of two crossing connections it keeps the one dialled by the lower id, and it can be told of others. */
  readonly shoal: boolean;
  /** The peer keeps streams, and is of another kind than this server. Absent: no. */
  readonly hasOtherJetStream?: boolean;
  readonly raw: Readonly<Record<string, unknown>>;
}

export type DialErrorKind = "refused" | "timeout" | "unreachable" | "resolve" | "tls" | "other";

/** Where in a peer's set of routes a connection sits. */
export type RouteSlot =
  { readonly kind: "pool"; readonly index: number } | { readonly kind: "account"; readonly account: string };

export type MeshEvent =
  /** The full set of a source, replacing its former set. Name it apart from others: "routes", "dns", "kubernetes". */
  | {
      readonly kind: "sourceChanged";
      readonly source: string;
      readonly origin: "explicit" | "discovered";
      readonly peers: readonly PeerAddress[];
    }
  /**
   * Connected (TLS done, CONNECT sent). `remoteIp` is the address that answered, without port. `isStranger`: the cluster has
   * credentials, and whoever answered neither was presented them nor has shown a certificate. Its address is the dialled one,
   * whatever it says; what it tells of others is not believed, nor is its cluster's name taken on.
   */
  | {
      readonly kind: "dialSucceeded";
      readonly dialId: DialId;
      readonly connId: ConnId;
      readonly remoteIp?: string;
      readonly isStranger?: boolean;
    }
  | {
      readonly kind: "dialFailed";
      readonly dialId: DialId;
      readonly error: DialErrorKind;
      readonly detail: string;
    }
  | { readonly kind: "connAccepted"; readonly connId: ConnId; readonly remoteIp?: string }
  /**
   * The CONNECT of an accepted connection names another cluster. Told apart from its INFO, which may never come: a dialler
   * whose name is the stronger one closes when it reads ours, and expects us to have taken its name when it dials again.
   */
  | {
      readonly kind: "clusterNameHeard";
      readonly connId: ConnId;
      readonly peerId: ServerId;
      readonly cluster: string;
      readonly clusterDynamic: boolean;
    }
  /** The first INFO on a connection (on an accepted one: after its CONNECT was checked). */
  | { readonly kind: "handshakeInfo"; readonly connId: ConnId; readonly info: RouteInfo }
  /** The first PONG on a dialled, registered route: the acceptor has read our INFO and kept the connection. */
  | { readonly kind: "routeConfirmed"; readonly connId: ConnId }
  /** The connection ended, from whichever side. `reason` is kept for the snapshot and facts. */
  | { readonly kind: "routeClosed"; readonly connId: ConnId; readonly reason: string }
  /** The peer has said that it is about to go: once its routes have ended it is not awaited. */
  | { readonly kind: "peerLeaving"; readonly connId: ConnId }
  /** The time of a challenge is over: whether anything came in on this route since. */
  | { readonly kind: "challengeOver"; readonly connId: ConnId; readonly isAlive: boolean }
  /** A later INFO on a registered route about another server. */
  | { readonly kind: "gossipReceived"; readonly connId: ConnId; readonly info: RouteInfo }
  /** So much was told of other servers that an INFO could not be kept until its turn. */
  | { readonly kind: "gossipDropped" }
  /** Time passed: `nextWakeMs()` is due. Any other event does the due work as well. */
  | { readonly kind: "tick" }
  /** This server goes away: closes every connection, dials no more. */
  | { readonly kind: "stopped" };

export type CloseReason =
  /** NATS: Duplicate Route. Also for a slot that a newer connection of the same peer took over. */
  | "duplicateRoute"
  | "routeToSelf"
  | "duplicateServerName"
  | "clusterNameConflict"
  /** Two kinds of servers would keep streams in one cluster. */
  | "otherJetStream"
  /** Pool index out of range, or a pinned account with a peer that has no pooling, or an account not pinned here. */
  | "invalidPoolIndex"
  | "noRouteForAccount"
  | "handshakeTimeout"
  /** The same name came back with a new id, and this connection of its predecessor showed no sign of life. */
  | "superseded"
  /** One of the named bounds of MeshLimits is reached. */
  | "tooManyConnections"
  | "serverShutdown";

/** What to put into the own INFO that a dialler sends after the acceptor's. */
interface OwnInfoFields {
  readonly routePoolIdx: number;
  readonly routeAccount: string;
  readonly gossipMode: GossipMode;
}

export type MeshAction =
  /** Connect within `timeoutMs` or report dialFailed. `account` is "" for a pooled route. */
  | {
      readonly kind: "dial";
      readonly dialId: DialId;
      readonly address: PeerAddress;
      readonly origin: AddressOrigin;
      readonly account: string;
      readonly timeoutMs: number;
    }
  /** Stop an unfinished dial; report nothing. */
  | { readonly kind: "cancelDial"; readonly dialId: DialId }
  | {
      readonly kind: "register";
      readonly connId: ConnId;
      readonly peerId: ServerId;
      readonly peerName: string;
      readonly slot: RouteSlot;
      /** One single route with this peer, all accounts on it (peer before 2.10, or pooling disabled). */
      readonly noPool: boolean;
      /** max(own, peer's): account -> slot is the FNV-1a hash of its name modulo this. */
      readonly poolSize: number;
      /** Present on dialled connections: send own INFO with these fields first. */
      readonly sendInfo?: OwnInfoFields;
      /** How routez and the logs name it: solicited and of which type. */
      readonly solicited: boolean;
      readonly routeType: "explicit" | "implicit";
    }
  /** A registered route became solicited, or implicit became explicit (its address is configured after all). */
  | {
      readonly kind: "upgrade";
      readonly connId: ConnId;
      readonly address: PeerAddress;
      readonly routeType: "explicit" | "implicit";
    }
  | {
      readonly kind: "close";
      readonly connId: ConnId;
      readonly reason: CloseReason;
      /** invalidPoolIndex, noRouteForAccount: the text nats-server sends as -ERR. clusterNameConflict: the peer's name. Else for logs. */
      readonly detail: string;
    }
  /** Send PING on this route, and report after `withinMs` whether anything has come in: event challengeOver. */
  | { readonly kind: "challenge"; readonly connId: ConnId; readonly withinMs: number }
  /** Send INFO about another server (`info.raw` without nonce, with `ip` and `gossip_mode` as given) on these connections. */
  | {
      readonly kind: "announce";
      readonly connIds: readonly ConnId[];
      readonly info: RouteInfo;
      readonly ip: string;
      readonly gossipMode: GossipMode;
    }
  /** Own cluster name was dynamic; take on the peer's, which may be dynamic as well. */
  | { readonly kind: "adoptClusterName"; readonly name: string; readonly isDynamic: boolean }
  | { readonly kind: "fact"; readonly fact: MeshFact };

/** What operators may want to know; the acting side words it. */
export type MeshFact =
  | {
      readonly kind: "peerJoined";
      readonly id: ServerId;
      readonly name: string;
      readonly address: string;
      readonly size: MeshSize;
    }
  | {
      readonly kind: "peerLeft";
      readonly id: ServerId;
      readonly name: string;
      readonly reason: string;
      readonly size: MeshSize;
    }
  /** The same name with a new id took its predecessor's place. */
  | {
      readonly kind: "peerRestarted";
      readonly name: string;
      readonly oldId: ServerId;
      readonly newId: ServerId;
    }
  /** Connected to everything that is wanted. */
  | { readonly kind: "meshComplete"; readonly size: MeshSize }
  | {
      readonly kind: "dialFailed";
      readonly address: AddressKey;
      readonly origin: AddressOrigin;
      readonly attempts: number;
      /** A member was lost there, which has been told. */
      readonly hasLostPeer: boolean;
      readonly error: DialErrorKind | "closed";
      readonly detail: string;
    }
  | {
      readonly kind: "gaveUp";
      readonly address: AddressKey;
      readonly hasLostPeer: boolean;
      readonly attempts: number;
      readonly lastError: string;
    }
  | { readonly kind: "routeToSelf"; readonly address: AddressKey }
  | { readonly kind: "duplicateName"; readonly name: string; readonly id: ServerId; readonly address: string }
  | {
      readonly kind: "clusterNameConflict";
      readonly own: string;
      readonly theirs: string;
      /** The address dialled, or the IP address that a connection came from. */
      readonly peer: string;
    }
  | {
      readonly kind: "otherJetStream";
      readonly name: string;
      readonly id: ServerId;
      readonly address: string;
    }
  | { readonly kind: "limitReached"; readonly limit: keyof MeshLimits };

/** Servers including this one: connected (at least one route registered) of wanted. */
export interface MeshSize {
  readonly connected: number;
  /** Not those that have said good-bye. */
  readonly wanted: number;
}

/** Every table of the mesh has one of these bounds; what is over it is refused or forgotten, with the fact limitReached. */
export interface MeshLimits {
  readonly peersMax: number;
  /** Half of them may come by gossip alone. */
  readonly addressesMax: number;
  /** Connections whose handshake is not finished: so many that came here, of which the oldest makes room for one more, and so many dialled. */
  readonly handshakesMax: number;
  readonly dialsInFlightMax: number;
  readonly gossipPerSecondMax: number;
}

export interface MeshOptions {
  readonly id: ServerId;
  readonly name: string;
  readonly clusterName: string;
  readonly clusterNameDynamic: boolean;
  /** This server keeps streams together with others: a server of another kind that does so, too, is refused. */
  readonly keepsStreams: boolean;
  /** `pool_size`: connections per peer; 0 or less disables pooling. */
  readonly poolSize: number;
  readonly pinnedAccounts: readonly string[];
  /** Own addresses (advertised, and each local IP with the route port): never dialled. */
  readonly ownAddresses: readonly AddressKey[];
  /** Explicit and discovered addresses, without end. */
  readonly backoff: BackoffOptions;
  /** Gossiped addresses. */
  readonly implicitBackoff: BackoffOptions;
  /** `connect_retries`: failed dials of a gossiped address before it is given up; 0: only `giveUpAfterMs` counts. */
  readonly connectRetries: number;
  /** An address that no source lists and no member vouches for is forgotten after being unreachable for this long. */
  readonly giveUpAfterMs: number;
  readonly dialTimeoutMs: number;
  readonly handshakeTimeoutMs: number;
  /** How long a gossiped address is left alone, so that the other side, told as well, may come first. Up to twice this. */
  readonly implicitDelayMs: number;
  /** How often one random shoal is told some of the members known here. 0: only joins are told. */
  readonly gossipIntervalMs: number;
  /** How soon an address behind which another server may hide (a name, a load balancer) is tried again. 0: never. */
  readonly probeMinMs: number;
  readonly probeMaxMs: number;
  readonly limits: MeshLimits;
}

export type AddressState =
  /** Waits for its next dial. */
  | "waiting"
  | "dialing"
  | "handshaking"
  /** Leads to a peer with a registered route. */
  | "connected"
  /** Its server has said good-bye: it is dialled while a source lists it, and awaited only if it stays away for long. */
  | "absent"
  /** Leads to this server. */
  | "self";

export interface AddressSnapshot {
  readonly address: AddressKey;
  readonly state: AddressState;
  /** Sources that list it, and "gossip". */
  readonly wantedBy: readonly string[];
  readonly leadsTo?: ServerId;
  /** Failed dials in a row. */
  readonly attempts: number;
  readonly lastError?: string;
  readonly nextDialMs?: number;
}

export interface PeerSnapshot {
  readonly id: ServerId;
  readonly name: string;
  readonly address: string;
  readonly noPool: boolean;
  readonly shoal: boolean;
  readonly solicited: boolean;
  readonly routeType: "explicit" | "implicit";
  readonly joinedMs: number;
  /** By pool index; undefined where no route is registered. */
  readonly slots: readonly (ConnId | undefined)[];
  readonly accounts: readonly { readonly account: string; readonly connId: ConnId | undefined }[];
}

export interface MeshSnapshot {
  readonly size: MeshSize;
  /** Every wanted address leads to a connected peer, and every pool slot of every peer has its route. */
  readonly complete: boolean;
  readonly peers: readonly PeerSnapshot[];
  readonly addresses: readonly AddressSnapshot[];
  readonly dialsInFlight: number;
  /** Rows that wait for room to dial. */
  readonly dialsWaiting: number;
  /** Times at which something is due: one for each row of the tables at most. */
  readonly alarms: number;
  readonly handshakesOpen: number;
  /** Handshakes that made room for others, since the start. */
  readonly handshakesCrowdedOut: number;
  readonly gossipDropped: number;
}

/** The mesh as the acting side sees it. Pure: it has no clock, timer, randomness or I/O. */
export interface Mesh {
  step(event: MeshEvent, nowMs: number): MeshAction[];
  /** When to send a tick at the latest; undefined if nothing is due ever. */
  nextWakeMs(): number | undefined;
  /** As `complete` of the snapshot, without making one. */
  isComplete(): boolean;
  /** As `size` of the snapshot. */
  size(): MeshSize;
  snapshot(nowMs: number): MeshSnapshot;
}
