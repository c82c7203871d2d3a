/**
 * The bytes of $NRG, as nats-server 2.12 to 2.15 speaks it: little endian, lengths by Go's uvarint. Decoders take what a peer sent, so
 * every length is checked before it is used; undefined says that the bytes are no such message.
 */
import { assert } from "../base/assert.ts";
import {
  type AppendEntry,
  type AppendResponse,
  type Entry,
  type PeerId,
  type PeerState,
  type VoteRequest,
  type VoteResponse,
} from "./messages.ts";

export const PEER_ID_BYTES = 8;
export const VOTE_REQUEST_BYTES = 32;
const VOTE_RESPONSE_BYTES = 17;
export const APPEND_RESPONSE_BYTES = 25;
const APPEND_HEAD_BYTES = 42;
const ENTRY_HEAD_BYTES = 4;
/** The largest number of entries in one append entry. */
const ENTRIES_MAX = 65_535;
/** The largest number of peers that a peer state may name: no group has so many. */
const PEERS_MAX = 4096;
const UVARINT_BYTES_MAX = 10;
/** Terms and indexes stay below, so that there is always a next one. */
const COUNT_MAX = 2 ** 52;
const GRANTED = 1;
const EMPTY = 2;
/** Between shoals; nats-servers look at the two others alone. */
const LOST = 4;

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A count; undefined where no group comes to so many. */
function readCount(from: DataView, at: number): number | undefined {
  const value = from.getBigUint64(at, true);
  return value <= BigInt(COUNT_MAX) ? Number(value) : undefined;
}

function writeCount(to: DataView, at: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, `a term or index is a count: ${value}`);
  to.setBigUint64(at, BigInt(value), true);
}

/** One character for each byte, whatever a peer has sent. */
export function readPeer(bytes: Uint8Array, at = 0): PeerId {
  let peer = "";
  for (let i = at; i < at + PEER_ID_BYTES; i++) peer += String.fromCharCode(bytes[i]!);
  return peer;
}

function writePeer(to: Uint8Array, at: number, peer: PeerId): void {
  assert(peer.length === PEER_ID_BYTES, `the id of a peer has 8 characters: ${peer}`);
  for (let i = 0; i < PEER_ID_BYTES; i++) to[at + i] = peer.charCodeAt(i);
}

export function peerBytes(peer: PeerId): Uint8Array {
  const bytes = new Uint8Array(PEER_ID_BYTES);
  writePeer(bytes, 0, peer);
  return bytes;
}

export function encodeVoteRequest(request: VoteRequest): Uint8Array {
  const bytes = new Uint8Array(VOTE_REQUEST_BYTES);
  const to = view(bytes);
  writeCount(to, 0, request.term);
  writeCount(to, 8, request.lastTerm);
  writeCount(to, 16, request.lastIndex);
  writePeer(bytes, 24, request.candidate);
  return bytes;
}

export function decodeVoteRequest(bytes: Uint8Array): VoteRequest | undefined {
  if (bytes.length !== VOTE_REQUEST_BYTES) return undefined;
  const from = view(bytes);
  const term = readCount(from, 0);
  const lastTerm = readCount(from, 8);
  const lastIndex = readCount(from, 16);
  if (term === undefined || lastTerm === undefined || lastIndex === undefined) return undefined;
  return { term, lastTerm, lastIndex, candidate: readPeer(bytes, 24) };
}

export function encodeVoteResponse(response: VoteResponse): Uint8Array {
  const bytes = new Uint8Array(VOTE_RESPONSE_BYTES);
  writeCount(view(bytes), 0, response.term);
  writePeer(bytes, 8, response.peer);
  bytes[16] =
    (response.isGranted ? GRANTED : 0) | (response.isEmpty ? EMPTY : 0) | (response.hasLost ? LOST : 0);
  return bytes;
}

export function decodeVoteResponse(bytes: Uint8Array): VoteResponse | undefined {
  if (bytes.length !== VOTE_RESPONSE_BYTES) return undefined;
  const term = readCount(view(bytes), 0);
  if (term === undefined) return undefined;
  const flags = bytes[16]!;
  return {
    term,
    peer: readPeer(bytes, 8),
    isGranted: (flags & GRANTED) !== 0,
    isEmpty: (flags & EMPTY) !== 0,
    hasLost: (flags & LOST) !== 0,
  };
}

export function encodeAppendResponse(response: AppendResponse): Uint8Array {
  const bytes = new Uint8Array(APPEND_RESPONSE_BYTES);
  const to = view(bytes);
  writeCount(to, 0, response.term);
  writeCount(to, 8, response.index);
  writePeer(bytes, 16, response.peer);
  bytes[24] = response.isSuccess ? 1 : 0;
  return bytes;
}

export function decodeAppendResponse(bytes: Uint8Array): AppendResponse | undefined {
  if (bytes.length !== APPEND_RESPONSE_BYTES) return undefined;
  const from = view(bytes);
  const term = readCount(from, 0);
  const index = readCount(from, 8);
  if (term === undefined || index === undefined) return undefined;
  return { term, index, peer: readPeer(bytes, 16), isSuccess: bytes[24] === 1 };
}

export function encodeAppend(append: AppendEntry): Uint8Array {
  const { entries } = append;
  assert(entries.length <= ENTRIES_MAX, `an append entry has at most ${ENTRIES_MAX} entries`);
  let size = APPEND_HEAD_BYTES + uvarintBytes(append.currentTerm);
  for (const { data } of entries) size += ENTRY_HEAD_BYTES + 1 + data.length;
  const bytes = new Uint8Array(size);
  const to = view(bytes);
  writePeer(bytes, 0, append.leader);
  writeCount(to, 8, append.term);
  writeCount(to, 16, append.commit);
  writeCount(to, 24, append.prevTerm);
  writeCount(to, 32, append.prevIndex);
  to.setUint16(40, entries.length, true);
  let at = APPEND_HEAD_BYTES;
  for (const { type, data } of entries) {
    to.setUint32(at, data.length + 1, true);
    bytes[at + ENTRY_HEAD_BYTES] = type;
    bytes.set(data, at + ENTRY_HEAD_BYTES + 1);
    at += ENTRY_HEAD_BYTES + 1 + data.length;
  }
  at = writeUvarint(bytes, at, append.currentTerm);
  assert(at === size, "an append entry is as long as was reckoned");
  return bytes;
}

/** Entries refer to the given bytes. Bytes behind the last field are ignored. */
export function decodeAppend(bytes: Uint8Array): AppendEntry | undefined {
  if (bytes.length < APPEND_HEAD_BYTES) return undefined;
  const from = view(bytes);
  const term = readCount(from, 8);
  const commit = readCount(from, 16);
  const prevTerm = readCount(from, 24);
  const prevIndex = readCount(from, 32);
  if (term === undefined || commit === undefined || prevTerm === undefined || prevIndex === undefined)
    return undefined;
  const entries: Entry[] = [];
  let at = APPEND_HEAD_BYTES;
  for (let left = from.getUint16(40, true); left > 0; left--) {
    if (at + ENTRY_HEAD_BYTES > bytes.length) return undefined;
    const length = from.getUint32(at, true);
    at += ENTRY_HEAD_BYTES;
    if (length < 1 || at + length > bytes.length) return undefined;
    entries.push({ type: bytes[at]!, data: bytes.subarray(at + 1, at + length) });
    at += length;
  }
  // servers before 2.11 end here
  const currentTerm = at === bytes.length ? 0 : readUvarint(bytes, at);
  if (currentTerm === undefined || currentTerm > COUNT_MAX || term < prevTerm) return undefined;
  return { leader: readPeer(bytes), term, commit, prevTerm, prevIndex, entries, currentTerm };
}

export function encodePeerState(state: PeerState): Uint8Array {
  const { peers } = state;
  const bytes = new Uint8Array(8 + peers.length * PEER_ID_BYTES + 2);
  const to = view(bytes);
  to.setUint32(0, state.size, true);
  to.setUint32(4, peers.length, true);
  peers.forEach((peer, i) => writePeer(bytes, 8 + i * PEER_ID_BYTES, peer));
  to.setUint16(bytes.length - 2, state.domainExtension, true);
  return bytes;
}

export function decodePeerState(bytes: Uint8Array): PeerState | undefined {
  if (bytes.length < 8) return undefined;
  const from = view(bytes);
  const size = from.getUint32(0, true);
  const count = from.getUint32(4, true);
  const end = 8 + count * PEER_ID_BYTES;
  if (count > PEERS_MAX || size > PEERS_MAX || end > bytes.length) return undefined;
  const peers = Array.from({ length: count }, (_, i) => readPeer(bytes, 8 + i * PEER_ID_BYTES));
  if (new Set(peers).size !== count) return undefined;
  return { size, peers, domainExtension: bytes.length >= end + 2 ? from.getUint16(end, true) : 0 };
}

function uvarintBytes(value: number): number {
  let count = 1;
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) count++;
  return count;
}

function writeUvarint(to: Uint8Array, at: number, value: number): number {
  let rest = value;
  let i = at;
  for (; rest >= 128; rest = Math.floor(rest / 128)) to[i++] = (rest % 128) | 128;
  to[i++] = rest;
  return i;
}

function readUvarint(bytes: Uint8Array, at: number): number | undefined {
  let value = 0;
  let scale = 1;
  for (let i = 0; i < UVARINT_BYTES_MAX && at + i < bytes.length; i++) {
    const byte = bytes[at + i]!;
    value += (byte & 127) * scale;
    if (value > Number.MAX_SAFE_INTEGER) return undefined;
    if (byte < 128) return value;
    scale *= 128;
  }
  return undefined;
}
