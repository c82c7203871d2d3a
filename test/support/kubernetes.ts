/**
 * A cluster of Kubernetes, through kubectl and helm. KUBECONFIG says which; SHOAL_TEST_LOAD_IMAGE is the command that makes an
 * image of the local Docker engine known to its nodes (such as "kind load docker-image"); the image's name is added to it.
 */
import { execFile, type ExecFileException } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, vi } from "vitest";
import { helm } from "./helm.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");

/** Runs `kubectl ARGS` and gives what it printed. Rejects with its messages. */
export async function kubectl(...args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await run("kubectl", [...args], { cwd: root, maxBuffer: 64 << 20 });
    return stdout.trim();
  } catch (error) {
    const { stderr, message } = error as ExecFileException & { stderr: string };
    throw new Error(`kubectl ${args.join(" ")}: ${stderr || message}`);
  }
}

export async function loadImages(...images: readonly string[]): Promise<void> {
  const command = process.env["SHOAL_TEST_LOAD_IMAGE"];
  if (command === undefined)
    throw new Error("set SHOAL_TEST_LOAD_IMAGE to the command that loads an image into the cluster");
  await run("sh", ["-c", `${command} "$@"`, "sh", ...images], { maxBuffer: 64 << 20 });
}

/** Waits until `check` does not throw. */
export async function eventually(check: () => Promise<void>, timeoutMs = 90_000): Promise<void> {
  await vi.waitFor(check, { timeout: timeoutMs, interval: 250 });
}

/** A namespace of its own that enforces the restricted level, gone at the end. */
export class Namespace implements AsyncDisposable {
  readonly name: string;

  private constructor(name: string) {
    this.name = name;
  }

  static async create(): Promise<Namespace> {
    const name = `shoal-test-${randomBytes(4).toString("hex")}`;
    await kubectl("create", "namespace", name);
    await kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted");
    return new Namespace(name);
  }

  kubectl(...args: readonly string[]): Promise<string> {
    return kubectl("--namespace", this.name, ...args);
  }

  helm(...args: readonly string[]): Promise<string> {
    return helm(...args, "--namespace", this.name);
  }

  /** Installs the chart, or upgrades it. `sets` are for --set-json. */
  async install(release: string, sets: readonly string[] = [], ...flags: readonly string[]): Promise<void> {
    const values = sets.flatMap((set) => ["--set-json", set]);
    const image = `container.image={"repository":"shoal","tag":"test-kubernetes","pullPolicy":"Never"}`;
    const all = ["--set-json", image, ...values, "--timeout", "120s", ...flags];
    await this.helm("upgrade", "--install", release, "helm/shoal", "--wait", ...all);
  }

  async json<T>(...args: readonly string[]): Promise<T> {
    return JSON.parse(await this.kubectl(...args, "--output", "json")) as T;
  }

  /** Names of the pods of a release, that are not going. */
  async pods(release: string): Promise<string[]> {
    interface Pods {
      items: { metadata: { name: string; deletionTimestamp?: string } }[];
    }
    const { items } = await this.json<Pods>(
      "get",
      "pods",
      "--selector",
      `app.kubernetes.io/instance=${release},app.kubernetes.io/component=server`,
    );
    return items
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .map(({ metadata }) => metadata.name);
  }

  /** What a server's monitoring answers, asked from inside the pod: no port of a pod is reachable everywhere. */
  async monitor<T>(pod: string, path: string): Promise<T> {
    const script = `fetch("http://127.0.0.1:8222${path}").then((r) => r.text()).then((t) => process.stdout.write(t))`;
    return JSON.parse(await this.kubectl("exec", pod, "--", "/nodejs/bin/node", "-e", script)) as T;
  }

  /** Every pod has routes to all the others, and to nobody else. */
  async meshed(pods: readonly string[]): Promise<void> {
    await eventually(async () => {
      const asked = pods.map(async (pod) => {
        const { server_id: id } = await this.monitor<{ server_id: string }>(pod, "/varz");
        const { routes } = await this.monitor<{ routes: { remote_id: string }[] }>(pod, "/routez");
        return { id, others: [...new Set(routes.map(({ remote_id: other }) => other))].sort() };
      });
      const answers = await Promise.all(asked);
      for (const { id, others } of answers) {
        const rest = answers.filter((one) => one.id !== id).map((one) => one.id);
        expect(others).toEqual(rest.sort());
      }
    });
  }

  async logs(pod: string): Promise<string> {
    return this.kubectl("logs", pod);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await kubectl("delete", "namespace", this.name, "--wait=false", "--grace-period=0");
  }
}

export interface WitnessReport {
  readonly published: number;
  readonly received: number;
  readonly duplicates: number;
  readonly reconnects: Record<"publisher" | "subscriber" | "roaming" | "requester", number>;
  readonly roamingReceived: number;
  readonly requests: number;
  readonly retries: number;
  readonly failed: number;
  readonly problems: readonly string[];
  /** What the subscriber missed of what was published while it or the publisher had no server; known in the end. */
  readonly lostWhileAway: number;
  /** The rest, which is known in the end. */
  readonly lostWhileHere: number;
  readonly awayMs: readonly number[];
}

/** What clients saw of the streams that they kept under load. */
export interface StreamsReport {
  readonly acknowledged: number;
  readonly consumed: number;
  /** Attempts to publish that failed, by the reason; they were repeated. */
  readonly failed: Readonly<Record<string, number>>;
  /** From the first attempt to the acknowledgement. */
  readonly slowestMs: number;
  readonly reconnects: number;
  /** The server that keeps the stream of one replica. */
  readonly aloneOn: string;
  /** A publish that nobody took for minutes is one. */
  readonly problems: readonly string[];
  /** Acknowledged, and not in the stream under the sequence that the acknowledgement told; the rest is known in the end as well. */
  readonly lost: number;
  readonly doubled: number;
  readonly unconsumed: number;
  readonly lostAlone: number;
}

interface WitnessOptions {
  readonly namespace: Namespace;
  readonly env: Record<string, string>;
  readonly files: readonly object[];
}

/** Clients in a pod of their own: see test/kubernetes/witness. */
export class Witness<Report = WitnessReport> {
  private readonly namespace: Namespace;
  private readonly pod: string;

  private constructor(namespace: Namespace, pod: string) {
    this.namespace = namespace;
    this.pod = pod;
  }

  /** Publishers, subscribers and requests. */
  static start(
    namespace: Namespace,
    env: Record<string, string>,
    files: readonly object[] = [],
  ): Promise<Witness> {
    return Witness.run<WitnessReport>("witness.mjs", { namespace, env, files });
  }

  /** Streams. */
  static startStreams(namespace: Namespace, env: Record<string, string>): Promise<Witness<StreamsReport>> {
    return Witness.run<StreamsReport>("streams.mjs", { namespace, env, files: [] });
  }

  private static async run<Report>(
    script: string,
    { namespace, env, files }: WitnessOptions,
  ): Promise<Witness<Report>> {
    const pod = `witness-${randomBytes(3).toString("hex")}`;
    const spec = {
      restartPolicy: "Never",
      terminationGracePeriodSeconds: 1,
      securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: "RuntimeDefault" } },
      volumes: files,
      containers: [
        {
          name: "witness",
          image: "shoal-witness:test-kubernetes",
          imagePullPolicy: "Never",
          args: [script],
          env: Object.entries(env).map(([name, value]) => ({ name, value })),
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
          volumeMounts: (files as { name: string }[]).map(({ name }) => ({
            name,
            mountPath: `/${name}`,
            readOnly: true,
          })),
        },
      ],
    };
    const manifest = { apiVersion: "v1", kind: "Pod", metadata: { name: pod }, spec };
    await namespace.kubectl("create", "--filename", await manifestFile(pod, manifest));
    const witness = new Witness<Report>(namespace, pod);
    await eventually(async () => expect(await namespace.logs(pod)).toContain("under load"));
    return witness;
  }

  report(): Promise<Report> {
    return this.ask("report");
  }

  async stop(): Promise<Report> {
    const report = await this.ask("stop");
    await this.namespace.kubectl("delete", "pod", this.pod, "--wait=false");
    return report;
  }

  private async ask(what: string): Promise<Report> {
    const script = `fetch("http://127.0.0.1:8080/${what}").then((r) => r.text()).then((t) => process.stdout.write(t))`;
    return JSON.parse(await this.namespace.kubectl("exec", this.pod, "--", "node", "-e", script)) as Report;
  }
}

/** kubectl reads manifests from files. */
export async function manifestFile(name: string, manifest: object): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), "shoal-manifest-")), `${name}.json`);
  await writeFile(file, JSON.stringify(manifest));
  return file;
}
