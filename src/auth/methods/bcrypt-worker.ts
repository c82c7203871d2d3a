/**
 * Compares passwords with bcrypt hashes in a thread of its own, one after the other. This file is both sides: the thread runs it
 * again, so that it is found in the bundle as well. bcryptjs, since it is JavaScript alone and without
 * dependencies: it runs wherever the bundle runs, at some 30 % more time than native ones by its own account.
 */
import { compareSync } from "bcryptjs";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

export interface Comparison {
  readonly password: string;
  readonly hash: string;
}

const ROLE = "shoal: bcrypt";

/** Answers each `Comparison` with a boolean, in order. Does not keep the process alive. */
export function startBcryptWorker(): Worker {
  const worker = new Worker(new URL(import.meta.url), { workerData: ROLE });
  worker.unref();
  return worker;
}

if (!isMainThread && workerData === ROLE) {
  parentPort!.on("message", ({ password, hash }: Comparison) => {
    parentPort!.postMessage(isEqual(password, hash));
  });
}

function isEqual(password: string, hash: string): boolean {
  try {
    // $2x$ marks hashes of another program's mistake; nats-server takes them as any other.
    return compareSync(password, hash.replace(/^\$2x/, "$2b"));
  } catch {
    return false; // no hash at all behind its first letters: nothing equals it
  }
}
