/**
 * The `nsc` tool, which makes operators, accounts and users: found by NSC, on PATH, or in Go's bin folders; each home is a folder of its
 * own, so that nobody's keys come in.
 */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { findTool } from "./nats-cli.ts";

const run = promisify(execFile);
const OUTPUT_BYTES_MAX = 16 << 20;
const OPERATOR = "ACME";

/** Undefined where the machine has none; says so, and throws where CI=true. */
export function findNsc(): string | undefined {
  return findTool("nsc", "NSC", "no nsc");
}

export class NscHome implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "shoal-nsc-"));
  private readonly kept = `${this.folder}.kept`;
  private readonly program: string;

  constructor(program: string) {
    this.program = program;
  }

  /** Resolves with all that it printed. `words`: separated by blanks. Rejects with what it printed where it failed. */
  async nsc(words: string, ...more: readonly string[]): Promise<string> {
    const { folder } = this;
    const env = {
      PATH: process.env["PATH"],
      HOME: folder,
      XDG_DATA_HOME: join(folder, "data"),
      XDG_CONFIG_HOME: join(folder, "config"),
      NSC_NO_GIT_IGNORE: "true",
      NO_COLOR: "1",
    };
    const options = { env, cwd: folder, maxBuffer: OUTPUT_BYTES_MAX };
    const { stdout, stderr } = await run(this.program, [...words.split(" "), ...more], options);
    return stdout + stderr;
  }

  /** Each line by itself. */
  async each(lines: readonly string[]): Promise<void> {
    for (const line of lines) await this.nsc(line);
  }

  /** An operator with a system account and its user. */
  async makeOperator(): Promise<void> {
    await this.nsc(`add operator --generate-signing-key --sys --name ${OPERATOR}`);
  }

  async keyOf(account: string): Promise<string> {
    return (JSON.parse(await this.nsc(`describe account ${account} --json`)) as { sub: string }).sub;
  }

  /** The file with a user's token and seed, which `nsc` has written. */
  credentials(account: string, user: string): string {
    return join(this.folder, "data/nats/nsc/keys/creds", OPERATOR, account, `${user}.creds`);
  }

  /** A configuration that `nsc` generates, with the directory of its resolver at a place of its own. */
  async serverConfig(kind: "--mem-resolver" | "--nats-resolver", directory: string): Promise<string> {
    const file = join(this.folder, `${kind}.conf`);
    await this.nsc(`generate config ${kind} --force --config-file`, file);
    mkdirSync(directory, { recursive: true });
    return readFileSync(file, "utf8")
      .replace("dir: './jwt'", `dir: ${JSON.stringify(directory)}`)
      .replace("allow_delete: false", "allow_delete: true");
  }

  /** Remembers the folder as it is now for `restore`, which may be called several times. */
  keep(): void {
    cpSync(this.folder, this.kept, { recursive: true });
  }

  restore(): void {
    rmSync(this.folder, { recursive: true, force: true });
    cpSync(this.kept, this.folder, { recursive: true });
  }

  [Symbol.dispose](): void {
    for (const folder of [this.folder, this.kept]) rmSync(folder, { recursive: true, force: true });
  }
}
