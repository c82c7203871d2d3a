/** A server that is killed again and again while clients publish and acknowledge: what was confirmed is there afterwards. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { expect, it } from "vitest";
import { waitFor } from "../support/cluster-wait.ts";
import { startKillable } from "../support/killable-server.ts";
import { PATIENT } from "../support/patience.ts";

const KILLS = Number(process.env["SHOAL_KILLS"] ?? 12);

it(`loses nothing that it has confirmed in ${KILLS} kills`, { timeout: 300_000 }, async () => {
  const storeDir = mkdtempSync(join(tmpdir(), "shoal-test-"));
  const confirmed = new Map<number, string>();
  const acknowledged = new Set<number>();
  try {
    for (let round = 0; round < KILLS; round++) {
      const { client, kill } = await startKillable(storeDir);
      const manager = await jetstreamManager(client, PATIENT);
      const js = jetstream(client, PATIENT);
      if (round === 0) {
        await manager.streams.add({ name: "S", subjects: ["s.*"] });
        await manager.consumers.add("S", {
          durable_name: "c",
          ack_policy: AckPolicy.Explicit,
          ack_wait: 30_000_000_000,
        });
      }
      const { state } = await manager.streams.info("S");
      expect(state.last_seq).toBeGreaterThanOrEqual(Math.max(0, ...confirmed.keys()));
      expect(state.lost).toBeUndefined();
      for (const sequence of [...confirmed.keys()].slice(-50)) {
        expect((await manager.streams.getMessage("S", { seq: sequence }))?.string()).toBe(
          confirmed.get(sequence),
        );
      }
      const until = confirmed.size + 40;
      const publishing = Array.from({ length: 8 }, async (_, publisher) => {
        for (let i = 0; ; i++) {
          const body = `${round} ${publisher} ${i}`;
          const { seq } = await js.publish(`s.${publisher}`, body);
          expect(confirmed.has(seq)).toBe(false);
          confirmed.set(seq, body);
        }
      });
      const consuming = (async () => {
        const messages = await (await js.consumers.get("S", "c")).consume();
        for await (const message of messages) {
          expect(acknowledged.has(message.seq)).toBe(false);
          if (await message.ackAck()) acknowledged.add(message.seq);
        }
      })();
      const all = Promise.allSettled([...publishing, consuming]);
      await waitFor("publishers to be told of their messages", () => confirmed.size >= until);
      await kill();
      await all;
    }
    const { client, kill } = await startKillable(storeDir);
    const manager = await jetstreamManager(client, PATIENT);
    for (const [sequence, body] of confirmed)
      expect((await manager.streams.getMessage("S", { seq: sequence }))?.string()).toBe(body);
    await kill();
    expect(acknowledged.size).toBeGreaterThan(KILLS);
  } finally {
    rmSync(storeDir, { recursive: true, force: true });
  }
});
