/**
 * Compares what the cluster has agreed that this server keeps with what it has open and what lies on its disk. Pure reading, in steps: each
 * step looks at one stream or one folder, since there may be very many.
 */
import type { PeerId } from "../raft/messages.ts";
import type { Disk } from "../store/disk.ts";
import type { Assets } from "./assets.ts";
import type { KeptStream } from "./cluster-assets.ts";
import type { Groups } from "./group/group.ts";
import { META_GROUP } from "./meta/meta-group.ts";
import type { Assignments, PlacedStream } from "./meta/assignments.ts";

export interface Difference {
  readonly kind:
    | "assigned, not open"
    | "open, not assigned"
    | "open as another one"
    | "a folder of nothing that is assigned"
    | "a log of nothing that is assigned";
  /** "": it is about a log. */
  readonly account: string;
  readonly stream: string;
  /** "": the stream itself. */
  readonly consumer: string;
  /** "": it is not about a log. */
  readonly group: string;
}

export interface ComparedHost {
  readonly self: PeerId;
  readonly disk: Disk;
  readonly assignments: Assignments;
  readonly groups: Groups;
  readonly accounts: () => Iterable<Assets>;
  readonly openStreams: (account: string) => ReadonlyMap<string, KeptStream>;
  /** It is being offered to the cluster, which does not know all of it yet. */
  readonly isOffered: (account: string, stream: string) => boolean;
}

/** null: nothing was found in this step. */
export function* differencesOf(host: ComparedHost): Generator<Difference | null, void> {
  for (const assets of host.accounts()) {
    yield* missingIn(host, assets);
    yield* surplusIn(host, assets);
  }
  yield* surplusLogs(host);
}

function* missingIn(host: ComparedHost, assets: Assets): Generator<Difference | null, void> {
  const { self, assignments, openStreams } = host;
  const account = assets.host.name;
  for (const [stream, placed] of assignments.streamsOf(account)) {
    yield null;
    const { assignment, consumers } = placed;
    if (!assignment.group.peers.includes(self)) continue;
    const open = openStreams(account).get(stream);
    const about = { account, stream, consumer: "", group: "" };
    if (open === undefined) yield { ...about, kind: "assigned, not open" };
    else if (isOther(open.assignment, assignment)) yield { ...about, kind: "open as another one" };
    else
      for (const { name, group, created } of consumers.values()) {
        if (!group.peers.includes(self)) continue;
        const one = open.consumers.get(name)?.assignment;
        if (one === undefined) yield { ...about, consumer: name, kind: "assigned, not open" };
        else if (isOther(one, { group, created }))
          yield { ...about, consumer: name, kind: "open as another one" };
      }
  }
}

function* surplusIn(host: ComparedHost, assets: Assets): Generator<Difference | null, void> {
  const { self, assignments, openStreams, disk, isOffered } = host;
  const account = assets.host.name;
  const streams = `${assets.options.folder}/streams`;
  const isMine = (placed: PlacedStream | undefined): boolean =>
    placed?.assignment.group.peers.includes(self) === true;
  for (const [stream, open] of openStreams(account)) {
    yield null;
    const placed = assignments.stream(account, stream);
    const about = { account, stream, consumer: "", group: "" };
    if (!isMine(placed)) yield { ...about, kind: "open, not assigned" };
    else
      for (const consumer of open.consumers.keys())
        if (placed?.consumers.get(consumer)?.group.peers.includes(self) !== true)
          yield { ...about, consumer, kind: "open, not assigned" };
    if (isOffered(account, stream)) continue;
    for (const consumer of disk.names(`${streams}/${stream}/obs`))
      if (!open.consumers.has(consumer))
        yield { ...about, consumer, kind: "a folder of nothing that is assigned" };
  }
  for (const stream of disk.names(streams)) {
    const isKnown = openStreams(account).has(stream) || isMine(assignments.stream(account, stream));
    if (!isKnown)
      yield { account, stream, consumer: "", group: "", kind: "a folder of nothing that is assigned" };
  }
}

function* surplusLogs({ groups, assignments }: ComparedHost): Generator<Difference | null, void> {
  const assigned = new Set([META_GROUP]);
  for (const { assignment, consumers } of assignments.all()) {
    yield null;
    assigned.add(assignment.group.name);
    for (const { group } of consumers.values()) assigned.add(group.name);
  }
  for (const group of groups.stored)
    if (!assigned.has(group))
      yield { account: "", stream: "", consumer: "", group, kind: "a log of nothing that is assigned" };
}

interface Placed {
  readonly created: string;
  readonly group: { readonly name: string };
}

function isOther(a: Placed, b: Placed): boolean {
  return a.created !== b.created || a.group.name !== b.group.name;
}
