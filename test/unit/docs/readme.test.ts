/** What the README tells people to type works as it stands; only ports are changed, since others may have them. */
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { connect } from "@nats-io/transport-node";
import { describe, expect, it, onTestFinished } from "vitest";
import { loadConfig } from "../../../src/config/load.ts";

const root = join(import.meta.dirname, "../../..");
const readme = readFileSync(join(root, "README.md"), "utf8");
const run = promisify(execFile);

/** The code blocks of a language. */
function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\n([^]*?)^\`\`\`$`, "gm"))].map(
    ([, code]) => code!,
  );
}

const shellLines = blocks("sh").flatMap((block) => block.trim().split("\n"));
const shoalLines = shellLines.filter((line) => line.includes("bin/shoal"));

describe("the README", () => {
  it("names only flags that the help names", async () => {
    const { stdout: help } = await run(join(root, "bin/shoal"), ["--help"]);
    const known = new Set([...help.matchAll(/(?<=[\s,])--?([A-Za-z_]+)/g)].map(([, name]) => name));
    const used = [...readme.matchAll(/bin\/shoal[^`\n#]*/g)].flatMap(([line]) =>
      [...line.matchAll(/(?<=\s)--?([A-Za-z_]+)/g)].map(([, name]) => name),
    );
    expect(used).toContain("cluster_name");
    expect(used.filter((name) => !known.has(name))).toEqual([]);
  });

  it("has an example of the library that does what is said below it", async () => {
    const [code] = blocks("ts");
    const args = ["--conditions=shoal-source", "--input-type=module-typescript", "--eval", code!];
    const { stdout } = await run(process.execPath, args, { cwd: root });
    const said = /^It prints `(.+?)`/m.exec(readme)?.[1];
    expect(stdout).toBe(`${said}\n`);
  });

  it("has a configuration file that is valid, and the same in environment variables", () => {
    const folder = mkdtempSync(join(tmpdir(), "shoal readme-"));
    try {
      const file = join(folder, "seed.conf");
      writeFileSync(file, blocks("conf")[0]!);
      expect(loadConfig(["-c", file, "-t"], {}).kind).toBe("check-ok");
      const line = shoalLines.find((each) => each.startsWith("SHOAL__"))!;
      const env = Object.fromEntries(
        line
          .split(" ")
          .slice(0, -1)
          .map((word) => word.split("=")),
      ) as Record<string, string>;
      const [fromFile, fromEnv] = [loadConfig(["-c", file], {}), loadConfig([], env)];
      expect(fromEnv).toMatchObject({ kind: "run" });
      expect("config" in fromEnv && fromEnv.config).toEqual("config" in fromFile && fromFile.config);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("has three commands that make a cluster, over which messages go", async () => {
    const commands = shoalLines.filter((line) => line.includes("--cluster_name"));
    expect(commands).toHaveLength(3);
    const [ports, moved] = await movePorts(commands);
    const servers = moved.map((command) => startServer(command));
    // also when the test times out
    onTestFinished(() => Promise.all(servers.map(stop)).then(() => undefined));
    await Promise.all(servers.map(meshOfThree));
    const urls = [4222, 5222, 6222].map((port) => `nats://127.0.0.1:${ports.get(port)}`);
    const subscriber = await connect({ servers: urls[0]! });
    const heard = collect(subscriber.subscribe("hello", { max: 3 }));
    await subscriber.flush();
    // flushed at the seed, it may yet be on its way to the others: a request there is answered once it has arrived
    for (const [i, url] of urls.entries()) {
      const publisher = await connect({ servers: url });
      const probe = `probe.${i}`;
      subscriber.subscribe(probe, { callback: (_error, message) => void message.respond() });
      await expect.poll(() => answers(publisher, probe)).toBe(true);
      publisher.publish("hello", `world ${i}`);
      await publisher.drain();
    }
    expect((await heard).sort()).toEqual(["world 0", "world 1", "world 2"]);
    await subscriber.close();
  });
});

/** The commands with every port replaced by a free one, and what became of each port. */
async function movePorts(commands: readonly string[]): Promise<[Map<number, number>, string[]]> {
  const ports = new Map<number, number>();
  const wanted = new Set(commands.flatMap((line) => line.match(/\d{4}/g) ?? []).map(Number));
  const holders = await Promise.all([...wanted].map(() => holdPort()));
  for (const [i, port] of [...wanted].entries()) {
    const holder = holders[i]!;
    ports.set(port, (holder.address() as AddressInfo).port);
    holder.close();
    await once(holder, "close");
  }
  return [ports, commands.map((line) => line.replace(/\d{4}/g, (port) => String(ports.get(Number(port)))))];
}

async function holdPort(): Promise<ReturnType<typeof createServer>> {
  const holder = createServer().listen(0);
  await once(holder, "listening");
  return holder;
}

function startServer(command: string): ChildProcess {
  const [program, ...args] = command.split(/\s+/);
  return spawn(join(root, program!), args, { stdio: ["ignore", "ignore", "pipe"] });
}

async function meshOfThree(server: ChildProcess): Promise<void> {
  const lines: string[] = [];
  for await (const line of createInterface({ input: server.stderr! })) {
    lines.push(line);
    if (line.includes('"event":"mesh","connected":3,')) return void server.stderr!.resume();
  }
  throw new Error(`the server ended before its mesh was complete:\n${lines.join("\n")}`);
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exited = once(server, "close");
  server.kill();
  await exited;
}

async function collect(messages: AsyncIterable<{ string(): string }>): Promise<string[]> {
  const texts: string[] = [];
  for await (const message of messages) texts.push(message.string());
  return texts;
}

async function answers(client: Awaited<ReturnType<typeof connect>>, subject: string): Promise<boolean> {
  return client.request(subject, "", { timeout: 1000 }).then(
    () => true,
    () => false,
  );
}
