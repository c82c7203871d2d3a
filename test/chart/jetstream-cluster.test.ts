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

interface Pod {
  readonly child: ChildProcess;
  readonly port: number;
  readonly monitorPort: number;
  log: string;
}

/** Pods of the release, as programs: the configuration file of the chart, and ports and folders of their own. */
class Pods implements AsyncDisposable {
  private readonly folder = mkdtempSync(join(tmpdir(), "shoal-pods-"));
  private readonly clusterPorts: number[] = [];
  private readonly running: Pod[] = [];

  /** The pod of that number, for the first time or again. */
  async start(n: number, config: string): Promise<void> {
    const name = `release-shoal-${n}`;
    const configFile = join(this.folder, `${name}.conf`);
    writeFileSync(configFile, config);
    this.clusterPorts[n] ??= await freePort();
    const [port, monitorPort] = [await freePort(), await freePort()];
    const flags = ["--addr", "127.0.0.1", "--port", String(port), "--http_port", String(monitorPort)];
    const env = {
      ...process.env,
      SHOAL__SERVER_NAME: name,
      SHOAL__CLUSTER__HOST: "127.0.0.1",
      SHOAL__CLUSTER__PORT: String(this.clusterPorts[n]),
      SHOAL__CLUSTER__ROUTES: `nats://127.0.0.1:${this.clusterPorts[0]}`,
      SHOAL__JETSTREAM__STORE_DIR: join(this.folder, name),
    };
    const child = spawn(BINARY, ["--config", configFile, ...flags], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    const pod: Pod = { child, port, monitorPort, log: "" };
    this.running[n] = pod;
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (pod.log += chunk.toString()));
  }

  async kill(n: number): Promise<void> {
    const { child } = this.running[n]!;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "close");
    child.kill("SIGKILL");
    await ended;
  }

  /** The answer, asked for until there is one without an error. */
  async answer(n: number, subject: string, body: object | null = null): Promise<Record<string, unknown>> {
    return waitFor(`an answer to ${subject}`, async () => this.ask(n, subject, body), this.logs);
  }

  async isReady(n: number): Promise<true> {
    return waitFor(
      `pod ${n} to be ready`,
      async () => (await this.monitor(n, "/readyz")) !== undefined,
      this.logs,
    );
  }

  /** Servers that take part in decisions, as the pod knows. */
  async members(n: number, count: number): Promise<true> {
    return waitFor(
      `${count} members`,
      async () => {
        const { meta_cluster: meta } = ((await this.monitor(n, "/jsz")) ?? {}) as { meta_cluster?: object };
        return meta !== undefined && "cluster_size" in meta && meta.cluster_size === count;
      },
      this.logs,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const n of this.running.keys()) await this.kill(n);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private readonly logs = (): string => this.running.map(({ log }) => log).join("\n");

  private async ask(
    n: number,
    subject: string,
    body: object | null,
  ): Promise<Record<string, unknown> | undefined> {
    let client: NatsConnection | undefined;
    try {
      client = await connect({ servers: `127.0.0.1:${this.running[n]!.port}`, reconnect: false });
      const payload = body === null ? "" : JSON.stringify(body);
      const answer = (await client.request(subject, payload, { timeout: 2000 })).json<object>();
      return "error" in answer ? undefined : { ...answer };
    } catch {
      return undefined;
    } finally {
      await client?.close();
    }
  }

  /** undefined: it does not answer, or not with 200. */
  private async monitor(n: number, path: string): Promise<unknown> {
    const answer = await fetch(`http://127.0.0.1:${this.running[n]!.monitorPort}${path}`).catch(
      () => undefined,
    );
    return answer?.ok === true ? answer.json() : undefined;
  }
}

it("servers with the configuration of the chart keep a stream together, also when there are more of them later", async () => {
  await using pods = new Pods();
  const { text: three } = await renderedConfig(STREAMS);
  const { text: five } = await renderedConfig(STREAMS, "config.cluster.replicas=5");
  for (const n of [0, 1, 2]) await pods.start(n, three);
  const config = { name: "ORDERS", subjects: ["orders.>"], num_replicas: 3 };
  await pods.answer(2, "$JS.API.STREAM.CREATE.ORDERS", config);
  const stored = await pods.answer(2, "orders.1", { n: 1 });
  expect(stored).toMatchObject({ stream: "ORDERS" });

  for (const n of [3, 4]) await pods.start(n, five);
  await pods.members(4, 5);
  await pods.kill(1);
  await pods.start(1, five);
  for (const n of [1, 3, 4]) await pods.isReady(n);
  const info = await pods.answer(1, "$JS.API.STREAM.INFO.ORDERS");
  expect(info).toMatchObject({ cluster: { name: "release-shoal" }, config: { num_replicas: 3 } });
  const got = await pods.answer(4, "$JS.API.STREAM.MSG.GET.ORDERS", { seq: stored["seq"] });
  expect(got).toMatchObject({ message: { subject: "orders.1" } });
});
