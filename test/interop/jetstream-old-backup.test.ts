/**
 * Backups in the form of nats-server 2.14: from a real one, and to it. Where there is none, saved ones are restored by
 * `test/unit/jetstream/backups.test.ts`.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jetstream } from "@nats-io/jetstream";
import { describe, expect, it, onTestFinished } from "vitest";
import { bothServers } from "../support/both-servers.ts";
import { withWrongChecksum } from "../support/damaged-archive.ts";
import { findNatsCli, NatsCommand } from "../support/nats-cli.ts";
import { findTarNatsServer } from "../support/nats-server-binary.ts";
import { PATIENT } from "../support/patience.ts";
import { contents, fill, start, type Started } from "./backed-up-stream.ts";

const SHOAL = bothServers[0]!.command;
const program = findNatsCli();
const old = findTarNatsServer();
const isThere = program !== undefined && old !== undefined;

it("is tried with a nats-server of before 2.15 where there is one", ({ skip }) => {
  if (old !== undefined) return;
  skip("no nats-server 2.14: name one by NATS_SERVER_214");
});

function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), "shoal-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function nats({ url }: Started, ...words: string[]): Promise<void> {
  await new NatsCommand(program!, url, ["stream", ...words, "--no-progress"]).done();
}

/** What limits take leaves no mark of its own in the files of nats-server 2.14. */
async function fillMore(server: Started): Promise<void> {
  await fill(server);
  const { client, manager } = server;
  const { config } = await manager.streams.info("S");
  const js = jetstream(client, PATIENT);
  await manager.streams.update("S", { ...config, max_msgs_per_subject: 40 });
  await manager.streams.deleteMessage("S", 60, true);
  for (let i = 1; i <= 20; i++) await js.publish(`s.${i % 7}`, `more ${i}`);
  await manager.streams.update("S", { ...config, max_msgs_per_subject: -1 });
}

const toOldForm = async ({ manager }: Started): Promise<void> => {
  const { config } = await manager.streams.info("S");
  await manager.streams.update("S", {
    ...config,
    metadata: { ...config.metadata, "shoal.backup": "2.14" },
  });
};

const dataIn = (folder: string): string => readdirSync(folder).find((name) => name.endsWith(".s2"))!;

describe.skipIf(!isThere)("backups of nats-server 2.14", () => {
  it("are restored here", async () => {
    const backup = join(scratch(), "S");
    const [source, target] = [await start(old!.path), await start(SHOAL)];
    await fillMore(source);
    const saved = await contents(source);
    await nats(source, "backup", "S", backup, "--consumers");
    expect(dataIn(backup)).toBe("stream.tar.s2");
    await nats(target, "restore", backup);
    expect(await contents(target)).toEqual(saved);
    expect((await jetstream(target.client, PATIENT).publish("s.1", "next")).seq).toBe(321);
    const [info, was] = [await target.manager.streams.info("S"), await source.manager.streams.info("S")];
    expect(info.created).toBe(was.created);
  });

  it("are refused when they are damaged, and leave nothing behind", async () => {
    const backup = join(scratch(), "S");
    const [source, target] = [await start(old!.path), await start(SHOAL)];
    await fill(source);
    await nats(source, "backup", "S", backup, "--consumers");
    const file = join(backup, dataIn(backup));
    const whole = readFileSync(file);
    for (const [reason, content] of [
      [/cut off|truncated/, whole.subarray(0, whole.length >> 1)],
      [/is damaged/, withWrongChecksum(whole)],
    ] as const) {
      writeFileSync(file, content);
      await expect(nats(target, "restore", backup)).rejects.toThrow(reason);
      expect(await target.manager.streams.names().next()).toEqual([]);
    }
    writeFileSync(file, whole);
    await nats(target, "restore", backup);
    expect(await contents(target)).toEqual(await contents(source));
  });

  it.each([
    ["nats-server 2.14", (): string => old!.path],
    ...bothServers.map(({ name, command }) => [name, (): string => command] as const),
  ] as const)("are made here, for %s to restore", async (_name, command) => {
    const backup = join(scratch(), "S");
    const [source, target] = [await start(SHOAL), await start(command())];
    await fillMore(source);
    await toOldForm(source);
    const saved = await contents(source);
    await nats(source, "backup", "S", backup, "--consumers");
    await nats(target, "restore", backup);
    expect(await contents(target)).toEqual(saved);
    expect((await jetstream(target.client, PATIENT).publish("s.1", "next")).seq).toBe(321);
  });

  it("hold an empty stream that has had messages", async () => {
    for (const [from, to] of [
      [old!.path, SHOAL],
      [SHOAL, old!.path],
    ] as const) {
      const backup = join(scratch(), "S");
      const [source, target] = [await start(from), await start(to)];
      await fill(source);
      if (from === SHOAL) await toOldForm(source);
      await source.manager.streams.purge("S");
      await nats(source, "backup", "S", backup, "--consumers");
      await nats(target, "restore", backup);
      const { state } = await target.manager.streams.info("S");
      expect([state.messages, state.first_seq, state.last_seq]).toEqual([0, 301, 300]);
    }
  });
});
