/** The Docker engine of this machine, through its command. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const PROJECT_ROOT = join(import.meta.dirname, "../..");

/** Runs `docker ARGS` and gives what it printed. Rejects with its messages. */
export async function docker(...args: readonly string[]): Promise<string> {
  const { stdout } = await run("docker", [...args], { cwd: PROJECT_ROOT, maxBuffer: 64 << 20 });
  return stdout.trim();
}

/** Builds the image and gives its id. npm and apt inside use the network of the host. */
export function buildImage(tag: string, ...more: readonly string[]): Promise<string> {
  return docker("build", "--quiet", "--network", "host", "--tag", tag, ...more, ".");
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
