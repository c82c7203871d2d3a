/** A server that is killed again and again while a mirror and a stream with a source take messages: none is lost, and none comes twice. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jetstream, jetstreamManager, type JetStreamManager } from "@nats-io/jetstream";
import { expect, it } from "vitest";
import { waitFor } from "../support/cluster-wait.ts";
import { startKillable } from "../support/killable-server.ts";
import { PATIENT } from "../support/patience.ts";

const KILLS = Number(process.env["SHOAL_KILLS"] ?? 6);
const PER_ROUND = 300;

async function lastOf(manager: JetStreamManager, stream: string): Promise<number> {
  return (await manager.streams.info(stream)).state.last_seq;
}

async function bodiesOf(manager: JetStreamManager, stream: string, last: number): Promise<string[]> {
  const bodies: string[] = [];
  for (let seq = 1; seq <= last; seq++) {
    const message = await manager.streams.getMessage(stream, { seq });
    bodies.push(message!.string());
  }
  return bodies;
}

it(`takes every message once in ${KILLS} kills`, { timeout: 300_000 }, async () => {
  const storeDir = mkdtempSync(join(tmpdir(), "shoal-test-"));
  try {
    for (let round = 0; round < KILLS; round++) {
      const { client, kill } = await startKillable(storeDir);
      const manager = await jetstreamManager(client, PATIENT);
      if (round === 0) {
        await manager.streams.add({ name: "ORIGIN", subjects: ["s.*"] });
        await manager.streams.add({ name: "MIRROR", mirror: { name: "ORIGIN" } });
        await manager.streams.add({ name: "ALL", sources: [{ name: "ORIGIN" }] });
      }
      const before = await lastOf(manager, "ORIGIN");
      const publishing = Promise.allSettled(
        Array.from({ length: PER_ROUND }, (_, i) =>
          jetstream(client, PATIENT).publish(`s.${i % 7}`, `${round} ${i}`),
        ),
      );
      // somewhere in the middle of what is being taken
      const until = before + Math.floor((PER_ROUND * (round + 1)) / (KILLS + 1));
      await waitFor("the mirror to be on its way", async () => (await lastOf(manager, "MIRROR")) >= until);
      await kill();
      await publishing;
    }
    const { client, kill } = await startKillable(storeDir);
    const manager = await jetstreamManager(client, PATIENT);
    const last = await lastOf(manager, "ORIGIN");
    expect(last).toBeGreaterThan(KILLS);
    for (const stream of ["MIRROR", "ALL"])
      await waitFor(`${stream} to catch up`, async () => (await lastOf(manager, stream)) >= last);
    const origin = await bodiesOf(manager, "ORIGIN", last);
    expect(await bodiesOf(manager, "MIRROR", await lastOf(manager, "MIRROR"))).toEqual(origin);
    expect(await bodiesOf(manager, "ALL", await lastOf(manager, "ALL"))).toEqual(origin);
    await kill();
  } finally {
    rmSync(storeDir, { recursive: true, force: true });
  }
});
