// What the system account of a mixed cluster tells of a server that goes, and has a server do, from a client on the other kind.
import { describe, expect, it } from "vitest";
import { Clients, reaches } from "../support/cluster-clients.ts";
import type { Member } from "../support/cluster-member.ts";
import { missingKinds, type ServerKind } from "../support/cluster-programs.ts";
import { startMembers, type Cluster } from "../support/cluster.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { ask, listen, nameOf, shape, type Json } from "../support/system-account.ts";

const clusterLines = ["name: mixed"];
const serverLines = ["accounts { $SYS { users: [{ user: sys, password: p }] } }"];
const admin = { user: "sys", pass: "p" };

/** Of the two kinds, one server each; the first of them is the seed. */
async function mixed(...kinds: readonly ServerKind[]): Promise<Cluster> {
  const cluster = await startMembers(kinds.map((kind) => ({ kind, name: kind, clusterLines, serverLines })));
  await cluster.fullMesh();
  return cluster;
}

/** nats-server does not tell of its end once it is a lame duck, so each is asked for by itself. */
const leave = {
  LAMEDUCK: (member: Member) => member.lameDuck(),
  SHUTDOWN: (member: Member) => member.stop(),
};

/** What a client of the one hears of the other that goes. */
async function lastWord(event: keyof typeof leave, leaver: ServerKind, witness: ServerKind): Promise<Json> {
  await using cluster = await mixed(leaver, witness);
  await using clients = new Clients();
  const [there, here] = await clients.connectAll(cluster.members, admin);
  const going = cluster.member(0);
  const heard = listen(here!, "$SYS.SERVER.*.*");
  await here!.flush();
  await reaches(there!, here!);
  await leave[event](going);
  const { body } = await waitFor(
    event,
    () => heard.find(({ subject }) => subject === `$SYS.SERVER.${going.id}.${event}`),
    () => cluster.logTails(),
  );
  expect(nameOf(body)).toBe(leaver);
  return body;
}

describe.skipIf(missingKinds(["nats-new"]).length > 0)("in a mixed cluster", () => {
  it.each(["LAMEDUCK", "SHUTDOWN"] as const)(
    "clients of either kind hear %s of a server of the other, in one shape",
    async (event) => {
      const ours = await lastWord(event, "shoal", "nats-new");
      const theirs = await lastWord(event, "nats-new", "shoal");
      expect(shape(ours, event)).toEqual(shape(theirs, event));
    },
  );

  it("each reloads when a client of the other asks it to by its id, and says what is wrong", async () => {
    await using cluster = await mixed("shoal", "nats-new");
    await using clients = new Clients();
    const admins = await clients.connectAll(cluster.members, admin);
    for (const [from, to] of [admins, admins.toReversed()]) await reaches(from!, to!);
    const answers: Json[] = [];
    for (const [index, member] of cluster.members.entries()) {
      const reload = async (): Promise<Json> =>
        (await ask(admins[1 - index]!, `$SYS.REQ.SERVER.${member.id}.RELOAD`, 1))[0]!;
      const before = reloadsOf(cluster);
      expect(Object.keys(await reload())).toEqual(["server"]);
      await waitFor("the one that was asked", () => reloadsOf(cluster)[index] === before[index]! + 1);
      expect(reloadsOf(cluster)[1 - index]).toBe(before[1 - index]);
      member.configure([...clusterLines, "pool_size: many"]);
      const { error, ...rest } = await reload();
      expect(Object.keys(rest)).toEqual(["server"]);
      answers.push(error as Json);
      member.configure(clusterLines);
    }
    expect(answers.map(({ code }) => code)).toEqual([500, 500]);
    expect(answers[0]!["description"]).toMatch(/server\.conf:\d+:\d+: .*pool_size/);
    expect(await Promise.all(cluster.members.map((member) => member.peers()))).toEqual(
      cluster.members.map((_, index) => new Set([cluster.member(1 - index).id])),
    );
  });
});

function reloadsOf({ members }: Cluster): number[] {
  return members.map((member: Member) => member.countLogs(/Reloaded server configuration/));
}
