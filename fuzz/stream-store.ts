/**
 * Damages the files of a stream and of a consumer, and opens them again. The first two bytes say which story was written and what may
 * happen to its files, the rest are wounds (see `support/damage.ts`).
 */
import { assert } from "../src/base/assert.ts";
import { randomInt, seededRandom } from "../src/base/random.ts";
import { ConsumerState } from "../src/jetstream/consumer/state.ts";
import { ConsumerLog } from "../src/store/consumer-log.ts";
import type { Disk } from "../src/store/disk.ts";
import { MemoryDisk } from "../src/store/memory-disk.ts";
import { findRecord, MESSAGE, RecordView } from "../src/store/record.ts";
import { StreamStore } from "../src/store/stream-store.ts";
import { sealed } from "../test/support/sealed.ts";
import { diskOf, filesBelow, wounded } from "./support/damage.ts";

const STORIES = 11;
/** Of these stories, the last ones are encrypted. */
const PLAIN_STORIES = 8;
const FOLDER = "/js/A/streams/S/msgs";
const KEY = "/js/A/streams/S/key";
const CONSUMER = "/c";
const SUBJECTS = ["a", "b.c", "b.d"];

type Files = Map<string, Buffer>;

interface Story {
  /** The key of the stream; null: its files are in the clear. */
  readonly key: Uint8Array | null;
  readonly files: Files;
  /** The same at an earlier time. */
  readonly older: Files;
  /** By sequence, all that were ever written. */
  readonly bodies: ReadonlyMap<number, string>;
  readonly removed: ReadonlySet<number>;
  readonly last: number;
}

const stories = Array.from({ length: STORIES }, (_, i) => written(i + 1));
const consumers = (["none", "all", "explicit"] as const).flatMap((policy) => [
  consumed(policy, 1),
  consumed(policy, 2),
]);

export function fuzz(bytes: Uint8Array): void {
  const [which = 0, how = 0] = bytes;
  const isEncrypted = (how & 2) === 0 && which % STORIES >= PLAIN_STORIES;
  // what else can be done to an encrypted file is as good as damage, too, but sound checksums say nothing there
  const kinds = (how & 1) === 0 || isEncrypted ? "in place" : "all";
  const wounds = bytes.subarray(2);
  const isScrubbed = (how & 4) !== 0;
  if ((how & 2) === 0) fuzzStream(stories[which % STORIES]!, wounds, { kinds, isScrubbed });
  else fuzzConsumer(consumers[which % consumers.length]!, wounds, kinds);
}

// ---- a stream ----

function open(disk: Disk): StreamStore {
  return new StreamStore({ disk, folder: FOLDER, firstSequence: 1, blockBytes: 1200 });
}

function written(seed: number): Story {
  const random = seededRandom(seed);
  const disk = new MemoryDisk();
  const isEncrypted = seed > PLAIN_STORIES;
  const store = open(isEncrypted ? sealed(disk, "/js") : disk);
  const bodies = new Map<number, string>();
  const removed = new Set<number>();
  let older: Files = new Map();
  const gone = (sequence: number): void => void removed.add(sequence);
  for (let i = 0; i < 60; i++) {
    const body = `body ${i} `.repeat(1 + randomInt(random, i % 9 === 0 ? 60 : 6));
    const subject = SUBJECTS[randomInt(random, SUBJECTS.length)]!;
    const sequence = store.append({ subject, headerLength: 0, body: Buffer.from(body), timeNs: BigInt(i) });
    bodies.set(sequence, `${subject} ${body}`);
    const dice = seed === 1 ? 1 : random.next();
    const some = 1 + randomInt(random, store.last);
    if (dice < 0.15 && store.remove(some)) gone(some);
    else if (dice < 0.2 && store.erase(some)) gone(some);
    else if (dice < 0.22) gone(store.skip());
    else if (dice < 0.24) {
      const below = store.first + randomInt(random, 6);
      store.compact(below);
      for (let at = 1; at < below; at++) gone(at);
    } else if (dice < 0.3) {
      store.flush();
      for (let left = randomInt(random, 6); left >= 0; left--) store.clean();
    }
    if (i === 40) {
      store.flush();
      older = filesBelow(disk, FOLDER);
    }
  }
  store.flush();
  const key = isEncrypted ? disk.read(KEY) : null;
  return { key, files: filesBelow(disk, FOLDER), older, bodies, removed, last: store.last };
}

interface Treatment {
  readonly kinds: "in place" | "all";
  readonly isScrubbed: boolean;
}

function fuzzStream(story: Story, wounds: Uint8Array, { kinds, isScrubbed }: Treatment): void {
  const files = wounded(story.files, story.older, wounds, kinds);
  const intact = intactIn(files);
  const bare = diskOf(files);
  if (story.key !== null) bare.replace(KEY, story.key);
  const disk = story.key === null ? bare : sealed(bare, "/js");
  const store = open(disk);
  for (const sequence of intact) {
    assert(sequence <= store.last, `last is ${store.last}, below the intact record of ${sequence}`);
    const isExpected = kinds === "in place" && !story.removed.has(sequence);
    assert(!isExpected || store.has(sequence), `the intact message ${sequence} is not served`);
  }
  if (isScrubbed) scrub(store);
  const served = servedBy(store, story.bodies);
  if (kinds === "in place") checkMissing(store, story, served);
  const sequence = store.append({ subject: "n", headerLength: 0, body: Buffer.from("new"), timeNs: 99n });
  for (const each of intact) assert(each < sequence, "a new message has a new sequence");
  assert(!store.lost.has(sequence), "a new message has no sequence that is known missing");
  const bodies = new Map(story.bodies).set(sequence, "n new");
  for (let i = 0; i < 12; i++) store.clean();
  store.syncNow();
  store.close();
  served.add(sequence);
  const again = open(disk);
  assert(again.last === store.last, "the last sequence is the same after a restart");
  if (kinds === "in place") assert(again.lost.count <= store.lost.count, "nothing is lost by a restart");
  const servedAgain = servedBy(again, bodies);
  for (const each of served) assert(servedAgain.has(each), `message ${each} is gone after a restart`);
  // Where pieces of files lie in other files, what was taken for missing may be found after all.
  const mayBeFound = (each: number): boolean => kinds === "all" && !story.removed.has(each);
  for (const each of servedAgain)
    assert(served.has(each) || mayBeFound(each), `message ${each} came back by a restart`);
}

/** Afterwards all that is not known missing can be read. */
function scrub(store: StreamStore): void {
  for (const bytes of store.scrub(() => undefined)) assert(bytes >= 0, "a slice has bytes");
  const { count } = store.lost;
  for (let at = store.next(1, null); at !== 0; at = store.next(at + 1, null)) store.read(at);
  assert(store.lost.count === count, "the scrub finds all that is damaged");
}

/** Each message that was not removed is served, or known missing, or cut off behind all that is intact. */
function checkMissing(store: StreamStore, story: Story, served: ReadonlySet<number>): void {
  for (const sequence of story.bodies.keys()) {
    if (story.removed.has(sequence) || served.has(sequence) || sequence > store.last) continue;
    assert(store.lost.has(sequence), `message ${sequence} is missing and not known to be`);
  }
}

/** Sequences of the records of messages that are sound. */
function intactIn(files: Files): number[] {
  const found: number[] = [];
  const view = new RecordView();
  for (const content of files.values()) {
    for (let at = findRecord(view, content, 0, content.length); at < content.length;) {
      if (view.kind === MESSAGE) found.push(view.sequence);
      at = findRecord(view, content, at + view.length, content.length);
    }
  }
  return found;
}

/** Every message that can be read is what was written. */
function servedBy(store: StreamStore, bodies: ReadonlyMap<number, string>): Set<number> {
  const served = new Set<number>();
  for (let at = store.next(1, null); at !== 0; at = store.next(at + 1, null)) {
    const view = store.read(at);
    if (view === null) continue;
    const { subject, body } = view;
    assert(`${subject} ${body.toString()}` === bodies.get(at), `message ${at} is another one`);
    served.add(at);
  }
  assert(served.size === store.messages, "messages are counted");
  assert(store.first <= store.last + 1, "first is last + 1 at most");
  for (const at of served) assert(at >= store.first && at <= store.last, "messages lie within the bounds");
  return served;
}

// ---- a consumer ----

type Policy = "none" | "all" | "explicit";

interface ConsumerStory {
  readonly policy: Policy;
  readonly files: Files;
  readonly older: Files;
  /** Every state that there was, as JSON. */
  readonly states: ReadonlySet<string>;
  readonly last: number;
}

function openConsumer(disk: Disk, policy: Policy) {
  const state = new ConsumerState(policy, 1, 0);
  const log = new ConsumerLog({ disk, folder: CONSUMER, snapshot: () => state.toJson() });
  const isSound = log.recover(
    (json) => state.restore(json),
    (entry) => state.apply(entry),
  );
  return { state, log, isSound };
}

function consumed(policy: Policy, seed: number): ConsumerStory {
  const random = seededRandom(seed);
  const disk = new MemoryDisk();
  const { state, log } = openConsumer(disk, policy);
  const states = new Set<string>([state.toJson()]);
  let older: Files = new Map();
  for (let i = 0; i < 60; i++) {
    const entry = nextEntry(state, random.next(), randomInt(random, 10), i);
    log.append(entry);
    state.apply(entry);
    states.add(state.toJson());
    if (i % 20 !== 19) continue;
    log.flush();
    older = filesBelow(disk, CONSUMER);
    if (seed === 1 || i < 50) log.fold();
  }
  log.flush();
  return { policy, files: filesBelow(disk, CONSUMER), older, states, last: state.delivered.stream };
}

function nextEntry(state: ConsumerState, dice: number, pick: number, timeMs: number) {
  const { delivered, pending } = state;
  const some = [...pending.keys()][pick % Math.max(1, pending.size)] ?? 0;
  if (dice < 0.5 || some === 0)
    return ConsumerState.delivery(delivered.stream + 1, delivered.consumer + 1, 1, timeMs);
  if (dice < 0.6) return ConsumerState.skip(delivered.stream + 1, timeMs);
  if (dice < 0.7)
    return ConsumerState.delivery(some, delivered.consumer + 1, pending.get(some)!.count + 1, timeMs);
  if (dice < 0.75) return ConsumerState.later(some, timeMs);
  return dice < 0.8 ? ConsumerState.giveUp(some, timeMs) : ConsumerState.ack(some, timeMs);
}

function fuzzConsumer(story: ConsumerStory, wounds: Uint8Array, kinds: "in place" | "all"): void {
  const disk = diskOf(wounded(story.files, story.older, wounds, kinds));
  const { state, log, isSound } = openConsumer(disk, story.policy);
  checkState(state);
  if (isSound && kinds === "in place") assert(story.states.has(state.toJson()), "the state is one that was");
  state.clamp(Math.max(0, story.last - (wounds[0] ?? 0)));
  checkState(state);
  log.fold();
  for (let i = 0; i < 6; i++) {
    const entry = nextEntry(state, (wounds[i] ?? 0) / 256, i, 99);
    log.append(entry);
    state.apply(entry);
    checkState(state);
  }
  log.flush();
  log.close();
  const again = openConsumer(disk, story.policy);
  assert(again.isSound, "a snapshot that was written again is sound");
  assert(again.state.toJson() === state.toJson(), "the state is the same after a restart");
}

function checkState({ floor, delivered, pending }: ConsumerState): void {
  assert(floor.stream <= delivered.stream, "the floor does not pass what was delivered");
  assert(floor.consumer <= delivered.consumer, "the floor does not pass what was delivered");
  for (const sequence of pending.keys()) {
    assert(sequence > floor.stream, "what is pending lies above the floor");
    assert(sequence <= delivered.stream, "what is pending was delivered");
  }
  assert(pending.redeliveredCount <= pending.size, "what was delivered again is pending");
}
