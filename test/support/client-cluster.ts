/** A cluster of three shoals of one kind, in this process or as processes of their own, whose mesh is complete. */
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { allReach } from "./cluster-clients.ts";
import { waitFor } from "./cluster-wait.ts";
import { freePort } from "./free-port.ts";
import { startTarget, type Target, type TargetKind, type TargetOptions } from "./client-target.ts";

export class ClientCluster implements AsyncDisposable {
  readonly members: readonly Target[];
  private readonly openClients: NatsConnection[] = [];

  private constructor(members: readonly Target[]) {
    this.members = members;
  }

  /** Each member lists all of them, as a StatefulSet does. */
  static async start(kind: TargetKind, options: TargetOptions = {}): Promise<ClientCluster> {
    const ports = [await freePort(), await freePort(), await freePort()];
    const routes = ports.map((port) => `nats://127.0.0.1:${port}`);
    const members = await Promise.all(
      ports.map((port, index) =>
        startTarget(kind, { ...options, name: `member-${index}`, cluster: { name: "three", port, routes } }),
      ),
    );
    const cluster = new ClientCluster(members);
    await cluster.whole();
    return cluster;
  }

  member(index: number): Target {
    return this.members[index]!;
  }

  /** A client of each member, closed with the cluster. Their interest reaches one another. */
  async clients(options: object = {}): Promise<[NatsConnection, NatsConnection, NatsConnection]> {
    const clients = await Promise.all(this.members.map((member) => this.client(member, options)));
    await allReach(clients);
    return clients as [NatsConnection, NatsConnection, NatsConnection];
  }

  async client(member: Target, options: object = {}): Promise<NatsConnection> {
    const client = await connect({
      servers: member.url,
      ignoreClusterUpdates: true,
      reconnect: false,
      ...options,
    });
    this.openClients.push(client);
    return client;
  }

  /** Resolves once each member tells its clients of all three. */
  async whole(): Promise<void> {
    for (const member of this.members) {
      const urls = async (): Promise<number> => {
        const client = await connect({ servers: member.url, reconnect: false });
        const count = client.info?.connect_urls?.length ?? 0;
        await client.close();
        return count;
      };
      await waitFor(`${member.url} to know all members`, async () => (await urls()) === 3);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.openClients.map((client) => client.close()));
    await Promise.all(this.members.map((member) => member[Symbol.asyncDispose]()));
  }
}
