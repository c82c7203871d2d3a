/** The chart on a real cluster: installed, scaled, restarted, broken, and removed, under load of official clients. */
import { beforeAll, describe, expect } from "vitest";
import { docker } from "../support/docker.ts";
import { eventually, kubectl, loadImages, manifestFile, Witness } from "../support/kubernetes.ts";
import { valuesFile, wholeValues } from "../support/nats-chart.ts";
import { IMAGE, loadTestImages } from "./images.ts";
import { AT, expectSteady, expectUnmoved, fullMesh, it, POD, SERVICE } from "./release.ts";

beforeAll(loadTestImages, 900_000);

describe("an installation", () => {
  it("gets three servers ready, which talk through the Service and by the names of pods", async ({
    namespace,
  }) => {
    await namespace.install("nats");
    await fullMesh(namespace, 3);
    expect(await namespace.helm("test", "nats")).toMatch(/Phase: +Succeeded/);
    interface Pod {
      metadata: { name: string };
      status: { conditions: { type: string; lastTransitionTime: string }[] };
    }
    const { items } = await namespace.json<{ items: Pod[] }>(
      "get",
      "pods",
      "--selector",
      "app.kubernetes.io/instance=nats,app.kubernetes.io/component=server",
    );
    const time = ({ status }: Pod, type: string): number =>
      Date.parse(status.conditions.find((condition) => condition.type === type)!.lastTransitionTime);
    const seconds = Math.max(...items.map((pod) => time(pod, "Ready") - time(pod, "PodScheduled"))) / 1000;
    process.stdout.write(`ready ${seconds} s after scheduling, the slowest of ${items.length}\n`);
  });

  it("is tested as a user of a Secret of one's own, or says that it knows no password", async ({
    namespace,
  }) => {
    const hash = "$2a$04$" + "a".repeat(53);
    await namespace.kubectl(
      "create",
      "secret",
      "generic",
      "mine",
      `--from-literal=ann=${hash}`,
      "--from-literal=bob=b",
    );
    await namespace.install("nats", [`auth.existingSecret="mine"`]);
    expect(await namespace.helm("test", "nats", "--logs")).toMatch(/all arrived at/);
    await namespace.kubectl("create", "secret", "generic", "hashes", `--from-literal=ann=${hash}`);
    await namespace.install("nats", [`auth.existingSecret="hashes"`]);
    await expect(namespace.helm("test", "nats")).rejects.toThrow(/nats-shoal-test failed/);
    expect(await namespace.logs("nats-shoal-test")).toMatch(/there is nobody to connect as/);
  });

  it("leaves nothing behind when it is uninstalled", async ({ namespace }) => {
    const kinds =
      "all,configmaps,secrets,serviceaccounts,roles,rolebindings,networkpolicies,poddisruptionbudgets,horizontalpodautoscalers,ingresses";
    const names = async (): Promise<string> => namespace.kubectl("get", kinds, "--output", "name");
    const before = await names();
    await namespace.install("nats", ["config.endpointSlices.enabled=true", `auth.users={"ann":"secret"}`]);
    expect(await namespace.helm("test", "nats", "--logs")).toMatch(/all arrived at/);
    await namespace.helm("uninstall", "nats", "--wait");
    // the pod of the test stays for its logs
    await namespace.kubectl("delete", "pod", "--selector", "app.kubernetes.io/component=test");
    await eventually(async () => expect(await names()).toBe(before));
  });

  it("takes the whole values of the NATS chart, with its names and routes with credentials", async ({
    namespace,
  }) => {
    const credentials = { user: "r@1", password: "p@ss/w rd%&+", useFQDN: true };
    const sets = [
      `nameOverride="nats"`,
      "config.cluster.enabled=true",
      `config.cluster.routeURLs=${JSON.stringify(credentials)}`,
      `config.merge={"$include":"./more.conf"}`,
      `configMap.merge={"data":{"more.conf":"max_payload: 2MB"}}`,
    ];
    await namespace.install("nats", sets, "--values", await valuesFile(wholeValues()));
    const pods = ["nats-0", "nats-1", "nats-2"];
    await namespace.meshed(pods);
    expect(await namespace.monitor("nats-0", "/varz")).toMatchObject({ max_payload: 2_097_152 });
    expect(await namespace.helm("test", "nats", "--logs")).toMatch(/through nats: all arrived at/);
  });

  it("does not join another one of the same namespace", async ({ namespace }) => {
    await namespace.install("nats");
    await namespace.install("other");
    await namespace.meshed((await namespace.pods("nats")).sort());
    await namespace.meshed((await namespace.pods("other")).sort());
  });

  it("watches EndpointSlices, and goes on by DNS without the permission to", async ({ namespace }) => {
    await namespace.install("nats", ["config.endpointSlices.enabled=true"]);
    await fullMesh(namespace, 3);
    const sees = async (): Promise<string[]> => {
      interface Readyz {
        sources: { name: string; last_error?: string }[];
      }
      const { sources } = await namespace.monitor<Readyz>(POD(0), "/readyz");
      return sources
        .filter(({ last_error: error }) => error === undefined)
        .map(({ name }) => name.split(" ")[0]!);
    };
    expect(await sees()).toContain("kubernetes");
    await namespace.kubectl("delete", "rolebinding", "nats-shoal");
    await namespace.kubectl("delete", "pod", POD(0));
    await fullMesh(namespace, 3);
    await eventually(async () => expect(await sees()).toEqual(["dns"]));
    const complaints = (await namespace.logs(POD(0)))
      .split("\n")
      .filter((line) => /"level":"(warn|error)"/.test(line));
    expect(complaints).toHaveLength(1);
    expect(complaints[0]).toContain("endpointslices");
  });
});

describe("under load", () => {
  it("scales from three to five to two, and loses nothing between servers that stay", async ({
    namespace,
  }) => {
    await namespace.install("nats");
    await fullMesh(namespace, 3);
    const witness = await Witness.start(namespace, { PUBLISH: AT(0), SUBSCRIBE: AT(1), ROAM: SERVICE });
    await namespace.kubectl("scale", "statefulset/nats-shoal", "--replicas=5");
    await fullMesh(namespace, 5);
    await namespace.kubectl("scale", "statefulset/nats-shoal", "--replicas=2");
    await fullMesh(namespace, 2);
    expectSteady(await witness.stop());
  });

  it("takes a rolling restart: every request succeeds, at the latest when it is repeated once", async ({
    namespace,
  }) => {
    await namespace.install("nats");
    await fullMesh(namespace, 3);
    const witness = await Witness.start(namespace, { PUBLISH: SERVICE, SUBSCRIBE: SERVICE, ROAM: SERVICE });
    await namespace.kubectl("rollout", "restart", "statefulset/nats-shoal");
    await fullMesh(namespace, 3);
    const report = await witness.stop();
    process.stdout.write(`rolling restart: ${JSON.stringify(report)}\n`);
    expect(report).toMatchObject({ failed: 0, problems: [] });
    for (const count of Object.values(report.reconnects)) expect(count).toBeLessThanOrEqual(3);
  });

  it("takes the loss of a pod that had no time to say anything", async ({ namespace }) => {
    await namespace.install("nats");
    await fullMesh(namespace, 3);
    const witness = await Witness.start(namespace, { PUBLISH: AT(0), SUBSCRIBE: AT(1), ROAM: SERVICE });
    await namespace.kubectl("delete", "pod", POD(2), "--grace-period=0", "--force");
    await fullMesh(namespace, 3);
    expectSteady(await witness.stop());
  });

  it("lives with 128 MiB and readers that do not read", async ({ namespace }) => {
    const resources = { requests: { cpu: "50m", memory: "64Mi" }, limits: { memory: "128Mi" } };
    await namespace.install("nats", [`container.resources=${JSON.stringify(resources)}`]);
    await fullMesh(namespace, 3);
    const witness = await Witness.start(namespace, { PUBLISH: AT(0), SUBSCRIBE: AT(1), ROAM: SERVICE });
    const script = `
      const net = require("node:net");
      const frame = Buffer.from("PUB big 60000\\r\\n" + "x".repeat(60000) + "\\r\\n");
      for (let i = 0; i < 20; i++) {
        const reader = net.connect(4222, "127.0.0.1", () => reader.write('CONNECT {"verbose":false}\\r\\nSUB big 1\\r\\n'));
        reader.on("error", () => {});
        reader.once("data", () => reader.pause());
      }
      const writer = net.connect(4222, "127.0.0.1");
      let n = 0;
      const more = () => { while (n++ < 2000) if (!writer.write(frame)) return writer.once("drain", more); writer.end("PING\\r\\n"); };
      writer.once("connect", () => { writer.write('CONNECT {"verbose":false}\\r\\n'); setTimeout(more, 500); });
      writer.resume().once("close", () => process.exit(0));`;
    await namespace.kubectl(
      "exec",
      POD(2),
      "--",
      "/nodejs/bin/node",
      "--max-old-space-size=32",
      "-e",
      script,
    );
    expectSteady(await witness.stop());
    const { slow_consumers: slow } = await namespace.monitor<{ slow_consumers: number }>(POD(2), "/varz");
    expect(slow).toBeGreaterThan(0);
    const restarts = await namespace.kubectl(
      "get",
      "pods",
      "--output",
      "jsonpath={.items[*].status.containerStatuses[*].restartCount}",
    );
    expect(restarts.split(" ").every((count) => count === "0")).toBe(true);
  });
});

describe("changes", () => {
  it("of the configuration are taken without a restart", async ({ namespace }) => {
    await namespace.install("nats");
    await fullMesh(namespace, 3);
    const witness = await Witness.start(namespace, { PUBLISH: AT(0), SUBSCRIBE: AT(1), ROAM: SERVICE });
    await namespace.install("nats", [`config.merge={"max_payload":2097152}`]);
    for (const n of [0, 1, 2]) {
      await eventually(
        async () =>
          expect(await namespace.monitor(POD(n), "/varz")).toMatchObject({ max_payload: 2_097_152 }),
        180_000,
      );
    }
    expectUnmoved(await witness.stop());
  });

  it("of the configuration that make no sense fail the upgrade, which changes nothing", async ({
    namespace,
  }) => {
    await namespace.install("nats", [`auth.users={"ann":"secret"}`]);
    await fullMesh(namespace, 3);
    const config = async (): Promise<string> =>
      namespace.kubectl("get", "configmap", "nats-shoal-config", "--output", "jsonpath={.data}");
    const before = await config();
    const bad = [`auth.users={"ann":"secret"}`, `config.merge={"max_payload":"a lot"}`];
    await expect(namespace.install("nats", bad)).rejects.toThrow(/pre-upgrade hooks failed/);
    expect(await namespace.kubectl("logs", "job/nats-shoal-check")).toMatch(/max_payload/);
    expect(await config()).toBe(before);
    await namespace.install("nats", [`auth.users={"ann":"secret"}`, `config.merge={"max_payload":4096}`]);
    const left = await namespace.kubectl("get", "jobs,configmaps,secrets", "--output", "name");
    expect(left).not.toMatch(/-check/);
  });

  it("of the configuration that make no sense take down nothing that runs, where they are not checked", async ({
    namespace,
  }) => {
    await namespace.install("nats");
    await fullMesh(namespace, 3);
    const witness = await Witness.start(namespace, { PUBLISH: AT(0), SUBSCRIBE: AT(1), ROAM: SERVICE });
    await namespace.install("nats", ["configCheck.enabled=false", `config.merge={"max_payload":"a lot"}`]);
    await eventually(async () => expect(await namespace.logs(POD(0))).toMatch(/max_payload/), 180_000);
    expectSteady(await witness.stop());
    expect(await namespace.monitor(POD(0), "/varz")).toMatchObject({ max_payload: 1_048_576 });
    // a pod that starts again has nothing else to go by: it says so, and the others stay
    await namespace.kubectl("delete", "pod", POD(2));
    await eventually(async () => expect(await namespace.logs(POD(2))).toMatch(/max_payload/));
    // it is tried again ever more seldom
    await namespace.install("nats", [], "--timeout", "400s");
    await fullMesh(namespace, 3);
  });

  it("of the image are rolled out, and rolled back", async ({ namespace }) => {
    await namespace.install("nats");
    await fullMesh(namespace, 3);
    await docker("tag", IMAGE, "shoal:test-kubernetes-next");
    await loadImages("shoal:test-kubernetes-next");
    const witness = await Witness.start(namespace, { PUBLISH: SERVICE, SUBSCRIBE: SERVICE, ROAM: SERVICE });
    const image = (): Promise<string> =>
      namespace.kubectl("get", "pod", POD(0), "--output", "jsonpath={.spec.containers[0].image}");
    await namespace.install("nats", [`container.image.tag="test-kubernetes-next"`]);
    await fullMesh(namespace, 3);
    expect(await image()).toBe("shoal:test-kubernetes-next");
    await namespace.helm("rollback", "nats", "1", "--wait", "--timeout", "120s");
    await fullMesh(namespace, 3);
    expect(await image()).toBe(IMAGE);
    expect(await witness.stop()).toMatchObject({ failed: 0, problems: [] });
  });

  it("of a node take one pod after the other", async ({ namespace }) => {
    await namespace.install("nats");
    await fullMesh(namespace, 3);
    const evict = async (pod: string): Promise<string> => {
      const eviction = {
        apiVersion: "policy/v1",
        kind: "Eviction",
        metadata: { name: pod, namespace: namespace.name },
      };
      const path = `/api/v1/namespaces/${namespace.name}/pods/${pod}/eviction`;
      return kubectl("create", "--raw", path, "--filename", await manifestFile("eviction", eviction));
    };
    await evict(POD(0));
    await expect(evict(POD(1))).rejects.toThrow(/disruption budget/);
    await fullMesh(namespace, 3);
    await evict(POD(1));
    await fullMesh(namespace, 3);
  });
});
