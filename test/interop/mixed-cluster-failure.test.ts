/**
 * Members of a mixed cluster crash and come back: the others drop them at once, take them back without being told, and
 * what goes on between the others is not disturbed.
 */
// oxlint-disable vitest/expect-expect -- awaiting a condition up to a deadline is the assertion
import { type NatsConnection } from "@nats-io/transport-node";
import { afterEach, describe, expect, it } from "vitest";
import { allReach, Clients, isNoResponders, publishUntil, RunCounter } from "../support/cluster-clients.ts";
import type { Member } from "../support/cluster-member.ts";
import { missingKinds, type ServerKind } from "../support/cluster-programs.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { Cluster } from "../support/cluster.ts";

const mixes: ServerKind[][] = [
  ["nats-new", "nats-2.9", "nats-new"],
  ["shoal", "nats-new", "nats-2.9"],
  ["nats-new", "shoal", "shoal"],
  ["nats-2.9", "shoal", "shoal"],
];

const missing = missingKinds(["nats-2.9", "nats-new"]);

for (const kinds of mixes) {
  describe.skipIf(kinds.some((kind) => missing.includes(kind)))(`${kinds.join(" <- ")}`, () => {
    const open: AsyncDisposable[] = [];

    afterEach(async () => {
      for (const thing of open.splice(0).reverse()) await thing[Symbol.asyncDispose]();
    });

    it("drops a member that is killed, and takes it back when it returns, whichever member it is", async () => {
      const cluster = await Cluster.start(kinds);
      open.push(cluster);
      await cluster.fullMesh();
      for (const victim of cluster.members) {
        await victim.kill();
        await cluster.fullMesh(); // of those that run
        await inTouch(cluster.members.filter((member) => member !== victim));
        await victim.start();
        await cluster.fullMesh();
        await inTouch(cluster.members);
      }
    });

    it("keeps interest right across a crash: subscriptions of the dead are gone, those of the returned are back", async () => {
      const cluster = await Cluster.start(kinds);
      const clients = new Clients();
      open.push(cluster, clients);
      await cluster.fullMesh();
      for (const victim of cluster.members) {
        const witness = cluster.members.find((member) => member !== victim)!;
        const asker = await clients.connect(witness);
        await answerOn(clients, victim, "who");
        await waitFor("an answer", async () => (await ask(asker, "who")) === victim.name);
        await victim.kill();
        await waitFor("nobody to respond", async () => (await ask(asker, "who")) === "no responders");
        await victim.start();
        await answerOn(clients, victim, "who");
        await waitFor("an answer again", async () => (await ask(asker, "who")) === victim.name);
        await victim.kill();
        await victim.start();
        await cluster.fullMesh();
        await waitFor("nobody to respond", async () => (await ask(asker, "who")) === "no responders");
      }
    });

    it("loses nothing between two members while the third one dies and returns", async () => {
      const cluster = await Cluster.start(kinds);
      const clients = new Clients();
      open.push(cluster, clients);
      await cluster.fullMesh();
      for (const victim of cluster.members.slice(1)) {
        const [from, to] = await clients.connectAll(cluster.members.filter((member) => member !== victim));
        const run = new RunCounter(to!, "undisturbed");
        await allReach([from!, to!]);
        const replaced = (async () => {
          await victim.kill();
          await victim.start();
          await cluster.fullMesh();
        })();
        const count = await publishUntil(from!, "undisturbed", replaced);
        await run.received(count);
        await allReach([from!, to!]);
        expect(run).toMatchObject({ count, firstOutOfOrder: undefined });
        run.stop();
      }
    });
  });
}

async function inTouch(members: readonly Member[]): Promise<void> {
  await using clients = new Clients();
  await allReach(await clients.connectAll(members));
}

async function answerOn(clients: Clients, member: Member, subject: string): Promise<void> {
  const client = await clients.connect(member);
  client.subscribe(subject, { callback: (_error, message) => void message.respond(member.name) });
  await client.flush();
}

/** The answer, or in words why there is none. */
async function ask(client: NatsConnection, subject: string): Promise<string> {
  try {
    return (await client.request(subject, "", { timeout: 500 })).string();
  } catch (error) {
    return isNoResponders(error) ? "no responders" : "no answer in time";
  }
}
