/** Three nats-servers that keep streams together, and shoals that follow them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import type { JetStreamCluster } from "../../src/jetstream/cluster.ts";
import { waitFor } from "./cluster-wait.ts";
import type { Member } from "./cluster-member.ts";
import { dialAll, startMembers, type Cluster } from "./cluster.ts";
import { startInProcess, type InProcessServer } from "./in-process-server.ts";

const STREAM_SERVERS = 3;
const TAGGED = 2;
const CLUSTER_NAME = "mixed";
/** Where streams with this tag are placed: two nats-servers, and every shoal. */
export const TAG = "copies";
const SYSTEM_USER = { user: "sys", pass: "p" };

export class NatsStreamCluster implements AsyncDisposable {
  private readonly folder = mkdtempSync(join(tmpdir(), "nats-streams-"));
  private cluster: Cluster | null = null;
  private readonly shoals = new Map<string, InProcessServer>();
  private readonly clients: NatsConnection[] = [];

  /** Resolves once the servers have a leader that answers. */
  async start(): Promise<this> {
    const names = Array.from({ length: STREAM_SERVERS }, (_, i) => `n${i + 1}`);
    this.cluster = await startMembers(
      names.map((name, i) => ({
        kind: "nats-new",
        name,
        clusterLines: [`name: ${CLUSTER_NAME}`],
        serverLines: [
          ...(i < TAGGED ? [`server_tags: [${TAG}]`] : []),
          `jetstream { store_dir: ${JSON.stringify(join(this.folder, name))}, max_file: 1GB, max_mem: 64MB }`,
          `accounts { $SYS { users: [{user: ${SYSTEM_USER.user}, password: ${SYSTEM_USER.pass}}] } }`,
        ],
      })),
      { routesOf: dialAll },
    );
    const client = await this.client(0);
    await waitFor("a leader of the servers with streams", () =>
      client.request("$JS.API.INFO", "", { timeout: 1000 }).then(
        (answer) => answer.json<{ error?: object }>().error === undefined,
        () => undefined,
      ),
    );
    return this;
  }

  member(index: number): Member {
    return this.cluster!.member(index);
  }

  async client(index: number): Promise<NatsConnection> {
    return this.connected(this.member(index).clientUrl, {});
  }

  /** A client of the system account. */
  async admin(index: number): Promise<NatsConnection> {
    return this.connected(this.member(index).clientUrl, SYSTEM_USER);
  }

  /** For the `nats` tool, in the system account. */
  adminUrl(index: number): string {
    return `nats://${SYSTEM_USER.user}:${SYSTEM_USER.pass}@${this.member(index).clientUrl}`;
  }

  /** Starts one, on the folder that it had, if it was there before. */
  async startShoal(name: string): Promise<InProcessServer> {
    const routes = this.cluster!.members.map(({ ports }) => ({
      host: "127.0.0.1",
      port: ports.cluster,
      user: null,
      password: null,
    }));
    const shoal = await startInProcess(
      {
        server: { name, tags: [TAG] },
        cluster: { name: CLUSTER_NAME, routes },
        jetStream: { isEnabled: true, storeDir: join(this.folder, name) },
      },
      undefined,
      "nats-servers",
    );
    this.shoals.set(name, shoal);
    return shoal;
  }

  async stopShoal(name: string): Promise<void> {
    await this.shoals.get(name)?.[Symbol.asyncDispose]();
    this.shoals.delete(name);
  }

  /** What it has kept is gone. It must have been stopped. */
  wipe(name: string): void {
    rmSync(join(this.folder, name), { recursive: true, force: true });
  }

  async shoalClient(name: string): Promise<NatsConnection> {
    return this.connected(this.shoals.get(name)!.url, {});
  }

  private async connected(servers: string, user: object): Promise<NatsConnection> {
    const client = await connect({ servers, ...user, reconnect: false });
    this.clients.push(client);
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.clients) await client.close();
    for (const name of [...this.shoals.keys()]) await this.stopShoal(name);
    await this.cluster?.[Symbol.asyncDispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** What a shoal knows of the streams of all servers. */
export function clusterOf({ server }: InProcessServer): JetStreamCluster {
  const cluster = server.rooms.jetStream.current?.cluster ?? null;
  if (cluster === null) throw new Error("the server keeps no streams together with others");
  return cluster;
}
