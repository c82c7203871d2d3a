/** The program with a store that is encrypted: with another key, or without one, it does not start, says so, and touches nothing. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { expect, it, onTestFinished } from "vitest";
import { bothServers } from "../support/both-servers.ts";
import { freePort } from "../support/free-port.ts";
import { startServer } from "../support/nats-server.ts";
import { PATIENT } from "../support/patience.ts";

const SHOAL = bothServers[0]!.command;

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), "shoal-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const configOf = (storeDir: string, key: string): string =>
  `jetstream { store_dir: ${JSON.stringify(storeDir)}, ${key === "" ? "" : `key: ${key}`} }`;

/** Each file with its content, but for those of the lock. */
function filesBelow(folder: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" }).toSorted()) {
    const path = join(folder, name);
    if (!name.includes("jetstream.lock") && statSync(path).isFile())
      found[name] = readFileSync(path, "latin1");
  }
  return found;
}

/** What it says when it does not start, and how it ends. */
async function refusalOf(storeDir: string, key: string): Promise<{ code: unknown; said: string }> {
  const file = join(scratch(), "server.conf");
  writeFileSync(file, `listen: "127.0.0.1:${await freePort()}"\n${configOf(storeDir, key)}\n`);
  const child = spawn(SHOAL, ["-c", file], { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const [code] = (await once(child, "close")) as [unknown];
  return { code, said };
}

it("starts with the right key alone", { timeout: 120_000 }, async () => {
  const storeDir = scratch();
  const use = async (act: (client: Awaited<ReturnType<typeof connect>>) => Promise<void>): Promise<void> => {
    const server = await startServer(SHOAL, configOf(storeDir, "right"));
    const client = await connect({ servers: `127.0.0.1:${server.port}` });
    await act(client);
    await client.close();
    await server.stop();
  };
  await use(async (client) => {
    await (await jetstreamManager(client, PATIENT)).streams.add({ name: "S", subjects: ["s"] });
    await jetstream(client, PATIENT).publish("s", "secret");
  });
  const before = filesBelow(storeDir);
  const wrong = await refusalOf(storeDir, "wrong");
  expect(wrong.said).toContain("unable to recover keys");
  expect(wrong.code).toBe(1);
  const none = await refusalOf(storeDir, "");
  expect(none.said).toContain("encryption not enabled");
  expect(none.code).toBe(1);
  expect(filesBelow(storeDir)).toEqual(before);
  await use(async (client) => {
    const manager = await jetstreamManager(client, PATIENT);
    expect((await manager.streams.getMessage("S", { seq: 1 }))?.string()).toBe("secret");
  });
});
