/** A server that is killed again and again while a start encrypts everything with a new key: no message is lost, and the old key is needed no more. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { expect, it, onTestFinished } from "vitest";
import { freePort } from "../support/free-port.ts";
import { startServer } from "../support/nats-server.ts";
import { PATIENT } from "../support/patience.ts";

const MESSAGES = 600;
const BODY = "x".repeat(32 * 1024);
const KILLS = 4;
const binary = join(import.meta.dirname, "../../bin/shoal");

it("keeps all messages whenever it is killed while the key changes", async () => {
  const folder = mkdtempSync(join(tmpdir(), "shoal-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const configOf = (keys: string): string =>
    `jetstream { store_dir: ${JSON.stringify(join(folder, "js"))}, ${keys} }`;
  const both = configOf('encryption_key: "two", prev_encryption_key: "one"');
  const first = await startServer(binary, configOf('encryption_key: "one"'));
  onTestFinished(() => first.stop());
  const client = await connect({ servers: `127.0.0.1:${first.port}`, reconnect: false });
  await (await jetstreamManager(client, PATIENT)).streams.add({ name: "S", subjects: ["s"] });
  const js = jetstream(client, PATIENT);
  for (let i = 0; i < MESSAGES; i++) await js.publish("s", `${i} ${BODY}`);
  await first.stop();
  await client.closed();

  const messages = join(folder, "js", "jetstream", "%24G", "streams", "S", "msgs");
  const blocks = (): string[] => readdirSync(messages).filter((name) => name.endsWith(".blk"));
  const inode = (name: string): number => statSync(join(messages, name)).ino;
  const before = new Map(blocks().map((name) => [name, inode(name)]));
  expect(before.size).toBeGreaterThan(3);
  for (let kill = 1; kill <= KILLS; kill++)
    await killOnce(
      folder,
      both,
      () => blocks().filter((name) => inode(name) !== before.get(name)).length >= kill,
    );

  await expectAll(both);
  await expectAll(configOf('encryption_key: "two"'));
}, 120_000);

/** Starts the server, and kills it when some more has been written, or when it serves. */
async function killOnce(folder: string, config: string, isDue: () => boolean): Promise<void> {
  const port = await freePort();
  const file = join(folder, "server.conf");
  writeFileSync(file, `listen: "127.0.0.1:${port}"\n${config}`);
  const child = spawn(binary, ["-c", file], { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (data: Buffer) => (said += data.toString()));
  const ended = once(child, "close");
  await expect.poll(() => isDue() || said.includes("ready"), { timeout: 60_000, interval: 2 }).toBe(true);
  child.kill("SIGKILL");
  await ended;
}

async function expectAll(config: string): Promise<void> {
  const server = await startServer(binary, config);
  onTestFinished(() => server.stop());
  const client = await connect({ servers: `127.0.0.1:${server.port}`, reconnect: false });
  const manager = await jetstreamManager(client, PATIENT);
  const { state } = await manager.streams.info("S");
  expect([state.messages, state.first_seq, state.last_seq, state.lost]).toEqual([
    MESSAGES,
    1,
    MESSAGES,
    undefined,
  ]);
  for (let seq = 1; seq <= MESSAGES; seq += 7)
    expect((await manager.streams.getMessage("S", { seq }))!.string().length).toBe(
      `${seq - 1} ${BODY}`.length,
    );
  await client.close();
  await server.stop();
}
