/** Values of the chart for a cluster that keeps streams with replicas: what they become, what cannot work, and servers that run with it. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import { waitFor } from "../support/cluster-wait.ts";
import { freePort } from "../support/free-port.ts";
import { podSpec, render } from "../support/helm.ts";
import { renderedConfig } from "../support/rendered-config.ts";

const STREAMS = "config.jetstream.enabled=true";
const BINARY = join(import.meta.dirname, "../../bin/shoal");
const STATEFUL_SET = "StatefulSet/release-shoal";

interface Workload {
  readonly spec: {
    readonly replicas: number;
    readonly podManagementPolicy: string;
    readonly template: object;
    readonly volumeClaimTemplates: readonly { readonly metadata: { readonly name: string } }[];
  };
}

async function workload(...sets: string[]): Promise<Workload> {
  return (await render(STREAMS, ...sets)).manifests.get(STATEFUL_SET) as unknown as Workload;
}

describe("config.jetstream with config.cluster", () => {
  it("makes servers with a volume and a lasting name each, which begin once all are there", async () => {
    const { text, verdict } = await renderedConfig(STREAMS, "config.cluster.replicas=5");
    expect(verdict).toContain("is valid");
    expect(JSON.parse(text)).toMatchObject({
      cluster: { name: "release-shoal" },
      jetstream: { cluster_size: 5, store_dir: "/data" },
    });
    const { manifests } = await render(STREAMS, "config.cluster.replicas=5");
    const { spec } = manifests.get(STATEFUL_SET) as unknown as Workload;
    expect(spec).toMatchObject({ replicas: 5, podManagementPolicy: "Parallel" });
    expect(spec.volumeClaimTemplates.map(({ metadata }) => metadata.name)).toEqual(["release-shoal-js"]);
    const [container] = podSpec(manifests.get(STATEFUL_SET))!.containers;
    expect(container!.env).toContainEqual({ name: "SHOAL__SERVER_NAME", value: "$(POD_NAME)" });
    expect(container!.volumeMounts).toContainEqual({ name: "release-shoal-js", mountPath: "/data" });
  });

  it("leaves the pods that there are alone when the number of replicas changes", async () => {
    for (const checksum of [false, true]) {
      const set = `podTemplate.configChecksumAnnotation=${checksum}`;
      const [three, five] = [await workload(set), await workload(set, "config.cluster.replicas=5")];
      expect(five.spec.template).toEqual(three.spec.template);
      expect(five.spec.volumeClaimTemplates).toEqual(three.spec.volumeClaimTemplates);
    }
  });

  it("has to be told how many begin where servers of other releases are there as well", async () => {
    const routes = `config.cluster.extraRoutes=["nats://other:6222"]`;
    await expect(render(STREAMS, routes)).rejects.toThrow(
      "config.cluster.extraRoutes: with servers of other releases the chart does not know how many begin",
    );
    const { text, verdict } = await renderedConfig(
      STREAMS,
      routes,
      `config.jetstream.merge={"cluster_size":6}`,
    );
    expect(JSON.parse(text)).toMatchObject({ jetstream: { cluster_size: 6 } });
    expect(verdict).toContain("is valid");
  });

  it.each([
    [[`workload.kind="Deployment"`], "config.jetstream.fileStore.pvc.enabled: a Deployment has no volume"],
    [
      [`workload.kind="Deployment"`, "config.jetstream.fileStore.pvc.enabled=false"],
      "config.jetstream.enabled: servers that keep streams together are known by their names",
    ],
    [
      ["config.jetstream.fileStore.enabled=false"],
      "config.jetstream.fileStore.enabled: servers of a cluster",
    ],
    [["autoscaling.enabled=true"], "autoscaling.enabled: a pod that goes takes its copies"],
    [["config.cluster.replicas=1"], "config.cluster.replicas must be 2 or higher"],
  ])("is refused with %j, which cannot work", async (sets, words) => {
    await expect(render(STREAMS, ...sets)).rejects.toThrow(words);
  });
});

/** Pods of the release, as programs: the configuration file of the chart, and ports and folders of their own. */
class Pods implements AsyncDisposable {
  private readonly folder = mkdtempSync(join(tmpdir(), "shoal-pods-"));
  private readonly running = new Map<string, { readonly child: ChildProcess; log: string; port: number }>();
  private clusterPorts: readonly number[] = [];

  get names(): readonly string[] {
    return this.clusterPorts.map((_, n) => `release-shoal-${n}`);
  }

  async start(config: string, count: number): Promise<void> {
    writeFileSync(join(this.folder, "shoal.conf"), config);
    const ports: number[] = [];
    while (ports.length < count) ports.push(await freePort());
    this.clusterPorts = ports;
    for (const n of ports.keys()) await this.startOne(n);
  }

  private async startOne(n: number): Promise<void> {
    const name = this.names[n]!;
    const port = await freePort();
    const flags = ["--addr", "127.0.0.1", "--port", String(port), "--http_port", String(await freePort())];
    const env = {
      ...process.env,
      SHOAL__SERVER_NAME: name,
      SHOAL__CLUSTER__PORT: String(this.clusterPorts[n]),
      SHOAL__CLUSTER__HOST: "127.0.0.1",
      SHOAL__CLUSTER__ROUTES: `nats://127.0.0.1:${this.clusterPorts[0]}`,
      SHOAL__JETSTREAM__STORE_DIR: join(this.folder, name),
    };
    const args = ["--config", join(this.folder, "shoal.conf"), ...flags];
    const child = spawn(BINARY, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    const pod = { child, log: "", port };
    this.running.set(name, pod);
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (pod.log += chunk.toString()));
  }

  /** Answers of the API; undefined: none yet, or an error. */
  async ask(subject: string, body: object | null = null): Promise<Record<string, unknown> | undefined> {
    const { port } = this.running.get(this.names.at(-1)!)!;
    let client: NatsConnection | undefined;
    try {
      client = await connect({ servers: `127.0.0.1:${port}`, reconnect: false });
      const payload = body === null ? "" : JSON.stringify(body);
      const answer = (await client.request(subject, payload, { timeout: 2000 })).json<{ error?: object }>();
      return answer.error === undefined ? { ...answer } : undefined;
    } catch {
      return undefined;
    } finally {
      await client?.close();
    }
  }

  async eventually(what: string, ...request: Parameters<Pods["ask"]>): Promise<Record<string, unknown>> {
    const logs = (): string => [...this.running.values()].map(({ log }) => log).join("\n");
    return waitFor(what, async () => this.ask(...request), logs);
  }

  async stop(): Promise<void> {
    const ended = [...this.running.values()].map(async ({ child }) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const closed = once(child, "close");
      child.kill("SIGKILL");
      await closed;
    });
    await Promise.all(ended);
    this.running.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

it("servers with the configuration of the chart keep a stream together, also when it names another number later", async () => {
  await using pods = new Pods();
  const { text: three } = await renderedConfig(STREAMS);
  const { text: five } = await renderedConfig(STREAMS, "config.cluster.replicas=5");
  await pods.start(three, 3);
  const config = { name: "ORDERS", subjects: ["orders.>"], num_replicas: 3 };
  await pods.eventually("a stream with three replicas", "$JS.API.STREAM.CREATE.ORDERS", config);
  const stored = await pods.eventually("a message that is stored", "orders.1", { n: 1 });
  expect(stored).toMatchObject({ stream: "ORDERS" });
  await pods.stop();
  await pods.start(five, 3);
  const info = await pods.eventually("the stream after a restart", "$JS.API.STREAM.INFO.ORDERS");
  expect(info).toMatchObject({ cluster: { name: "release-shoal" }, config: { num_replicas: 3 } });
  const got = await pods.eventually("the message", "$JS.API.STREAM.MSG.GET.ORDERS", { seq: stored["seq"] });
  expect(got).toMatchObject({ message: { subject: "orders.1" } });
});
