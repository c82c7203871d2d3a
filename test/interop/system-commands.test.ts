/** What the system account of a mixed cluster tells of a server that goes, and has a server do, from a client on the other kind. */
import { describe, expect, it } from "vitest";
import { Clients, reaches } from "../support/cluster-clients.ts";
import type { Member } from "../support/cluster-member.ts";
import { missingKinds, type ServerKind } from "../support/cluster-programs.ts";
import { startMembers, type Cluster } from "../support/cluster.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { findNatsCli, NatsCommand } from "../support/nats-cli.ts";
import { ask, listen, nameOf, shape, type Json } from "../support/system-account.ts";

const clusterLines = ["name: mixed"];
const serverLines = ["accounts { $SYS { users: [{ user: sys, password: p }] } }"];
const admin = { user: "sys", pass: "p" };

/** One server of each kind; the first of them is the seed. */
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

const program = findNatsCli();

/** Each says the names of both servers. */
const OF_ALL = [
  "server list --sort conns",
  "server ping --id",
  "server report health",
  "server report routes",
  "server report cpu",
  "server report mem",
  "server request variables",
  "server request connections --subscriptions",
  "server request routes --subscriptions",
  "server request subscriptions --detail",
  "server request accounts --account $SYS",
  "server request gateways",
  "server request leafnodes",
  "server request jetstream-health",
];
/** About one of them, NAME with the id ID. */
const OF_ONE = [
  "server info NAME",
  "server check server --name NAME",
  "server request variables --name NAME",
  "server config reload ID --force",
];

describe.skipIf(missingKinds(["nats-new"]).length > 0)("in a mixed cluster", () => {
  it.each(["LAMEDUCK", "SHUTDOWN"] as const)(
    "clients of either kind hear %s of a server of the other, in one shape",
    async (event) => {
      const ours = await lastWord(event, "shoal", "nats-new");
      const theirs = await lastWord(event, "nats-new", "shoal");
      expect(shape(ours, event)).toEqual(shape(theirs, event));
    },
  );

  it.skipIf(program === undefined)(
    "the nats tool reports on, checks and commands both, from either",
    async () => {
      await using cluster = await mixed("shoal", "nats-new");
      await using clients = new Clients();
      for (const [index, asked] of cluster.members.entries()) {
        const nats = (command: string): NatsCommand =>
          new NatsCommand(program!, `nats://sys:p@${asked.clientUrl}`, command.split(" "));
        for (const command of OF_ALL) {
          const output = await nats(command).done();
          for (const name of ["shoal", "nats-new"])
            expect([command, output]).toEqual([command, expect.stringContaining(name)]);
        }
        for (const { spec, id } of cluster.members) {
          for (const command of OF_ONE) {
            const output = await nats(command.replace("NAME", spec.name).replace("ID", id)).done();
            expect([command, output]).toEqual([command, expect.stringContaining(spec.name)]);
          }
        }
        expect(await nats("server account info $SYS").done()).toContain(
          "Account information for account $SYS",
        );
        await using events = nats("events --all");
        await events.prints(/AUTH\.ERR/);
        const far = cluster.member(1 - index);
        await waitFor("the events to be told", async () => {
          await expect(clients.connect(far, { user: "nobody", pass: "x" })).rejects.toThrow("Authorization");
          return new RegExp(`Authentication Failure\\s+Server: ${far.spec.name}`).test(events.output);
        });
        const user = await clients.connect(far);
        await nats(`server request kick ${user.info!.client_id} ${far.id}`).done();
        await user.closed();
      }
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
