/**
 * The thread that a fuzz target runs in. Each input is put into shared memory before the target gets it, so that the
 * main thread can save the input that hangs the target or takes its memory.
 */
import { readFileSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { seededRandom } from "../../src/base/random.ts";
import { Mutator } from "./mutator.ts";

export interface FuzzTarget {
  /** Throws or rejects on a broken promise of the code under test. Keeps no reference to `bytes`. */
  fuzz(bytes: Uint8Array): void | Promise<void>;
  /** Words that the input language is made of. */
  readonly dictionary?: readonly (string | Uint8Array)[];
}

export interface FuzzTask {
  readonly module: string;
  readonly seedFiles: readonly string[];
  readonly seed: number;
  readonly inputs: number;
  readonly deadlineMs: number;
  readonly shared: SharedArrayBuffer;
}

/** The shared memory: inputs begun, length of the current one, then its bytes. */
export const LENGTH_MAX = 8192;
export const SHARED_SIZE = 8 + LENGTH_MAX;

export type FuzzReport =
  | { readonly kind: "done"; readonly inputs: number }
  /** The current input did it. */
  | { readonly kind: "failed"; readonly error: string }
  /** All inputs together did it. */
  | { readonly kind: "grew"; readonly rssBytes: number };

const DEADLINE_EVERY = 256;

async function run(task: FuzzTask): Promise<FuzzReport> {
  const target = (await import(task.module)) as FuzzTarget;
  const counters = new Int32Array(task.shared, 0, 2);
  const current = new Uint8Array(task.shared, 8);
  const seeds = task.seedFiles.map((file) => new Uint8Array(readFileSync(file)));
  const words = (target.dictionary ?? []).map((word) =>
    typeof word === "string" ? Buffer.from(word) : word,
  );
  const mutator = new Mutator(seededRandom(task.seed), seeds, words, LENGTH_MAX);
  let done = 0;
  try {
    for (; done < task.inputs; done++) {
      if (done % DEADLINE_EVERY === 0) {
        if (Date.now() > task.deadlineMs) break;
        await new Promise((resolve) => setImmediate(resolve)); // what targets leave to the event loop
      }
      const input = seeds[done]?.subarray(0, LENGTH_MAX) ?? mutator.next();
      current.set(input);
      Atomics.store(counters, 1, input.length);
      Atomics.store(counters, 0, (done + 1) | 0);
      const underWay = target.fuzz(input);
      if (underWay !== undefined) await underWay;
    }
  } catch (error) {
    return { kind: "failed", error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  return { kind: "done", inputs: done };
}

if (parentPort !== null) parentPort.postMessage(await run(workerData as FuzzTask));
