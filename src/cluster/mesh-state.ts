/**
 * The tables of the mesh and what each row means. No rules here: addresses.ts, peers.ts, handshake.ts and gossip.ts hold
 * those, mesh.ts calls them.
 *
 *     source ---lists---> address ---leadsTo---> peer ---slots, lanes---> connection
 *     gossip --vouches-/        \--dial in flight, handshake--/
 *
 * Invariants: a connection is in `conns` from accept or dialSucceeded until `close` or routeClosed; a peer is in `peers`
 * exactly while a connection of it is registered; `open` holds the addresses that are wanted and lead nowhere yet.
 */
import type { Random } from "../base/random.ts";
import { Agenda, newAlarm, type Alarm } from "./agenda.ts";
import { DialLines } from "./dial-lines.ts";
import { OpenAddresses } from "./open-addresses.ts";
import type {
  AddressKey,
  AddressOrigin,
  ConnId,
  DialId,
  GossipMode,
  MeshAction,
  MeshFact,
  MeshLimits,
  MeshOptions,
  PeerAddress,
  RouteInfo,
  RouteSlot,
  ServerId,
} from "./mesh-types.ts";

/** A place that is, or may be, a member. */
export interface AddressRow {
  readonly key: AddressKey;
  readonly alarm: Alarm;
  address: PeerAddress;
  /** The strongest of its sources' origins; "gossiped" if no source lists it. */
  origin: AddressOrigin;
  readonly sources: Map<string, "explicit" | "discovered">;
  /** The server that last answered there, or is announced to be there. */
  leadsTo: ServerId | undefined;
  /** A member was lost there, and has not come back. */
  hasLostPeer: boolean;
  /** Its server has said good-bye, and is not awaited before this. */
  absentUntilMs: number;
  isSelf: boolean;
  /** A dial to find out who is there is under way, up to its peer's INFO. */
  busy: boolean;
  attempts: number;
  lastError: string | undefined;
  nextDialMs: number;
  lastDialMs: number;
  /** Without a source: forgotten after this. */
  keepUntilMs: number;
  gossipMode: GossipMode;
}

/** What a dial is for; goes over from the dial to its connection. */
export interface DialPurpose {
  readonly address: PeerAddress;
  readonly origin: AddressOrigin;
  readonly account: string;
  readonly gossipMode: GossipMode;
  /** Finds out who is at this address… */
  readonly key: AddressKey | undefined;
  /** …or adds a route to this peer. */
  readonly peerId: ServerId | undefined;
}

interface DialRow {
  readonly id: DialId;
  readonly purpose: DialPurpose;
  readonly alarm: Alarm;
}

export interface ConnRow {
  readonly id: ConnId;
  readonly remoteIp: string | undefined;
  /** undefined: accepted. */
  readonly purpose: DialPurpose | undefined;
  /** See `dialSucceeded`. */
  readonly isStranger: boolean;
  /** The dial has found out what it was for; a close from here on is no failure of it. */
  purposeMet: boolean;
  /** Set while in handshake, or dialled and not yet confirmed: when its time is over. */
  readonly alarm: Alarm;
  /** Set once registered. */
  route: { readonly peerId: ServerId; readonly slot: RouteSlot } | undefined;
  /** The other side has registered it too. */
  confirmed: boolean;
  /** Place in the order of all connections begun and confirmed. */
  readonly begunOrder: number;
  confirmedOrder: number;
}

/** One kind of route to a peer that may have to be dialled: account "" for the pool, else a pinned account. */
export interface Lane {
  readonly account: string;
  busy: boolean;
  attempts: number;
  nextDialMs: number;
  /** A route dialled here was lost: whatever else happens, the next dial is no sooner, so that no two ends chase each other. */
  restsUntilMs: number;
}

export interface PeerRow {
  readonly id: ServerId;
  readonly alarm: Alarm;
  readonly name: string;
  /** First hand, of its first connection. */
  readonly info: RouteInfo;
  advertised: PeerAddress | undefined;
  /** A server of the same name has come, and this one is asked for a sign of life (rivals.ts). */
  rival: { readonly info: RouteInfo; readonly conn: ConnRow; readonly untilMs: number } | undefined;
  /** Another member has taken up a server of the same name, and told of it. */
  successor: ServerId | undefined;
  /** Has said that it is about to go. */
  isLeaving: boolean;
  /** Known by connections to a stranger alone. */
  isStranger: boolean;
  readonly noPool: boolean;
  readonly slots: (ConnId | undefined)[];
  readonly accounts: Map<string, ConnId>;
  readonly lanes: Map<string, Lane>;
  /** Dialled routes that the other side has not confirmed yet; the next one waits for them. */
  unconfirmed: number;
  solicited: boolean;
  routeType: "explicit" | "implicit";
  /** At least one route is confirmed, and operators and other members have been told. */
  joined: boolean;
  joinedMs: number;
}

export interface MeshState {
  readonly options: MeshOptions;
  readonly random: Random;
  /** When the event happened that is being handled. */
  nowMs: number;
  readonly agenda: Agenda;
  readonly addresses: Map<AddressKey, AddressRow>;
  readonly peers: Map<ServerId, PeerRow>;
  /** Addresses that lead, or are said to lead, to a server, connected or not. */
  readonly leading: Map<ServerId, Set<AddressKey>>;
  readonly peerByName: Map<string, ServerId>;
  readonly conns: Map<ConnId, ConnRow>;
  readonly dials: Map<DialId, DialRow>;
  /** Rows that wait for room to dial. */
  readonly lines: DialLines;
  /** Set while they wait for the next stretch of time in which dials may begin. */
  readonly paceAlarm: Alarm;
  paceFromMs: number;
  /** In the stretch that began at `paceFromMs`. */
  dialsBegun: number;
  /** Ids that have said good-bye, or whose name came back with a new id, with the time until which nothing is believed of them. */
  readonly superseded: Map<ServerId, number>;
  /** When a server of another kind with JetStream was reported last. */
  otherToldMs: number;
  /** Which name that two servers have was told of last, and when. */
  duplicateTold: { readonly name: string; readonly atMs: number } | undefined;
  /** Wanted addresses that lead to no connected peer. */
  readonly open: OpenAddresses;
  /** How many addresses no source lists. */
  unlisted: number;
  /** Connected peers with an empty pool slot. */
  readonly partial: Set<ServerId>;
  readonly ownAddresses: Set<AddressKey>;
  clusterName: string;
  /** Made up, here or elsewhere; no longer once a configured one was taken on. */
  clusterNameDynamic: boolean;
  nextDialId: DialId;
  order: number;
  handshakes: number;
  /** Of them those that came to this server, the oldest first. */
  readonly arrivals: Set<ConnId>;
  /** Handshakes that made room for others. */
  crowdedOut: number;
  joined: number;
  complete: boolean;
  probeDelayMs: number;
  probeCursor: number;
  readonly probeAlarm: Alarm;
  /** When the next round of gossip is due, and what lies between that and the one after. */
  readonly gossipAlarm: Alarm;
  gossipDelayMs: number;
  gossipSecond: number;
  gossipInSecond: number;
  gossipDropped: number;
  readonly limitToldMs: Map<keyof MeshLimits, number>;
  stopped: boolean;
  actions: MeshAction[];
}

export function createMeshState(options: MeshOptions, random: Random, nowMs: number): MeshState {
  return {
    options,
    random,
    nowMs,
    agenda: new Agenda(),
    addresses: new Map(),
    peers: new Map(),
    leading: new Map(),
    peerByName: new Map(),
    conns: new Map(),
    dials: new Map(),
    lines: new DialLines(),
    paceAlarm: newAlarm({ kind: "dialPace" }),
    paceFromMs: Number.NEGATIVE_INFINITY,
    dialsBegun: 0,
    superseded: new Map(),
    duplicateTold: undefined,
    otherToldMs: -Infinity,
    open: new OpenAddresses(),
    unlisted: 0,
    partial: new Set(),
    ownAddresses: new Set(options.ownAddresses),
    clusterName: options.clusterName,
    clusterNameDynamic: options.clusterNameDynamic,
    nextDialId: 1,
    order: 0,
    handshakes: 0,
    arrivals: new Set(),
    crowdedOut: 0,
    joined: 0,
    complete: false,
    probeDelayMs: options.probeMinMs,
    probeCursor: 0,
    probeAlarm: newAlarm({ kind: "probe" }),
    gossipAlarm: newAlarm({ kind: "gossip" }),
    gossipDelayMs: options.gossipIntervalMs,
    gossipSecond: 0,
    gossipInSecond: 0,
    gossipDropped: 0,
    limitToldMs: new Map(),
    stopped: false,
    actions: [],
  };
}

export function tell(state: MeshState, fact: MeshFact): void {
  state.actions.push({ kind: "fact", fact });
}

const LIMIT_TOLD_EVERY_MS = 10_000;

export function tellLimit(state: MeshState, limit: keyof MeshLimits): void {
  const toldMs = state.limitToldMs.get(limit);
  if (toldMs !== undefined && state.nowMs - toldMs < LIMIT_TOLD_EVERY_MS) return;
  state.limitToldMs.set(limit, state.nowMs);
  tell(state, { kind: "limitReached", limit });
}

/** A random share of `ms`: keeps servers that saw the same thing at once from acting at once. */
export function jitterMs(state: MeshState, ms: number): number {
  return ms * state.random.next();
}
