/**
 * Compares passwords with bcrypt hashes in a thread of its own, one after the other. This file is both sides: the thread runs it
 * again, so that it is found in the bundle as well. It uses bcryptjs because that is plain JavaScript
 * without dependencies and runs wherever the bundle runs; by its own account it takes some 30 % more time than native modules.
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
    // $2x$ marks hashes made by a faulty program; nats-server treats them like any other.
    return compareSync(password, hash.replace(/^\$2x/, "$2b"));
  } catch {
    return false; // no hash at all behind its first letters: nothing equals it
  }
}
