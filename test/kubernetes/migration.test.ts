/**
 * docs/migrate-from-nats-helm.md, "One by one", carried out as it stands there, under load, and what comes after it: restarts and
 * upgrades when the old servers are gone. NATS_CHART names the official chart's folder, to be the old side; without it there is one
 * of the same shape beside this file.
 */
import { execFile } from "node:child_process";
import { chmod, copyFile, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, expect } from "vitest";
import { docker } from "../support/docker.ts";
import { eventually, kubectl, loadImages, Witness, type Namespace } from "../support/kubernetes.ts";
import { findNatsServer } from "../support/nats-server-binary.ts";
import { IMAGE, loadTestImages } from "./images.ts";
import { it } from "./release.ts";

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, "../..");
const OLD_IMAGE = "nats:test-kubernetes";
const OLD_CHART = process.env["NATS_CHART"] ?? join(import.meta.dirname, "nats-chart");
const PODS = ["shoal-0", "shoal-1", "shoal-2"];

/** What stands in a block of the guide: a command, or the values that are to be in shoal.yaml from then on. */
interface Step {
  readonly language: string;
  readonly text: string;
}

async function stepsOfGuide(): Promise<Step[]> {
  const guide = await readFile(join(ROOT, "docs/migrate-from-nats-helm.md"), "utf8");
  const section = /^## One by one$(.*?)(?=^## |(?![^]))/ms.exec(guide)![1]!;
  return [...section.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language, text]) => ({
    language: language!,
    text: text!,
  }));
}

/** A shell in which the guide's commands mean the charts, the images and the namespace of the test. */
class Operator {
  private readonly folder: string;
  private readonly env: NodeJS.ProcessEnv;

  private constructor(folder: string, env: NodeJS.ProcessEnv) {
    this.folder = folder;
    this.env = env;
  }

  static async of({ name }: Namespace): Promise<Operator> {
    const folder = await mkdtemp(join(tmpdir(), "shoal-migration-"));
    const config = join(folder, "kubeconfig");
    await writeFile(config, await kubectl("config", "view", "--raw", "--flatten"));
    const { stdout: helm } = await run("sh", ["-c", "command -v helm"]);
    const image = `container.image=${JSON.stringify({ fullImageName: IMAGE, pullPolicy: "Never" })}`;
    const wrapper = [
      "#!/bin/bash",
      "words=()",
      'for word in "$@"; do',
      '  case "$word" in',
      `    helm/shoal) words+=('${join(ROOT, "helm/shoal")}' --set-json '${image}') ;;`,
      `    nats/nats) words+=('${OLD_CHART}') ;;`,
      '    *) words+=("$word") ;;',
      "  esac",
      "done",
      `exec '${helm.trim()}' "\${words[@]}"`,
    ];
    await writeFile(join(folder, "helm"), wrapper.join("\n"));
    await chmod(join(folder, "helm"), 0o755);
    const operator = new Operator(folder, { ...process.env, KUBECONFIG: config });
    await operator.run(`kubectl config set-context --current --namespace ${name}`);
    return operator;
  }

  async run(script: string): Promise<void> {
    try {
      const here = `PATH='${this.folder}':"$PATH"\n${script}`;
      await run("bash", ["-e", "-c", here], { cwd: this.folder, env: this.env, maxBuffer: 64 << 20 });
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      throw new Error(`${script}\n${stdout}\n${stderr}`, { cause: error });
    }
  }

  async take({ language, text }: Step): Promise<void> {
    if (language === "yaml") await writeFile(join(this.folder, "shoal.yaml"), text);
    else await this.run(text);
  }
}

async function installOldServers(namespace: Namespace): Promise<void> {
  // the official chart's pods are root, in part
  await kubectl(
    "label",
    "namespace",
    namespace.name,
    "--overwrite",
    "pod-security.kubernetes.io/enforce=baseline",
  );
  const values = [
    "config.cluster.enabled=true",
    "natsBox.enabled=false",
    "reloader.enabled=false",
    `container.image.fullImageName=${OLD_IMAGE}`,
    "container.image.pullPolicy=Never",
  ];
  await namespace.helm("install", "nats", OLD_CHART, "--set", values.join(), "--wait", "--timeout", "5m");
}

beforeAll(async () => {
  await loadTestImages();
  const binary = findNatsServer();
  if (binary === undefined) throw new Error("the old side of the migration needs a nats-server on the PATH");
  const context = await mkdtemp(join(tmpdir(), "shoal-nats-image-"));
  await copyFile(binary.path, join(context, "nats-server"));
  const lines = [
    "FROM node:26-bookworm-slim",
    "COPY nats-server /usr/local/bin/nats-server",
    "USER 65532:65532",
    'ENTRYPOINT ["nats-server"]',
  ];
  await writeFile(join(context, "Dockerfile"), lines.join("\n"));
  await docker("build", "--quiet", "--tag", OLD_IMAGE, context);
  await loadImages(OLD_IMAGE);
}, 900_000);

it("takes a cluster of nats-servers over as the guide says, and stays one through restarts and upgrades", async ({
  namespace,
}) => {
  const names = async (): Promise<string[]> => {
    interface Endpoints {
      items: { endpoints: { targetRef: { name: string } }[] | null }[];
    }
    const selector = "kubernetes.io/service-name=nats";
    const { items } = await namespace.json<Endpoints>("get", "endpointslices", "--selector", selector);
    return items.flatMap(({ endpoints }) => (endpoints ?? []).map(({ targetRef }) => targetRef.name)).sort();
  };
  const settled = async (): Promise<void> => {
    await namespace.kubectl("rollout", "status", "statefulset/shoal", "--timeout=5m");
    await namespace.meshed(PODS);
  };
  await installOldServers(namespace);
  const at = "nats:4222";
  const witness = await Witness.start(namespace, { PUBLISH: at, SUBSCRIBE: at, ROAM: at });
  const operator = await Operator.of(namespace);
  for (const step of await stepsOfGuide()) await operator.take(step);
  await settled();
  await eventually(async () => expect(await names()).toEqual(PODS));
  expect((await namespace.pods("nats")).sort()).toEqual([]);

  await namespace.kubectl("rollout", "restart", "statefulset/shoal");
  await settled();
  await operator.run(
    "helm upgrade shoal helm/shoal --values shoal.yaml --set podTemplate.labels.again=yes --wait --timeout 10m",
  );
  await settled();
  await operator.run("helm rollback shoal --wait --timeout 10m");
  await settled();

  const report = await witness.stop();
  process.stdout.write(`migration: ${JSON.stringify(report)}\n`);
  // what nobody was there to receive is lost with any server
  expect(report).toMatchObject({ failed: 0, problems: [], duplicates: 0, lostWhileHere: 0 });
  expect(report.published).toBeGreaterThan(0);
});
