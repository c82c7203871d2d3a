/**
 * What crossed the connections to each other server, by its name, also over those that are gone. Bound: a number of names.
 * Beyond it the server that has been gone longest is forgotten; what it counted goes to "other", as does a server that
 * finds no place.
 */
import type { RouteSession } from "../../links/route/session.ts";
import { add, addLoss, noLoss, nothing, type Loss, type Traffic } from "../../links/trunk/traffic.ts";

const PEERS_MAX = 100;
const OTHER = "other";

interface Entry {
  readonly name: string;
  readonly left: Traffic & Loss;
  readonly open: Set<RouteSession>;
  /** Places in the pool, and pinned accounts, that had a connection. */
  readonly places: Set<string>;
  reconnects: number;
}

export interface PeerTraffic extends Readonly<Traffic>, Readonly<Loss> {
  readonly name: string;
  readonly connections: number;
  readonly pendingBytes: number;
  /** 0: not known yet. */
  readonly roundTripMs: number;
  readonly reconnects: number;
}

export class PeerLedger {
  /** Those that are gone come in the order in which they went, since each goes to the end then. */
  private readonly entries = new Map<string, Entry>();
  private readonly other = newEntry(OTHER);
  private readonly bySession = new Map<RouteSession, Entry>();
  private readonly max: number;

  constructor(max: number = PEERS_MAX) {
    this.max = max;
  }

  registered(session: RouteSession): void {
    const { registration } = session;
    if (registration === null) return;
    const { peerName, account, poolIndex } = registration;
    const entry = this.entries.get(peerName) ?? this.enter(peerName);
    const place = account === null ? String(poolIndex) : `account ${account}`;
    if (entry !== this.other && entry.places.has(place)) entry.reconnects++;
    if (entry !== this.other) entry.places.add(place);
    entry.open.add(session);
    this.bySession.set(session, entry);
  }

  closed(session: RouteSession): void {
    const entry = this.bySession.get(session);
    if (entry === undefined) return;
    this.bySession.delete(session);
    entry.open.delete(session);
    add(entry.left, session);
    addLoss(entry.left, session);
    if (entry.open.size > 0 || entry === this.other) return;
    this.entries.delete(entry.name);
    this.entries.set(entry.name, entry);
  }

  snapshot(): PeerTraffic[] {
    const { left, open } = this.other;
    const hasOther = open.size > 0 || left.inMessages > 0 || left.outMessages > 0;
    return [...this.entries.values(), ...(hasOther ? [this.other] : [])].map(summed);
  }

  private enter(name: string): Entry {
    if (this.entries.size >= this.max) {
      const gone = [...this.entries.values()].find(({ open }) => open.size === 0);
      if (gone === undefined) return this.other;
      this.entries.delete(gone.name);
      add(this.other.left, gone.left);
      addLossOf(this.other.left, gone.left);
    }
    const entry = newEntry(name);
    this.entries.set(name, entry);
    return entry;
  }
}

function newEntry(name: string): Entry {
  return { name, left: { ...nothing(), ...noLoss() }, open: new Set(), places: new Set(), reconnects: 0 };
}

function summed({ name, left, open, reconnects }: Entry): PeerTraffic {
  const sum = { ...left };
  let pendingBytes = 0;
  let roundTripMs = 0;
  for (const session of open) {
    add(sum, session);
    pendingBytes += session.outbox.pendingBytes;
    roundTripMs = Math.max(roundTripMs, session.heartbeat.roundTripMs);
  }
  return { ...sum, name, connections: open.size, pendingBytes, roundTripMs, reconnects };
}

function addLossOf(sum: Loss, part: Readonly<Loss>): void {
  sum.slowConsumers += part.slowConsumers;
  sum.droppedMessages += part.droppedMessages;
  sum.droppedBytes += part.droppedBytes;
}
