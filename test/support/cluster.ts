/**
 * A cluster of server processes of any kinds, for tests. The first member is the seed; the others dial it and learn of
 * each other by gossip. Knows when the mesh is full: every member sees exactly the others, and messages get through.
 */
import { Member, type MemberSpec } from "./cluster-member.ts";
import type { ServerKind } from "./cluster-programs.ts";
import { waitFor } from "./cluster-wait.ts";

export interface Start {
  /** What a member dials by itself; by default the joiners dial the seed. */
  readonly routesOf?: (member: Member, members: readonly Member[]) => string[];
  /** By default the seed first, then the joiners one after the other. */
  readonly order?: "one by one" | "all at once";
}

export class Cluster implements AsyncDisposable {
  readonly members: readonly Member[];

  constructor(members: readonly Member[]) {
    this.members = members;
  }

  /** Starts members of one named cluster; the mesh may still be forming when this resolves. */
  static async start(kinds: readonly ServerKind[], how: Start = {}): Promise<Cluster> {
    const clusterLines = ["name: mixed"];
    return startMembers(
      kinds.map((kind, index) => ({ kind, name: `member-${index}`, clusterLines })),
      how,
    );
  }

  member(index: number): Member {
    const member = this.members[index];
    if (member === undefined) throw new Error(`the cluster has no member ${index}`);
    return member;
  }

  /** Resolves once every running member has routes to all the other running ones and to nobody else. */
  async fullMesh(): Promise<void> {
    const up = this.members.filter((member) => member.isRunning);
    for (const member of up) {
      const wanted = new Set(up.filter((other) => other !== member).map(({ id }) => id));
      await waitFor(
        `${member.name} to see ${wanted.size} peers`,
        async () => isSameSet(await member.peers(), wanted),
        () => this.logTails(),
      );
    }
  }

  logTails(): string {
    return this.members.map((member) => member.logTail()).join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.members.map((member) => member[Symbol.asyncDispose]()));
  }
}

/** Starts members that differ in more than their kind. */
export async function startMembers(specs: readonly MemberSpec[], how: Start = {}): Promise<Cluster> {
  const members = await Promise.all(specs.map((spec) => Member.create(spec)));
  const cluster = new Cluster(members);
  for (const member of members) member.routes = (how.routesOf ?? dialSeed)(member, members);
  try {
    if (how.order === "all at once") await Promise.all(members.map((member) => member.start()));
    else for (const member of members) await member.start();
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
  return cluster;
}

function dialSeed(member: Member, members: readonly Member[]): string[] {
  const seed = members[0];
  return seed === undefined || seed === member ? [] : [seed.routeUrl()];
}

/** Everybody lists everybody, itself included, as a StatefulSet's configuration does. */
export function dialAll(_member: Member, members: readonly Member[]): string[] {
  return members.map((other) => other.routeUrl());
}

function isSameSet(a: ReadonlySet<string> | undefined, b: ReadonlySet<string>): boolean {
  return a !== undefined && a.size === b.size && [...a].every((id) => b.has(id));
}
