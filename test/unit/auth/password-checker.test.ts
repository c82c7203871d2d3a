/** Slow comparisons: in which order, how many, and what needs none. The worker here answers when the test says so. */
import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import { startBcryptWorker } from "../../../src/auth/methods/bcrypt-worker.ts";
import {
  PasswordChecker,
  type Comparing,
  type PasswordCheck,
} from "../../../src/auth/methods/password-checker.ts";

/** Compares at a word: the hash of a password is "hash of" it. */
class SlowWorker extends EventEmitter {
  asked: { password: string; hash: string } | null = null;
  isTerminated = false;

  postMessage(comparison: { password: string; hash: string }): void {
    this.asked = comparison;
  }

  /** Returns the password that was compared. */
  answer(): string {
    const { password, hash } = this.asked!;
    this.asked = null;
    this.emit("message", hash === `hash of ${password}`);
    return password;
  }

  die(): void {
    this.asked = null;
    this.emit("error", new Error("out of memory"));
    this.emit("exit", 1);
  }

  terminate(): Promise<number> {
    this.isTerminated = true;
    return Promise.resolve(0);
  }
}

class Desk {
  readonly workers: SlowWorker[] = [];
  readonly checker = new PasswordChecker(() => {
    const worker = new SlowWorker();
    this.workers.push(worker);
    return Promise.resolve(worker);
  });
  readonly results: Comparing[] = [];

  ask(lane: string, password: string, more: Partial<PasswordCheck> = {}): void {
    const check = { lane, password, hash: "hash of right", isWanted: () => true, ...more };
    const answer = this.checker.check(check);
    if (answer instanceof Promise) void answer.then((late) => this.results.push(late));
    else this.results.push(answer);
  }

  /** Lets everything that waits for nothing happen. */
  async settle(): Promise<void> {
    for (let i = 0; i < 5; i++) await Promise.resolve();
  }

  /** Answers one comparison after the other until none is under way; returns the passwords in order. */
  async work(): Promise<string[]> {
    const order: string[] = [];
    for (;;) {
      await this.settle();
      const worker = this.workers.find(({ asked }) => asked !== null);
      if (worker === undefined) return order;
      order.push(worker.answer());
    }
  }
}

describe("passwords under a flood of wrong ones", () => {
  it("wait for one comparison of each other lane, whatever stands there", async () => {
    const desk = new Desk();
    for (let i = 0; i < 60; i++) desk.ask("flood", `wrong ${i}`);
    desk.ask("other", "right");
    const order = await desk.work();
    expect(order).toHaveLength(61);
    // One or two are under way when it comes; then its lane's turn is at most one away.
    expect(order.indexOf("right")).toBeLessThanOrEqual(3);
    expect(desk.results.filter((result) => result === "equal")).toHaveLength(1);
    expect(desk.checker.compared).toBe(61);
  });

  it("find a place when everything is full, at the cost of the longest lane; the lane itself is bounded", async () => {
    const desk = new Desk();
    for (let lane = 0; lane < 40; lane++)
      for (let i = 0; i < 70; i++) desk.ask(`${lane}`, `wrong ${lane} ${i}`);
    await desk.settle();
    expect(desk.checker.waitingCount).toBeLessThanOrEqual(1024);
    const overflowed = desk.checker.overflowed;
    expect(overflowed).toBeGreaterThanOrEqual(40 * 70 - 1024 - 2);
    desk.ask("newcomer", "right");
    const order = await desk.work();
    expect(order.indexOf("right")).toBeLessThanOrEqual(43);
    expect(desk.results.filter((result) => result === "equal")).toHaveLength(1);
    expect(desk.results.filter((result) => result === "too many waiting")).toHaveLength(
      desk.checker.overflowed,
    );
    expect(desk.results).toHaveLength(40 * 70 + 1);
  });

  it("are not compared for who has gone", async () => {
    const desk = new Desk();
    let isThere = true;
    for (let i = 0; i < 20; i++) desk.ask("gone", `wrong ${i}`, { isWanted: () => isThere });
    isThere = false;
    desk.ask("other", "right");
    const order = await desk.work();
    expect(order).toContain("right");
    expect(order.length).toBeLessThanOrEqual(3);
  });
});

describe("what was compared before", () => {
  it("is not compared again, right or wrong", async () => {
    const desk = new Desk();
    desk.ask("a", "right");
    desk.ask("a", "wrong");
    await desk.work();
    desk.ask("a", "wrong");
    desk.ask("b", "right");
    expect(desk.results).toEqual(["equal", "different", "different", "equal"]);
    expect(desk.checker.compared).toBe(2);
  });

  it("counts for its hash alone", async () => {
    const desk = new Desk();
    desk.ask("a", "right");
    await desk.work();
    desk.ask("a", "right", { hash: "hash of another" });
    expect(await desk.work()).toEqual(["right"]);
    expect(desk.results).toEqual(["equal", "different"]);
  });
});

describe("threads", () => {
  it("are few, come when they are needed, and end with the checker; who waits then is refused", async () => {
    const desk = new Desk();
    expect(desk.workers).toHaveLength(0);
    for (let i = 0; i < 20; i++) desk.ask(`${i}`, "wrong");
    await desk.settle();
    expect(desk.workers.length).toBeGreaterThan(0);
    expect(desk.workers.length).toBeLessThanOrEqual(2);
    desk.checker[Symbol.dispose]();
    await desk.settle();
    expect(desk.workers.every(({ isTerminated }) => isTerminated)).toBe(true);
    expect(desk.results).toHaveLength(20 - desk.workers.length);
    expect(new Set(desk.results)).toEqual(new Set(["different"]));
  });

  it("that die refuse whom they had, and another one takes their place", async () => {
    const desk = new Desk();
    desk.ask("a", "right");
    await desk.settle();
    desk.workers[0]!.die();
    await desk.settle();
    expect(desk.results).toEqual(["different"]);
    desk.ask("a", "right");
    expect(await desk.work()).toEqual(["right"]);
    expect(desk.results).toEqual(["different", "equal"]);
    expect(desk.workers).toHaveLength(2);
  });

  it("know bcrypt", async () => {
    await using worker = {
      real: startBcryptWorker(),
      [Symbol.asyncDispose]: async () => void (await worker.real.terminate()),
    };
    const hash = "$2b$04$abcdefghijklmnopqrstuuetGRvO6QNMBbbIoo5tpQkbPXg26U9Qu";
    const answers: unknown[] = [];
    const asked = [
      { password: "wonder", hash },
      { password: "wander", hash },
      { password: "wonder", hash: hash.replace("2b", "2x") },
      { password: "wonder", hash: "$2b$99$x" },
    ];
    const done = new Promise<void>((resolve) => {
      worker.real.on("message", (answer) => answers.push(answer) === asked.length && resolve());
    });
    for (const one of asked) worker.real.postMessage(one);
    await done;
    expect(answers).toEqual([true, false, true, false]);
  });
});
