/** The Docker engine of this machine, through its command. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const PROJECT_ROOT = join(import.meta.dirname, "../..");

/** Runs `docker ARGS` and gives what it printed. Rejects with its messages. */
export async function docker(...args: readonly string[]): Promise<string> {
  const { stdout } = await run("docker", [...args], { cwd: PROJECT_ROOT, maxBuffer: 64 << 20 });
  return stdout.trim();
}

/** Builds the image of a folder and gives its id. npm and apt inside use the network of the host. */
export async function buildImage(
  tag: string,
  more: readonly string[] = [],
  folder = PROJECT_ROOT,
): Promise<string> {
  const text = await readFile(join(folder, "Dockerfile"), "utf8");
  const bases = [...text.matchAll(/^ARG (\w+_IMAGE)=(\S+@sha256:\w+)$/gm)];
  const args = await Promise.all(
    bases.map(async ([, name, pinned]) => ["--build-arg", `${name}=${await available(pinned!)}`]),
  );
  return docker("build", "--quiet", "--network", "host", "--tag", tag, ...args.flat(), ...more, folder);
}

/**
 * The image that is named by tag and digest, where the engine has it or can fetch it; else the one that it has under the tag, such
 * as a stand-in on a machine that reaches no registry.
 */
export async function available(pinned: string): Promise<string> {
  const [tag] = pinned.split("@") as [string];
  const has = (name: string): Promise<boolean> =>
    docker("image", "inspect", name).then(
      () => true,
      () => false,
    );
  if (await has(pinned)) return pinned;
  try {
    await docker("pull", "--quiet", pinned);
    return pinned;
  } catch (error) {
    if (!(await has(tag))) throw error;
    process.stderr.write(`${pinned} cannot be fetched: what this machine has as ${tag} is used\n`);
    return tag;
  }
}

/** What a cluster that enforces the restricted level allows. */
export const RESTRICTED = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"] as const;

export class Container implements AsyncDisposable {
  readonly id: string;

  private constructor(id: string) {
    this.id = id;
  }

  static async start(...args: readonly string[]): Promise<Container> {
    return new Container(await docker("run", "--detach", ...args));
  }

  async inspect<T>(path: string): Promise<T> {
    return JSON.parse(await docker("inspect", "--format", `{{json ${path}}}`, this.id)) as T;
  }

  async address(): Promise<string> {
    const networks = await this.inspect<Record<string, { IPAddress: string }>>(".NetworkSettings.Networks");
    return Object.values(networks)[0]!.IPAddress;
  }

  /** Runs a script in the container's Node and gives what it printed. */
  node(script: string): Promise<string> {
    return docker("exec", this.id, "/nodejs/bin/node", "--input-type=commonjs", "-e", script);
  }

  logs(): Promise<string> {
    return docker("logs", this.id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await docker("rm", "--force", "--volumes", this.id);
  }
}
