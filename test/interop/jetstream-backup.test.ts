/** Backups by the `nats` tool, from each server to each: the stream that comes back is the one that was saved. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jetstream } from "@nats-io/jetstream";
import { describe, expect, it, onTestFinished } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { withWrongChecksum } from "../support/damaged-archive.ts";
import { findNatsCli, NatsCommand } from "../support/nats-cli.ts";
import { PATIENT } from "../support/patience.ts";
import { contents, fill, start } from "./backed-up-stream.ts";

requireNatsServer();
const program = findNatsCli();

const pairs = bothServers.flatMap((from) => bothServers.map((to) => [from, to] as const));

describe.skipIf(program === undefined)("nats stream backup and restore", () => {
  it.each(pairs.map(([from, to]) => [from.name, to.name, from, to] as const))(
    "from %s to %s",
    async (_from, _to, from, to) => {
      const backup = mkdtempSync(join(tmpdir(), "shoal-test-"));
      onTestFinished(() => rmSync(backup, { recursive: true, force: true }));
      const [source, target] = [await start(from.command), await start(to.command)];
      await fill(source);
      const saved = await contents(source);
      const nats = (url: string, ...words: string[]) => new NatsCommand(program!, url, words).done();
      await nats(source.url, "stream", "backup", "S", join(backup, "S"), "--no-progress", "--consumers");
      await nats(target.url, "stream", "restore", join(backup, "S"), "--no-progress");
      expect(await contents(target)).toEqual(saved);
      const { seq } = await jetstream(target.client, PATIENT).publish("s.1", "next");
      expect(seq).toBe(301);
      await expect(nats(target.url, "stream", "restore", join(backup, "S"), "--no-progress")).rejects.toThrow(
        /in use|exist/,
      );
    },
  );

  it("refuses what is damaged, says why, leaves nothing behind, and takes the backup that is whole", async () => {
    const folder = mkdtempSync(join(tmpdir(), "shoal-test-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const { url, client, manager } = await start("bin/shoal");
    await fill({ url, client, manager });
    const backup = join(folder, "S");
    const nats = (...words: string[]) => new NatsCommand(program!, url, words).done();
    const restore = async (): Promise<unknown> => nats("stream", "restore", backup, "--no-progress");
    await nats("stream", "backup", "S", backup, "--no-progress", "--consumers");
    await manager.streams.delete("S");
    const file = join(
      backup,
      readdirSync(backup).find((name) => name.endsWith(".s2"))!,
    );
    const whole = readFileSync(file);
    const damaged = [
      ["cut off", whole.subarray(0, whole.length >> 1)],
      ["cut off", Buffer.alloc(0)],
      ["checksum is wrong", withWrongChecksum(whole)],
    ] as const;
    for (const [reason, content] of damaged) {
      writeFileSync(file, content);
      await expect(restore()).rejects.toThrow(reason);
      expect(await manager.streams.names().next()).toEqual([]);
    }
    writeFileSync(file, whole);
    await restore();
    expect((await manager.streams.info("S")).state.messages).toBe(293);
  });
});
