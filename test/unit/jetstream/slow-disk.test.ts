/** One who publishes alone gets a sync at once, unless the disk takes so long that everybody would wait. */
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../src/base/random.ts";
import { Commit, type Committed } from "../../../src/jetstream/stream/commit.ts";
import { MeteredDisk } from "../../../src/store/metered-disk.ts";
import { StreamStore } from "../../../src/store/stream-store.ts";
import { FaultyDisk } from "../../support/faulty-disk.ts";

function committing(isSlow: boolean): { end: () => string[]; confirmed: string[] } {
  const calls: string[] = [];
  const confirmed: string[] = [];
  const store: Committed = {
    isInMemory: false,
    isSlow,
    last: 1,
    written: 1,
    flush: () => void calls.push("flush"),
    sync: (done) => {
      calls.push("sync");
      done(null);
    },
    syncNow: () => void calls.push("sync at once"),
  };
  const commit = new Commit(store, "sync", {
    send: ({ reply }) => confirmed.push(reply),
    confirm: () => undefined,
    committed: null,
    failed: () => undefined,
  });
  commit.hold({ reply: "inbox", payload: "" });
  return {
    end: () => {
      commit.end();
      return calls;
    },
    confirmed,
  };
}

describe("a single answer", () => {
  it.each([
    [false, "sync at once"],
    [true, "sync"],
  ])("where the disk is slow: %s, waits for a %s", (isSlow, call) => {
    const { end, confirmed } = committing(isSlow);
    expect(end()).toEqual(["flush", call]);
    expect(confirmed).toEqual(["inbox"]);
  });
});

describe("a disk", () => {
  it("is slow while its syncs take long as a rule, and its stores know", () => {
    let nowMs = 0;
    let syncMs = 0.3;
    const bare = new FaultyDisk(seededRandom(1));
    const disk = new MeteredDisk(bare, () => (nowMs += syncMs));
    const store = new StreamStore({ disk, folder: "/s", firstSequence: 1 });
    const sync = (times: number): boolean => {
      for (let i = 0; i < times; i++) {
        store.append({ subject: "s", headerLength: 0, body: Buffer.alloc(1), timeNs: 1n });
        store.syncNow();
      }
      return store.isSlow;
    };
    expect(sync(20)).toBe(false);
    syncMs = 8;
    expect(sync(1)).toBe(false); // one of them says nothing
    expect(sync(20)).toBe(true);
    syncMs = 0.3;
    expect(sync(30)).toBe(false);
  });
});
