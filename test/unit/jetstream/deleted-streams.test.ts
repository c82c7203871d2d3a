/** A stream that is deleted is gone at once; its files go in the background, and what a kill leaves of them goes at the next start. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.ts";
import { NodeDisk } from "../../../src/store/node-disk.ts";
import { FaultyDisk } from "../../support/faulty-disk.ts";
import { JetStreamStack } from "../../support/jetstream-stack.ts";

const STREAM = { name: "S", subjects: ["s.>"], storage: "file" };

it("is made again under its name at once, and stays gone whenever the server is killed", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const disk = new FaultyDisk(seededRandom(seed), seed % 2 === 0 ? "at once" : "when asked");
    const stack = new JetStreamStack({ disk, policy: "lazy" });
    stack.request("STREAM.CREATE.S", STREAM);
    for (let i = 0; i < 20; i++) stack.publish("s.a", `first ${i}`);
    expect(stack.request("STREAM.DELETE.S")).toMatchObject({ success: true });
    if (seed % 3 === 0) {
      stack.request("STREAM.CREATE.S", STREAM);
      stack.publish("s.a", "second");
    }
    stack.crash(() => disk.kill());
    const found = stack.assets.streams.get("S")?.stream.store;
    expect(found?.messages).toBe(seed % 3 === 0 ? 1 : undefined);
    expect(found?.read(1)?.payload.toString()).toBe(seed % 3 === 0 ? "second" : undefined);
    expect(stack.assets.putAside).toEqual([]);
    for (const sync of disk.syncs.splice(0)) sync();
    expect(disk.names("/js/A/deleted")).toEqual([]);
    stack.stop();
  }
});

it("leaves nothing on a real disk", async () => {
  const folder = mkdtempSync(join(tmpdir(), "shoal-deleted-"));
  try {
    const disk = new NodeDisk();
    const stack = new JetStreamStack({ disk, folder, policy: "lazy" });
    stack.request("STREAM.CREATE.S", STREAM);
    stack.publish("s.a", "x");
    let ended = 0;
    const discard = disk.discardFolder.bind(disk);
    disk.discardFolder = (path, to, done) =>
      discard(path, to, () => {
        ended++;
        done();
      });
    stack.request("STREAM.DELETE.S");
    expect(readdirSync(`${folder}/A/streams`)).toEqual([]);
    await expect.poll(() => ended, { timeout: 60_000 }).toBe(1);
    expect(readdirSync(`${folder}/A/deleted`)).toEqual([]);
    stack.stop();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
