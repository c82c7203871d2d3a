/** Why a group of servers has no leader, or not all copies. Pure. */
import type { GroupFacts, ReplicaFacts } from "./facts.ts";

export interface Reason {
  readonly why: string;
  readonly todo: string;
}

/** The names of the servers that answered. */
export type Present = ReadonlySet<string>;

/** Servers that are named in one line. */
const NAMED_MAX = 5;

/** `group` as a member sees it that knows no leader: it stands among the replicas. */
export function leaderless(group: GroupFacts, present: Present): Reason {
  return withoutLeader(
    group.replicas.map(({ name }) => name),
    quorumOf(group.replicas.length),
    present,
  );
}

export function withoutLeader(members: readonly string[], needed: number, present: Present): Reason {
  const absent = members.filter((name) => !present.has(name));
  const there = members.length - absent.length;
  if (there < needed)
    return {
      why: `no leader: ${there} of its ${members.length} servers answer, and ${needed} have to (${listed(absent)} ${absent.length === 1 ? "does" : "do"} not)`,
      todo: `Start ${needed - there === absent.length ? "" : `${needed - there} of `}${listed(absent)} again`,
    };
  return {
    why: `no leader, though ${there} of its ${members.length} servers answer: it is electing one, or a copy lacks what only another one had`,
    todo: `Ask again in some seconds; if it stays so, the logs of ${listed(members.filter((name) => present.has(name)))} say why`,
  };
}

/** The leader that everybody names has gone. */
export function leaderGone(leader: string): Reason {
  return {
    why: `its leader ${leader} does not answer`,
    todo: `Ask again in some seconds, when the others have elected another one, and start ${leader} again`,
  };
}

/** `group` as its leader sees it. null: all copies are there and current. */
export function copiesMissing(group: GroupFacts, present: Present): Reason | null {
  const { replicas } = group;
  const missing = replicas.filter(
    ({ name, isOffline, isCurrent }) => isOffline || (!isCurrent && !present.has(name)),
  );
  const behind = replicas.filter((one) => !missing.includes(one) && !one.isCurrent);
  if (missing.length + behind.length === 0) return null;
  const size = replicas.length + 1;
  const there = size - missing.length;
  const isLast = missing.length > 0 && there <= quorumOf(size);
  const whys = [
    ...(missing.length === 0
      ? []
      : [
          `${there} of ${size} copies are there (not on ${listed(missing.map(({ name }) => name))})` +
            (isLast ? ", and one fewer stops it" : ""),
        ]),
    ...(behind.length === 0 ? [] : [behind.slice(0, NAMED_MAX).map(behindText).join(", ")]),
  ];
  const names = listed(missing.map(({ name }) => name));
  return {
    why: whys.join("; "),
    todo: missing.length > 0 ? `Start ${names} again` : "It catches up by itself: ask again in a while",
  };
}

function behindText({ name, lag }: ReplicaFacts): string {
  return lag === 0 ? `the copy on ${name} is not current` : `the copy on ${name} is ${lag} operations behind`;
}

function quorumOf(size: number): number {
  return Math.floor(size / 2) + 1;
}

export function listed(names: readonly string[]): string {
  const rest = names.length - NAMED_MAX;
  return names.slice(0, NAMED_MAX).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}
