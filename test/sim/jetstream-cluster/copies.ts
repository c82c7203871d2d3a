/** The copies of a stream, as they are in the end: complete, the same, and led by one. */
import type { StreamStore } from "../../../src/store/stream-store.ts";
import type { SimulatedServer } from "./server.ts";

export interface StreamCopy {
  readonly server: SimulatedServer;
  readonly store: StreamStore;
}

export function copiesOf(servers: readonly SimulatedServer[], stream: string): StreamCopy[] {
  return servers.flatMap((server) => {
    const found = server.jetStream?.accounts.get("A")?.assets.streams.get(stream)?.stream;
    return found === undefined ? [] : [{ server, store: found.store }];
  });
}

/** Each a breach. */
export function* differences(servers: readonly SimulatedServer[], stream: string): Generator<string> {
  const copies = copiesOf(servers, stream);
  const metaLeader = servers.find(({ cluster }) => cluster?.meta.leads);
  const group = metaLeader?.cluster?.meta.assignments.stream("A", stream)?.assignment.group;
  if (group?.desired !== undefined) yield `the members of the group of ${stream} are still being changed`;
  if (copies.length !== group?.peers.length)
    yield `${copies.length} copies of ${stream}, not ${group?.peers.length}`;
  const [first, ...others] = copies;
  for (const { server } of copies) {
    const problem = server.cluster!.assets.replicaOf("A", stream)?.problem ?? "";
    if (problem !== "") yield `${server.name}: ${problem}`;
  }
  for (const { server, store } of others) {
    const difference = firstDifference(store, first!.store);
    if (difference !== "")
      yield `${server.name} and ${first!.server.name} differ in ${stream}: ${difference}`;
  }
  const leaders = servers.filter(({ cluster }) => cluster?.assets.standing("A", stream, "") === "leads");
  if (leaders.length !== 1) yield `${leaders.length} servers lead ${stream}`;
}

function firstDifference(here: StreamStore, there: StreamStore): string {
  const last = Math.max(here.last, there.last);
  for (let at = Math.min(here.first, there.first); at <= last; at++)
    if (!isDamaged(here, at) && !isDamaged(there, at) && textOf(here, at) !== textOf(there, at))
      return `${at} is ${textOf(here, at)}, and ${textOf(there, at)}`;
  if (here.lost.count > 0 || there.lost.count > 0) return "";
  if (here.first !== there.first) return `one begins at ${here.first}, the other at ${there.first}`;
  if (here.last !== there.last) return `one ends at ${here.last}, the other at ${there.last}`;
  return "";
}

/** A message that is known missing may be found to be so as it is read. */
export function isDamaged(store: StreamStore, sequence: number): boolean {
  store.read(sequence);
  return store.lost.has(sequence);
}

/** Subject, time, headers and payload. */
function textOf(store: StreamStore, sequence: number): string {
  const view = store.read(sequence);
  return view === null
    ? "nothing"
    : `${view.subject} ${view.timeNs} ${Buffer.from(view.body).toString("latin1")}`;
}

export interface StoredMessage {
  readonly sequence: number;
  readonly subject: string;
  readonly headers: string;
  readonly payload: string;
}

export function* messagesIn(store: StreamStore): Generator<StoredMessage> {
  for (let at = store.next(1, null); at !== 0; at = store.next(at + 1, null)) {
    const view = store.read(at);
    if (view === null) continue;
    const body = Buffer.from(view.body).toString("latin1");
    const headers = body.slice(0, view.headerLength);
    yield { sequence: at, subject: view.subject, headers, payload: body.slice(view.headerLength) };
  }
}
