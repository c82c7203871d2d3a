/** The rules of the journal, each as one fault of a disk. */
import assert from "node:assert/strict";
import { seededRandom } from "../../../src/base/random.ts";
import type { GroupLog } from "../../../src/raft/driver/group-log.ts";
import type { HardState } from "../../../src/raft/state.ts";
import { FileJournal } from "../../../src/store/journal/file-journal.ts";
import { FaultyDisk } from "../../support/faulty-disk.ts";

export type Rule = readonly [what: string, check: () => void];

const VOTE = "bbbbbbbb";
const hardOf = (term: number): HardState => ({ term, vote: VOTE, loss: "none" });
const FOLDER = "raft";
const PEERS = { size: 2, peers: ["aaaaaaaa", VOTE], domainExtension: 0 };

class Disks {
  readonly disk = new FaultyDisk(seededRandom(1), "when asked");

  open(segmentBytes = 1 << 20): FileJournal {
    return new FileJournal({
      disk: this.disk,
      folder: FOLDER,
      policy: "sync",
      segmentBytes,
      later: () => {},
    });
  }

  /** Stored, and durable. */
  commit(journal: FileJournal): void {
    let isDone = false;
    journal.commit(() => (isDone = true));
    assert.ok(!isDone, "nothing is durable before it is synced");
    for (const end of this.disk.syncs.splice(0)) end();
    assert.ok(isDone);
  }

  flip(offset: number): void {
    const [segment] = this.disk.names(FOLDER).filter((name) => name.endsWith(".raft"));
    this.disk.flipBit(
      () => `${FOLDER}/${segment!}`,
      () => offset,
    );
  }
}

function fill(log: GroupLog, from: number, to: number): void {
  for (let index = from; index <= to; index++) log.append({ index, term: 1, bytes: Buffer.alloc(96, index) });
}

/** Bytes of a record of `fill`: head, name, body. */
const RECORD_BYTES = 48 + 96 + 8;
const IN_THE_BODY = 100;

export const JOURNAL_RULES: readonly Rule[] = [
  [
    "has what was committed after a loss of power, and nothing that was cut",
    () => {
      const disks = new Disks();
      const journal = disks.open();
      const log = journal.open("g");
      log.save(hardOf(3));
      fill(log, 1, 9);
      log.cutAfter(5);
      disks.commit(journal);
      disks.disk.crash();
      const again = disks.open().open("g");
      assert.deepEqual([again.hard, again.lastIndex, again.isDamaged], [hardOf(3), 5, false]);
    },
  ],
  [
    "tells damage from a write that was torn off",
    () => {
      for (const offset of [RECORD_BYTES + IN_THE_BODY, RECORD_BYTES + 12]) {
        const disks = new Disks();
        const journal = disks.open();
        const log = journal.open("g");
        fill(log, 1, 5);
        disks.commit(journal);
        fill(log, 6, 6);
        disks.commit(journal);
        disks.flip(offset);
        const again = disks.open().open("g");
        assert.deepEqual([again.isDamaged, again.lastIndex], [true, 1]);
      }
    },
  ],
  [
    "knows by the count of its records that some of a group are missing",
    () => {
      const disks = new Disks();
      const journal = disks.open();
      const log = journal.open("g");
      fill(log, 1, 1);
      log.save(hardOf(1));
      fill(log, 2, 2);
      disks.commit(journal);
      fill(log, 3, 3);
      disks.commit(journal);
      // the head of the vote: nobody knows whose it was
      disks.flip(RECORD_BYTES + 16);
      const again = disks.open().open("g");
      assert.deepEqual([again.hard, again.isDamaged], [undefined, true]);
    },
  ],
  [
    "moves what counts before a segment goes",
    () => {
      const disks = new Disks();
      const journal = disks.open(4096);
      const kept = journal.open("kept");
      kept.save(hardOf(3));
      fill(kept, 1, 3);
      const busy = journal.open("busy");
      for (let index = 1; index <= 400; index++) {
        fill(busy, index, index);
        if (index % 10 === 0) busy.compact({ index, term: 1, peers: PEERS, data: Buffer.alloc(8) });
        if (index % 5 === 0) disks.commit(journal);
      }
      assert.ok(!disks.disk.names(FOLDER).includes("0000000001.raft"));
      const again = disks.open(4096).open("kept");
      assert.deepEqual([again.hard, again.lastIndex], [hardOf(3), 3]);
      assert.equal(again.read(1, 1 << 20).length, 3);
    },
  ],
];
