/**
 * Damages the files of a journal of Raft groups, and opens it again. The first two bytes say which story was written and what may happen to
 * its files, the third how many of the wounds that follow (see `support/damage.ts`) come at once, and how many after the journal was used again.
 * A group that does not know of a loss has everything, and whatever a group has is what was written.
 */
import { assert } from "../src/base/assert.ts";
import { randomInt, seededRandom, type Random } from "../src/base/random.ts";
import type { GroupLog } from "../src/raft/driver/group-log.ts";
import type { HardState } from "../src/raft/state.ts";
import type { Disk } from "../src/store/disk.ts";
import { FileJournal } from "../src/store/journal/file-journal.ts";
import { MemoryDisk } from "../src/store/memory-disk.ts";
import { diskOf, filesBelow, wounded } from "./support/damage.ts";

const STORIES = 8;
const FOLDER = "/js/groups";
const MARK = `${FOLDER}/mark`;
const GROUPS = ["S-R3F-aaaaaaaa", "C-R3F-b", "_meta_"];
const PEERS = { size: 3, peers: ["aaaaaaaa", "bbbbbbbb", "cccccccc"], domainExtension: 0 };
const SEGMENT_BYTES = 1024;

type Files = Map<string, Buffer>;

/** What a group has, as text. */
interface Contents {
  readonly hard: string;
  readonly snapshot: string;
  readonly entries: readonly string[];
}

interface Story {
  readonly files: Files;
  /** The same at an earlier time. */
  readonly older: Files;
  /** By group. */
  readonly contents: ReadonlyMap<string, Contents>;
  /** Terms and votes, snapshots and entries of all groups that were ever written. */
  readonly written: ReadonlySet<string>;
}

const stories = Array.from({ length: STORIES }, (_, i) => written(i + 1));

export function fuzz(bytes: Uint8Array): void {
  const [which = 0, how = 0, first = 0] = bytes;
  const story = stories[which % STORIES]!;
  const kinds = (how & 1) === 0 ? "in place" : "all";
  const wounds = bytes.subarray(3);
  const later = 6 * (first % 8);
  const next = damaged(story, wounds.subarray(0, later), kinds);
  damaged(next, wounds.subarray(later), kinds);
}

/** Returns what there is after a while on the damaged disk. */
function damaged(story: Story, wounds: Uint8Array, kinds: "in place" | "all"): Story {
  const files = wounded(story.files, story.older, wounds, kinds);
  const disk = diskOf(files);
  const journal = open(disk);
  const logs = new Map(GROUPS.map((name) => [name, journal.open(name)]));
  // the mark says what was there: without it an end that is gone is taken for one that was never durable
  const tells = kinds === "in place" && files.get(MARK)!.equals(story.files.get(MARK)!);
  for (const [name, log] of logs) check(log, story, { name, tells });
  for (const log of logs.values()) goOn(log);
  commit(journal);
  const contents = new Map([...logs].map(([name, log]) => [name, contentsOf(log)]));
  const written = new Set(story.written);
  for (const [name, { hard, snapshot, entries }] of contents)
    for (const text of [hard, snapshot, ...entries]) written.add(`${name} ${text}`);
  journal.close();
  return { files: filesBelow(disk, FOLDER), older: files, contents, written };
}

function check(log: GroupLog, story: Story, { name, tells }: { name: string; tells: boolean }): void {
  const found = contentsOf(log);
  const { hard, snapshot, entries } = found;
  for (const text of [hard, snapshot, ...entries])
    assert(text === "" || story.written.has(`${name} ${text}`), "what is read is what was written");
  const knowsLoss = log.isDamaged || log.hard === undefined;
  if (!tells || knowsLoss) return;
  assert(isSame(found, story.contents.get(name)!), "a group that knows of no loss has everything");
}

/** As a member does that has lost something, or nothing. */
function goOn(log: GroupLog): void {
  const { hard, isDamaged, lastIndex } = log;
  const loss = hard === undefined ? "all" : isDamaged ? "log" : "none";
  log.save({ term: (hard?.term ?? 0) + 100, vote: "bbbbbbbb", loss });
  log.append({ index: lastIndex + 1, term: 1_000_000, bytes: Buffer.from("new") });
}

// ---- stories ----

function open(disk: Disk): FileJournal {
  return new FileJournal({
    disk,
    folder: FOLDER,
    policy: "sync",
    segmentBytes: SEGMENT_BYTES,
    later: () => undefined,
  });
}

function commit(journal: FileJournal): void {
  let isDone = false;
  journal.commit(() => (isDone = true));
  assert(isDone, "a disk in memory is in time");
}

function written(seed: number): Story {
  const random = seededRandom(seed);
  const disk = new MemoryDisk();
  const journal = open(disk);
  const all = new Set<string>();
  const logs = new Map(GROUPS.map((name) => [name, journal.open(name)]));
  for (const [name, log] of logs) save(log, { term: 1, vote: "aaaaaaaa", loss: "none" }, name, all);
  let older: Files = new Map();
  for (let i = 0; i < 60; i++) {
    const name = GROUPS[randomInt(random, GROUPS.length)]!;
    change(logs.get(name)!, random, name, all);
    if (randomInt(random, 3) === 0) commit(journal);
    if (i === 40) older = filesBelow(disk, FOLDER);
  }
  commit(journal);
  const contents = new Map([...logs].map(([name, log]) => [name, contentsOf(log)]));
  journal.close();
  return { files: filesBelow(disk, FOLDER), older, contents, written: all };
}

function change(log: GroupLog, random: Random, name: string, all: Set<string>): void {
  const { hard, lastIndex } = log;
  const start = log.snapshot?.index ?? 0;
  const term = hard?.term ?? 1;
  const dice = randomInt(random, 20);
  const data = Buffer.from(`state of ${name} `.repeat(1 + randomInt(random, 8)));
  if (dice < 2) save(log, { term: term + 1, vote: "bbbbbbbb", loss: "none" }, name, all);
  else if (dice < 3 && lastIndex > start) {
    // another leader puts other entries there
    log.cutAfter(start + randomInt(random, lastIndex - start));
    save(log, { term: term + 1, vote: "", loss: "none" }, name, all);
  } else if (dice < 5 && lastIndex > start + 1) {
    const index = start + 1 + randomInt(random, lastIndex - start);
    const at = log.read(index, 1)[0]!.term;
    log.compact({ index, term: at, peers: PEERS, data });
    all.add(`${name} ${snapshotText(index, at, data)}`);
  } else if (dice < 6) {
    const index = lastIndex + 5;
    log.install({ index, term, peers: PEERS, data });
    all.add(`${name} ${snapshotText(index, term, data)}`);
  } else {
    const index = lastIndex + 1;
    const bytes = Buffer.from(`${name} ${index} of ${term} `.repeat(1 + randomInt(random, 5)));
    log.append({ index, term, bytes });
    all.add(`${name} ${entryText(index, term, bytes)}`);
  }
}

function save(log: GroupLog, hard: HardState, name: string, all: Set<string>): void {
  log.save(hard);
  all.add(`${name} ${JSON.stringify(hard)}`);
}

// ---- what a group has ----

function entryText(index: number, term: number, bytes: Uint8Array): string {
  return `entry ${index} ${term} ${Buffer.from(bytes).toString("latin1")}`;
}

function snapshotText(index: number, term: number, data: Uint8Array): string {
  return `snapshot ${index} ${term} ${Buffer.from(data).toString("latin1")}`;
}

function contentsOf(log: GroupLog): Contents {
  const { hard, lastIndex } = log;
  const snapshot = log.readSnapshot();
  const start = log.snapshot?.index ?? 0;
  assert((snapshot === null) === (log.snapshot === undefined), "a snapshot that was found can be read");
  const entries = log.read(start + 1, Infinity);
  assert(entries.length === lastIndex - start, "all entries that were found can be read");
  entries.forEach(({ index }, i) => assert(index === start + 1 + i, "entries follow on each other"));
  return {
    hard: hard === undefined ? "" : JSON.stringify(hard),
    snapshot: snapshot === null ? "" : snapshotText(snapshot.index, snapshot.term, snapshot.data),
    entries: entries.map(({ index, term, bytes }) => entryText(index, term, bytes)),
  };
}

function isSame(a: Contents, b: Contents): boolean {
  return a.hard === b.hard && a.snapshot === b.snapshot && a.entries.join("\n") === b.entries.join("\n");
}
