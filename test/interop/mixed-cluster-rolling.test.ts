/**
 * Three nats-servers are replaced by three shoals, one at a time and under load, and back again: how an existing cluster
 * moves over. Clients of the server that goes reconnect to another one; between the two that stay nothing is lost.
 */
import { type ConnectionOptions, type NatsConnection } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import { allReach, Clients, publishUntil, RunCounter } from "../support/cluster-clients.ts";
import type { Member } from "../support/cluster-member.ts";
import { missingKinds, type ServerKind } from "../support/cluster-programs.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { Cluster, dialAll } from "../support/cluster.ts";

const missing = missingKinds(["nats-2.9", "nats-new"]);

for (const nats of ["nats-new", "nats-2.9"] satisfies ServerKind[]) {
  describe.skipIf(missing.includes(nats))(`three ${nats} servers`, () => {
    it("are replaced by shoals and come back, while clients go on working", async () => {
      await using cluster = await Cluster.start([nats, nats, nats], { routesOf: dialAll });
      await using clients = new Clients();
      await cluster.fullMesh();
      const conversation = await Conversation.start(clients, cluster.members);
      for (const kind of ["shoal", nats] as const) {
        for (const member of cluster.members) {
          const [from, to] = await clients.connectAll(cluster.members.filter((other) => other !== member));
          await expectNothingLost(from!, to!, () => replace(cluster, member, kind));
          await conversation.goesOn();
        }
      }
      await conversation.stop();
      expect(conversation.wrongAnswers).toEqual([]);
      expect(conversation.reconnects).toBeGreaterThanOrEqual(2 * cluster.members.length);
    });
  });
}

async function replace(cluster: Cluster, member: Member, kind: ServerKind): Promise<void> {
  await member.stop();
  await member.startAs(kind);
  await cluster.fullMesh();
}

async function expectNothingLost(
  from: NatsConnection,
  to: NatsConnection,
  meanwhile: () => Promise<void>,
): Promise<void> {
  const subject = `steady.${to.info?.client_id ?? ""}`;
  const run = new RunCounter(to, subject);
  await allReach([from, to]);
  const count = await publishUntil(from, subject, meanwhile());
  await run.received(count);
  await allReach([from, to]);
  expect(run).toMatchObject({ count, firstOutOfOrder: undefined });
  run.stop();
}

/** On each member a client that asks and answers without end, and moves to another server when its own goes. */
class Conversation {
  readonly wrongAnswers: string[] = [];
  reconnects = 0;
  /** Right answers per client. */
  private readonly answers: number[];
  private isOver = false;
  private readonly loops: Promise<void>[] = [];

  private constructor(clients: readonly NatsConnection[]) {
    this.answers = clients.map(() => 0);
  }

  static async start(clients: Clients, members: readonly Member[]): Promise<Conversation> {
    const connections = await Promise.all(
      members.map((member) => clients.connect(member, roaming(member, members))),
    );
    const conversation = new Conversation(connections);
    connections.forEach((client, index) => conversation.join(client, index));
    await conversation.goesOn();
    return conversation;
  }

  /** Resolves once every client has had another answer. */
  async goesOn(): Promise<void> {
    const before = [...this.answers];
    await waitFor("an answer to each client", () =>
      this.answers.every((count, index) => count > before[index]!),
    );
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.loops);
  }

  private join(client: NatsConnection, index: number): void {
    client.subscribe("double", {
      queue: "doublers",
      callback: (_error, message) => void message.respond(String(2 * Number(message.string()))),
    });
    this.loops.push(this.ask(client, index));
    void this.countReconnects(client); // Ends when the client is closed.
  }

  private async ask(client: NatsConnection, index: number): Promise<void> {
    for (let n = 0; !this.isOver; n++) {
      try {
        const answer = (await client.request("double", String(n), { timeout: 250 })).string();
        if (answer === String(2 * n)) this.answers[index]!++;
        else this.wrongAnswers.push(`${answer} for ${n}`);
      } catch {
        await client.flush().catch(() => undefined); // The server is going; `goesOn` is what must hold.
      }
    }
  }

  private async countReconnects(client: NatsConnection): Promise<void> {
    for await (const { type } of client.status()) {
      if (type === "reconnect") this.reconnects++;
    }
  }
}

/** Connects to its member first, then to any. */
function roaming(member: Member, members: readonly Member[]): ConnectionOptions {
  const others = members.filter((other) => other !== member);
  return {
    servers: [member, ...others].map(({ clientUrl }) => clientUrl),
    noRandomize: true,
    reconnect: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 20,
    reconnectJitter: 20,
  };
}
