/** Group commit over a store whose writes and syncs end when the test says so. */
import { describe, expect, it } from "vitest";
import {
  Commit,
  type CommitHost,
  type Committed,
  type SyncPolicy,
} from "../../../src/jetstream/stream/commit.ts";

class Store implements Committed {
  readonly isInMemory = false;
  readonly isSlow = true;
  last = 0;
  written = 0;
  readonly syncs: ((error: null) => void)[] = [];

  /** Writes are under way until `written` says otherwise. */
  flush(): void {}

  sync(done: (error: null) => void): void {
    this.syncs.push(done);
  }

  syncNow(): void {}
}

function commitOf(policy: SyncPolicy) {
  const store = new Store();
  const sent: string[] = [];
  const host: CommitHost = {
    committed: null,
    send: ({ reply }) => void sent.push(reply),
    confirm: () => {},
    failed: () => {},
  };
  const commit = new Commit(store, policy, host);
  const take = (reply: string): void => {
    store.last++;
    commit.hold({ reply, payload: "" });
  };
  return { store, commit, sent, take };
}

describe("answers of a lazy store", () => {
  it("leave once when they are written, though a sync that they waited for ends later", () => {
    const { store, commit, sent, take } = commitOf("lazy");
    take("a");
    take("b");
    commit.end();
    expect(store.syncs).toHaveLength(1);
    store.written = 2;
    commit.end();
    expect(sent).toEqual(["a", "b"]);
    take("c");
    store.syncs[0]!(null);
    expect(sent).toEqual(["a", "b"]);
    store.written = 3;
    commit.end();
    expect(sent).toEqual(["a", "b", "c"]);
  });
});

describe("answers of a durable store", () => {
  it("leave with the sync that began behind them, in their order", () => {
    const { store, commit, sent, take } = commitOf("sync");
    take("a");
    commit.end();
    take("b");
    store.written = 2;
    commit.end();
    expect(sent).toEqual([]);
    store.syncs[0]!(null);
    expect(sent).toEqual(["a"]);
    store.syncs[1]!(null);
    expect(sent).toEqual(["a", "b"]);
  });
});
