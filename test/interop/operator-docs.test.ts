/** The commands of docs/operator-mode.md, played with the real `nsc` and `nats`, on shoal and on nats-server: they work to the letter. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { findNatsCli, NatsCommand } from "../support/nats-cli.ts";
import { startServer, type ServerProcess } from "../support/nats-server.ts";
import { findNsc, NscHome } from "../support/nsc.ts";

requireNatsServer();

const nsc = findNsc();
const nats = findNatsCli();
const page = readFileSync(new URL("../../docs/operator-mode.md", import.meta.url), "utf8");
/** Of each block that a shell plays, its lines. */
const blocks = [...page.matchAll(/```sh\n([^]*?)```/g)].map(([, text = ""]) => text.trim().split("\n"));
const blockWith = (beginning: string): readonly string[] => {
  const found = blocks.find((lines) => lines.some((line) => line.startsWith(beginning)));
  if (found === undefined) throw new Error(`no block of the page has a line "${beginning}…"`);
  return found;
};

/** The words of a line, as a shell reads them. */
function wordsOf(line: string): string[] {
  return (line.match(/"[^"]*"|'[^']*'|\S+/g) ?? []).map((word) => word.replace(/^(["'])(.*)\1$/, "$2"));
}

describe.skipIf(nsc === undefined || nats === undefined).each(bothServers)("$name", ({ command }) => {
  let home: NscHome;
  let server: ServerProcess | null = null;
  beforeAll(() => {
    home = new NscHome(nsc!);
  });
  afterAll(async () => {
    await server?.stop();
    home[Symbol.dispose]();
  });

  /** What differs here from a person's machine: the port, the folder of `nsc`, and where the server keeps files. */
  const here = (line: string): string =>
    line
      .replaceAll("127.0.0.1:4222", `127.0.0.1:${server?.port ?? 4222}`)
      .replaceAll("~/.local/share", join(home.folder, "data"));

  const play = async (line: string): Promise<string> => {
    const [program, ...words] = wordsOf(here(line));
    switch (program) {
      case "nsc":
        // It waits for answers of servers that it does not know, as long as it is told.
        return home.nsc(words[0]!, ...words.slice(1), ...(words[0] === "push" ? ["--timeout", "3"] : []));
      case "shoal": {
        await server?.stop();
        const config = readFileSync(join(home.folder, words[1]!), "utf8");
        const [directory, streams] = ["jwt", "js"].map((name) => join(home.folder, name));
        mkdirSync(directory!, { recursive: true });
        const kept = config.replace("dir: './jwt'", `dir: ${JSON.stringify(directory)}`);
        server = await startServer(command, `${kept}\njetstream { store_dir: ${JSON.stringify(streams)} }`);
        return "";
      }
      case "nats":
        return new NatsCommand(
          nats!,
          words.includes("--creds") && words[0] !== "context" ? `nats://127.0.0.1:${server!.port}` : null,
          words,
        ).done();
      case "sed":
        return execFileSync("bash", ["-c", here(line)], { cwd: home.folder, encoding: "utf8" });
      default:
        throw new Error(`nobody plays ${line}`);
    }
  };
  const playAll = async (lines: readonly string[]): Promise<ReadonlyMap<string, string>> => {
    const said = new Map<string, string>();
    for (const line of lines) said.set(line, await play(line));
    return said;
  };
  /** The account server's address is that of the server that starts behind it. */
  const addressed = async (): Promise<void> => {
    await play("nsc edit operator --account-jwt-server-url nats://127.0.0.1:4222");
  };

  it("begins with accounts in memory", async () => {
    const said = await playAll(blockWith("nsc add operator"));
    expect([...said.values()].at(-1)).toContain("Published");
  });

  it("goes on with a resolver that accounts are pushed to", async () => {
    const lines = blockWith("nsc push --all");
    await playAll(lines.slice(0, -1));
    await addressed();
    expect(await play(lines.at(-1)!)).toMatch(/orders/);
  });

  it("does everyday work", async () => {
    await playAll(blockWith("nsc add account billing"));
    const said = await playAll(blockWith("nats context save"));
    expect(said.get("nats account info")).toMatch(/User: ann \(U[A-Z2-7]{55}\)\s+Account: orders \(A/);
    expect(said.get("nats --context wes pub work.wes.one 1")).toContain("Published");
    expect(said.get("nats --context sys server report accounts")).toContain(await home.keyOf("SYS"));
    await playAll(blockWith("nsc revocations"));
    await expect(play("nats --context ann pub hello world")).rejects.toThrow(/Authorization/);
    expect(await play("nats --context wes pub work.wes.two 2")).toContain("Published");
    const bea = `nats --creds ~/.local/share/nats/nsc/keys/creds/ACME/billing/bea.creds pub hello world`;
    await expect(play(bea)).rejects.toThrow(/Authorization|no such file/);
  });

  it("prepares what Kubernetes needs", async () => {
    await playAll(blockWith("kubectl").filter((line) => /^(nsc (describe|generate)|sed)/.test(line)));
    const read = (name: string): string => readFileSync(join(home.folder, name), "utf8");
    expect(read("operator.jwt")).toMatch(/^eyJ|\neyJ/);
    expect(read("preload.conf")).toMatch(/^\s*A[A-Z2-7]{55}: eyJ\S+$/m);
  });
});
