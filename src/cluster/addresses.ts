/**
 * The table of addresses: who lists them, where they lead, when each is dialled next and when it is given up.
 * `lookAtAddress` is the one place that decides about a dial to find out who is there; everything else changes a row and
 * has it looked at. Routes beyond a peer's first are the business of peers.ts.
 */
import { assert } from "../base/assert.ts";
import { backoffDelayMs, type BackoffOptions } from "../base/backoff.ts";
import { addressKey } from "./address.ts";
import { newAlarm } from "./agenda.ts";
import { startDial } from "./dials.ts";
import { jitterMs, tell, tellLimit, type AddressRow, type MeshState } from "./mesh-state.ts";
import type {
  AddressOrigin,
  DialErrorKind,
  GossipMode,
  MeshEvent,
  PeerAddress,
  ServerId,
} from "./mesh-types.ts";

/** Both ends of a lost route are told at the same time: dial again somewhere within this (nats-server: 0..100 ms). */
export const REDIAL_JITTER_MS = 100;
/** A dial that gossip asks for follows the last one to the same address no sooner than this. */
const GOSSIP_REDIAL_MIN_MS = 1000;
/** Where nobody has ever answered so many dials, a source may be mistaken: it is dialled more seldom. */
const STRANGER_FROM = 20;
const STRANGER_BACKOFF_MAX_MS = 10_000;

export function changeSource(state: MeshState, event: Extract<MeshEvent, { kind: "sourceChanged" }>): void {
  const listed = new Set<string>();
  for (const address of event.peers) {
    const key = addressKey(address.host, address.port);
    if (state.ownAddresses.has(key)) continue;
    const row = state.addresses.get(key) ?? addAddress(state, key, address);
    if (row === undefined) break;
    listed.add(key);
    row.address = address;
    if (row.sources.size === 0) state.unlisted--;
    assert(state.unlisted >= 0, "an unlisted address is counted once");
    row.sources.set(event.source, event.origin);
    row.origin = strongestOrigin(row);
    lookAtAddress(state, row);
  }
  for (const row of state.addresses.values()) {
    if (listed.has(row.key) || !row.sources.delete(event.source)) continue;
    if (row.sources.size === 0) state.unlisted++;
    row.origin = strongestOrigin(row);
    const isTrusted = row.leadsTo !== undefined || row.isSelf || event.origin === "explicit";
    if (row.sources.size === 0 && (!isTrusted || state.nowMs < row.absentUntilMs)) {
      // A source that lied leaves no trace, nor does a server that has said good-bye.
      forgetAddress(state, row);
      continue;
    }
    if (row.sources.size === 0) row.keepUntilMs = state.nowMs + state.options.giveUpAfterMs;
    lookAtAddress(state, row);
  }
}

/** Whether one more address may come by gossip: the others find room in the table whatever members tell. */
export function hasRoomForGossip(state: MeshState, address: PeerAddress): boolean {
  if (state.addresses.has(addressKey(address.host, address.port))) return true;
  if (state.unlisted < state.options.limits.addressesMax / 2) return true;
  tellLimit(state, "addressesMax");
  return false;
}

/** Someone connected says, or has shown, that `id` is at `address`. */
export function vouchAddress(
  state: MeshState,
  address: PeerAddress,
  id: ServerId,
  dial: { readonly delayMs: number; readonly gossipMode: GossipMode },
): void {
  const key = addressKey(address.host, address.port);
  if (state.ownAddresses.has(key)) return;
  const known = state.addresses.get(key);
  const row = known ?? addAddress(state, key, address);
  if (row === undefined) return;
  row.keepUntilMs = state.nowMs + state.options.giveUpAfterMs;
  if (dial.gossipMode === 2) row.gossipMode = 2;
  if (row.leadsTo === id) return lookAtAddress(state, row);
  leadAddress(state, row, id);
  row.gossipMode = dial.gossipMode;
  row.nextDialMs = Math.max(state.nowMs + dial.delayMs, row.lastDialMs + GOSSIP_REDIAL_MIN_MS);
  lookAtAddress(state, row);
}

/** Dials, waits, rests or forgets: whatever the row calls for now. */
export function lookAtAddress(state: MeshState, row: AddressRow): void {
  if (state.stopped || row.busy) return;
  const listed = row.sources.size > 0;
  if (leadsSomewhere(state, row)) {
    state.open.delete(row.key);
    rest(state, row);
    if (row.isSelf && !listed) forgetAddress(state, row);
    return;
  }
  if (!listed && (state.nowMs >= row.keepUntilMs || retriesSpent(state, row)))
    return giveUpAddress(state, row);
  const isAbsent = state.nowMs < row.absentUntilMs;
  if (isAbsent) state.open.delete(row.key);
  else state.open.add(row);
  const isDue = row.nextDialMs <= state.nowMs;
  if (isDue && dialAddress(state, row)) return;
  if (isDue) state.lines.enter(row.alarm.due, listed ? "listed" : "gossiped");
  const dialMs = isDue ? Number.POSITIVE_INFINITY : row.nextDialMs;
  const lookMs = isAbsent ? Math.min(dialMs, row.absentUntilMs) : dialMs;
  state.agenda.set(row.alarm, listed ? lookMs : Math.min(lookMs, row.keepUntilMs));
}

/** Nothing is due for this row any more. */
function rest(state: MeshState, row: AddressRow): void {
  state.agenda.clear(row.alarm);
  state.lines.leave(row.alarm.due);
}

/** Starts a dial to learn who is at this address; false if too many are under way. */
export function dialAddress(state: MeshState, row: AddressRow): boolean {
  const { address, origin, gossipMode, key } = row;
  const purpose = { address, origin, account: "", gossipMode, key, peerId: undefined };
  if (!startDial(state, purpose)) return false;
  rest(state, row);
  row.busy = true;
  row.lastDialMs = state.nowMs;
  return true;
}

export function addressFailed(
  state: MeshState,
  row: AddressRow,
  error: DialErrorKind | "closed",
  detail: string,
): void {
  row.busy = false;
  row.attempts++;
  row.lastError = detail;
  row.nextDialMs = state.nowMs + backoffDelayMs(backoffOf(state, row), row.attempts, state.random);
  if (isPowerOfTwo(row.attempts) && !leadsSomewhere(state, row)) {
    tell(state, {
      kind: "dialFailed",
      address: row.key,
      origin: row.origin,
      attempts: row.attempts,
      hasLostPeer: row.hasLostPeer,
      error,
      detail,
    });
  }
  lookAtAddress(state, row);
}

function backoffOf(state: MeshState, row: AddressRow): BackoffOptions {
  const { backoff, implicitBackoff } = state.options;
  if (row.sources.size === 0) return implicitBackoff;
  const isStranger = row.origin === "discovered" && row.leadsTo === undefined && row.attempts > STRANGER_FROM;
  return isStranger ? { ...backoff, maxMs: Math.max(backoff.maxMs, STRANGER_BACKOFF_MAX_MS) } : backoff;
}

/** The address answered as `id`, which is connected or about to be. */
export function addressAnswered(state: MeshState, row: AddressRow, id: ServerId): void {
  row.busy = false;
  row.isSelf = false;
  row.hasLostPeer = false;
  row.absentUntilMs = Number.NEGATIVE_INFINITY;
  leadAddress(state, row, id);
  state.open.delete(row.key);
}

export function addressIsSelf(state: MeshState, row: AddressRow): void {
  row.busy = false;
  if (!row.isSelf) tell(state, { kind: "routeToSelf", address: row.key });
  row.isSelf = true;
  row.attempts = 0;
  leadAddress(state, row, undefined);
  state.open.delete(row.key);
  if (row.sources.size === 0) forgetAddress(state, row);
}

/** Its peer has said good-bye, and is gone: it is dialled as one that was lost, since it may come back, but nobody waits for it. */
export function addressLeft(state: MeshState, row: AddressRow): void {
  row.absentUntilMs = state.nowMs + state.options.giveUpAfterMs;
  addressLostPeer(state, row, "joined");
}

/** Its peer is gone: dial again, soon if this side used to dial, else leaving the other side its turn first. */
export function addressLostPeer(state: MeshState, row: AddressRow, before: "joined" | "not joined"): void {
  if (before === "joined") {
    row.attempts = 0;
    row.hasLostPeer = true;
    row.keepUntilMs = state.nowMs + state.options.giveUpAfterMs;
    row.nextDialMs = state.nowMs + jitterMs(state, REDIAL_JITTER_MS);
  }
  if (row.sources.size === 0) row.nextDialMs = Math.max(row.nextDialMs, state.nowMs + implicitDelayMs(state));
  lookAtAddress(state, row);
}

export function implicitDelayMs(state: MeshState): number {
  return state.options.implicitDelayMs + jitterMs(state, state.options.implicitDelayMs);
}

export function leadsSomewhere(state: MeshState, row: AddressRow): boolean {
  return row.isSelf || (row.leadsTo !== undefined && state.peers.has(row.leadsTo));
}

function leadAddress(state: MeshState, row: AddressRow, id: ServerId | undefined): void {
  if (row.leadsTo === id) return;
  if (row.leadsTo !== undefined) {
    const keys = state.leading.get(row.leadsTo);
    assert(keys?.has(row.key) === true, "an address is listed under the server that it leads to");
    keys.delete(row.key);
    if (keys.size === 0) state.leading.delete(row.leadsTo);
  }
  row.leadsTo = id;
  if (state.open.has(row.key)) state.open.add(row);
  if (id === undefined) return;
  const keys = state.leading.get(id);
  if (keys === undefined) state.leading.set(id, new Set([row.key]));
  else keys.add(row.key);
}

function addAddress(state: MeshState, key: string, address: PeerAddress): AddressRow | undefined {
  if (state.addresses.size >= state.options.limits.addressesMax) {
    tellLimit(state, "addressesMax");
    return undefined;
  }
  const row: AddressRow = {
    key,
    alarm: newAlarm({ kind: "address", key }),
    address,
    origin: "gossiped",
    sources: new Map(),
    leadsTo: undefined,
    hasLostPeer: false,
    absentUntilMs: Number.NEGATIVE_INFINITY,
    isSelf: false,
    busy: false,
    attempts: 0,
    lastError: undefined,
    nextDialMs: state.nowMs,
    lastDialMs: Number.NEGATIVE_INFINITY,
    keepUntilMs: state.nowMs + state.options.giveUpAfterMs,
    gossipMode: 0,
  };
  assert(!state.addresses.has(key), "an address has one row");
  state.addresses.set(key, row);
  state.unlisted++;
  assert(state.addresses.size <= state.options.limits.addressesMax, "addresses stay within their bound");
  assert(state.unlisted <= state.addresses.size, "unlisted addresses are addresses");
  return row;
}

function giveUpAddress(state: MeshState, row: AddressRow): void {
  const { key: address, attempts, hasLostPeer, lastError = "" } = row;
  forgetAddress(state, row);
  if (attempts > 0) tell(state, { kind: "gaveUp", address, attempts, hasLostPeer, lastError });
}

function forgetAddress(state: MeshState, row: AddressRow): void {
  rest(state, row);
  leadAddress(state, row, undefined);
  if (state.addresses.delete(row.key) && row.sources.size === 0) state.unlisted--;
  assert(row.alarm.place === -1, "an address that is forgotten has no alarm");
  state.open.delete(row.key);
}

function retriesSpent(state: MeshState, row: AddressRow): boolean {
  const { connectRetries } = state.options;
  return connectRetries > 0 && row.attempts > connectRetries;
}

function strongestOrigin(row: AddressRow): AddressOrigin {
  let origin: AddressOrigin = "gossiped";
  for (const of of row.sources.values()) {
    if (of === "explicit") return "explicit";
    origin = of;
  }
  return origin;
}

export function isPowerOfTwo(n: number): boolean {
  return (n & (n - 1)) === 0;
}
