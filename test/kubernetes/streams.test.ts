/** Streams that the chart's servers keep together in volumes, through everything that happens to pods, under one load from start to end. */
import { beforeAll, expect } from "vitest";
import { docker } from "../support/docker.ts";
import { Volumes } from "../support/kubernetes-volumes.ts";
import {
  eventually,
  kubectl,
  loadImages,
  manifestFile,
  Witness,
  type Namespace,
} from "../support/kubernetes.ts";
import { IMAGE, loadTestImages } from "./images.ts";
import { fullMesh, it, POD, SERVICE } from "./release.ts";

const NEXT = "test-kubernetes-next";
/** Three and two more, and one for each volume that is lost. */
const VOLUMES = 6;
const PATIENCE_MS = 180_000;

beforeAll(loadTestImages, 900_000);

/** All servers agree that so many of them keep streams together, and each keeps well what it should. */
async function together(namespace: Namespace, count: number): Promise<void> {
  await fullMesh(namespace, count);
  interface Jsz {
    meta_cluster?: { cluster_size: number; leader: string };
  }
  await eventually(async () => {
    for (let n = 0; n < count; n++) {
      expect((await namespace.monitor<Jsz>(POD(n), "/jsz")).meta_cluster).toMatchObject({
        cluster_size: count,
        leader: expect.stringMatching(/./),
      });
      expect(await namespace.monitor(POD(n), "/healthz")).toMatchObject({ status: "ok" });
    }
  }, PATIENCE_MS);
}

async function scale(namespace: Namespace, count: number): Promise<void> {
  await namespace.kubectl("scale", "statefulset/nats-shoal", `--replicas=${count}`);
}

async function evict(namespace: Namespace, pod: string): Promise<string> {
  const metadata = { name: pod, namespace: namespace.name };
  const path = `/api/v1/namespaces/${namespace.name}/pods/${pod}/eviction`;
  const file = await manifestFile("eviction", { apiVersion: "policy/v1", kind: "Eviction", metadata });
  return kubectl("create", "--raw", path, "--filename", file);
}

it("keeps what it acknowledged through restarts, scaling, lost volumes, drained nodes and upgrades", async ({
  namespace,
}) => {
  await using volumes = await Volumes.create(namespace.name, VOLUMES);
  const pvc = {
    size: "1Gi",
    ...(volumes.storageClass === null ? {} : { storageClassName: volumes.storageClass }),
  };
  const values = ["config.jetstream.enabled=true", `config.jetstream.fileStore.pvc=${JSON.stringify(pvc)}`];
  await namespace.install("nats", values);
  await together(namespace, 3);
  const witness = await Witness.startStreams(namespace, { ROAM: SERVICE, REPLICAS: "3" });
  const after = async (what: string): Promise<void> => {
    const report = await witness.report();
    process.stdout.write(`${what}: ${JSON.stringify(report)}\n`);
    expect(report.problems, what).toEqual([]);
  };

  await namespace.kubectl("rollout", "restart", "statefulset/nats-shoal");
  await together(namespace, 3);
  await after("a rolling restart");

  await scale(namespace, 5);
  await together(namespace, 5);
  await after("two more pods");

  await scale(namespace, 3);
  for (const n of [3, 4])
    await namespace.kubectl("wait", "--for=delete", `pod/${POD(n)}`, `--timeout=${PATIENCE_MS / 1000}s`);
  await together(namespace, 3);
  await after("two pods less");

  // a stream with one replica has no other copy
  const { aloneOn } = await witness.report();
  expect(aloneOn).not.toBe("");
  const victim = [POD(1), POD(2)].find((pod) => pod !== aloneOn)!;
  await namespace.kubectl("delete", "pvc", `nats-shoal-js-${victim}`, "--wait=false");
  await namespace.kubectl("delete", "pod", victim);
  await together(namespace, 3);
  await after("a pod and its volume lost");

  await evict(namespace, POD(0));
  await expect(evict(namespace, POD(1))).rejects.toThrow(/disruption budget/);
  await together(namespace, 3);
  await evict(namespace, POD(1));
  await together(namespace, 3);
  await after("pods evicted");

  await docker("tag", IMAGE, `shoal:${NEXT}`);
  await loadImages(`shoal:${NEXT}`);
  await namespace.install("nats", [...values, `container.image.tag="${NEXT}"`]);
  await together(namespace, 3);
  await after("another image");

  await namespace.install("nats", [
    ...values,
    `container.image.tag="${NEXT}"`,
    `config.merge={"max_payload":2097152}`,
  ]);
  for (const n of [0, 1, 2])
    await eventually(
      async () => expect(await namespace.monitor(POD(n), "/varz")).toMatchObject({ max_payload: 2_097_152 }),
      PATIENCE_MS,
    );
  const report = await witness.stop();
  process.stdout.write(`streams in the end: ${JSON.stringify(report)}\n`);
  expect(report).toMatchObject({ lost: 0, doubled: 0, unconsumed: 0, lostAlone: 0, problems: [] });
  expect(report.acknowledged).toBeGreaterThan(1000);
});
