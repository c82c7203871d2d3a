/**
 * Compares passwords with bcrypt hashes off the event loop. Only a few comparisons run at a time; the others wait in lanes by client
 * address and user, which are served in turn, so that a flood of bad passwords makes others wait for one comparison and not
 * for the flood. Attempts whose client has left are skipped.
 *
 * Results are remembered by a keyed digest that is worthless outside this process: the right password of each hash, and recent wrong
 * ones. A returning client is admitted without waiting, and a client with a stale password costs nothing.
 */
import { assert } from "../../base/assert.ts";
import { createHmac, randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import type { Comparison } from "./bcrypt-worker.ts";
import { FairQueue } from "../../base/fair-queue.ts";

export type Comparing = "equal" | "different" | "too many waiting";

export interface PasswordCheck extends Comparison {
  /** Checks with the same lane wait for each other. */
  readonly lane: string;
  /** Whether the answer still matters. */
  isWanted(): boolean;
}

interface Job {
  readonly check: PasswordCheck;
  readonly digest: string;
  readonly resolve: (result: Comparing) => void;
}

/** A `Worker` as far as it is needed here: answers each comparison with a boolean message. */
interface Comparer {
  postMessage(comparison: Comparison): void;
  once(name: "message" | "error" | "exit", listener: (value: boolean) => void): unknown;
  off(name: "message" | "error" | "exit", listener: (value: boolean) => void): unknown;
  terminate(): Promise<number>;
}

type StartComparer = () => Promise<Comparer>;

const WAITING = { all: 1024, lane: 64 };
const REMEMBERED_MAX = 4096;
const WORKERS_MAX = 2;

export class PasswordChecker implements Disposable {
  /** Comparisons carried out. */
  compared = 0;
  /** Attempts refused since too many were waiting. */
  overflowed = 0;
  private readonly key = randomBytes(32);
  /** Right ones by hash; wrong ones, oldest first. */
  private readonly right = new Map<string, string>();
  private readonly wrong = new Set<string>();
  private readonly waiting = new FairQueue<Job>(WAITING);
  private readonly idle: Comparer[] = [];
  private readonly busy = new Map<Comparer, Job>();
  private workers = 0;
  private isClosed = false;
  private readonly startWorker: StartComparer;

  constructor(startWorker: StartComparer = startBcrypt) {
    this.startWorker = startWorker;
  }

  get waitingCount(): number {
    return this.waiting.length;
  }

  check(check: PasswordCheck): Comparing | Promise<Comparing> {
    const digest = createHmac("sha256", this.key).update(`${check.hash}\0${check.password}`).digest("hex");
    if (this.right.get(check.hash) === digest) return "equal";
    if (this.wrong.has(digest)) return "different";
    return new Promise((resolve) => {
      const displaced = this.waiting.push(check.lane, { check, digest, resolve });
      if (displaced !== null) {
        this.overflowed++;
        displaced.resolve("too many waiting");
      }
      this.work();
    });
  }

  [Symbol.dispose](): void {
    this.isClosed = true;
    for (const worker of [...this.idle, ...this.busy.keys()]) void worker.terminate();
    for (let job = this.waiting.shift(); job !== undefined; job = this.waiting.shift())
      job.resolve("different");
  }

  private work(): void {
    while (this.waiting.length > 0 && !this.isClosed) {
      const worker = this.idle.pop();
      if (worker === undefined) {
        this.startOneMore();
        return;
      }
      const job = this.nextWanted();
      if (job === null) this.idle.push(worker);
      else this.give(worker, job);
    }
  }

  private nextWanted(): Job | null {
    for (let job = this.waiting.shift(); job !== undefined; job = this.waiting.shift()) {
      if (job.check.isWanted()) return job;
      job.resolve("different"); // nobody listens
    }
    return null;
  }

  private startOneMore(): void {
    if (this.workers >= Math.min(WORKERS_MAX, Math.max(1, availableParallelism() - 1))) return;
    this.workers++;
    assert(this.workers <= WORKERS_MAX, "workers stay within their bound");
    void this.startWorker().then((worker) => {
      if (this.isClosed) {
        void worker.terminate();
        return;
      }
      this.idle.push(worker);
      this.work();
    });
  }

  private give(worker: Comparer, job: Job): void {
    assert(!this.busy.has(worker), "a worker has one job at a time");
    this.busy.set(worker, job);
    const { password, hash } = job.check;
    const onAnswer = (isEqual: boolean): void => {
      worker.off("error", onEnd);
      worker.off("exit", onEnd);
      this.busy.delete(worker);
      this.remember(job, isEqual);
      this.idle.push(worker);
      job.resolve(isEqual ? "equal" : "different");
      this.work();
    };
    const onEnd = (): void => {
      if (!this.busy.delete(worker)) return;
      worker.off("message", onAnswer);
      this.workers--;
      assert(this.workers >= 0, "a worker ends once");
      job.resolve("different");
      this.work();
    };
    worker.once("message", onAnswer);
    worker.once("error", onEnd);
    worker.once("exit", onEnd);
    worker.postMessage({ password, hash });
  }

  private remember({ check, digest }: Job, isEqual: boolean): void {
    this.compared++;
    if (isEqual) {
      this.right.delete(check.hash);
      this.right.set(check.hash, digest);
      forgetOldest(this.right);
    } else {
      this.wrong.add(digest);
      forgetOldest(this.wrong);
    }
  }
}

function forgetOldest(remembered: Map<string, string> | Set<string>): void {
  assert(remembered.size <= REMEMBERED_MAX + 1, "results are remembered one by one");
  if (remembered.size <= REMEMBERED_MAX) return;
  for (const oldest of remembered.keys()) {
    remembered.delete(oldest);
    return;
  }
}

async function startBcrypt(): Promise<Comparer> {
  const { startBcryptWorker } = await import("./bcrypt-worker.ts");
  return startBcryptWorker();
}
