/** Work in slices: how much of it is done between messages, and that all of it is. */
import { describe, expect, it } from "vitest";
import { Chores } from "../../../src/base/chores.ts";
import { Stack } from "../../property/stack.ts";

const nextRound = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A chore of `count` steps that counts them. */
function counted(
  count: number,
  done: number[],
  name = 0,
): { steps: Generator<undefined, void>; count: number } {
  function* steps(): Generator<undefined, void> {
    for (let i = 0; i < count; i++) {
      done.push(name);
      yield;
    }
  }
  return { steps: steps(), count };
}

describe("chores", () => {
  it("that fit into a round are done at once", () => {
    const done: number[] = [];
    new Chores().add(counted(900, done));
    expect(done).toHaveLength(900);
  });

  it("are done in slices, in the order in which they came", async () => {
    const chores = new Chores();
    const done: number[] = [];
    chores.add(counted(100_000, done, 1));
    chores.add(counted(10, done, 2));
    let before = 0;
    let rounds = 0;
    for (; !chores.isIdle; rounds++) {
      expect(done.length - before).toBeLessThanOrEqual(1000 + 100_010 / 100 + 1);
      before = done.length;
      await nextRound();
    }
    expect(done).toHaveLength(100_010);
    expect(done.slice(-10)).toEqual(new Array(10).fill(2));
    expect(rounds).toBeGreaterThanOrEqual(50);
  });

  it("that come one after the other in one round do not all fit into it", async () => {
    const chores = new Chores();
    const done: number[] = [];
    for (let i = 0; i < 10; i++) chores.add(counted(900, done));
    expect(done.length).toBeLessThanOrEqual(1000);
    while (!chores.isIdle) await nextRound();
    expect(done).toHaveLength(9000);
  });
});

describe("a client with many subscriptions", () => {
  const many = (pattern: string): string =>
    Array.from({ length: 20_000 }, (_, i) => `SUB ${pattern.replace("#", String(i))} ${i}\r\n`).join("");

  it("is ended in slices, and gets nothing meanwhile, nor does anybody wait for it", async () => {
    const stack = new Stack();
    const gone = stack.client();
    gone.wire.receiveText(many("f.#.*"));
    gone.wire.receiveText("SUB g q a\r\n");
    const other = stack.client();
    other.wire.receiveText("SUB g q 1\r\n");
    gone.wire.hangUp();
    const { interest } = stack.accounts.global;
    expect(interest.size).toBeGreaterThan(15_000);
    other.wire.take();
    for (let i = 0; i < 10; i++) other.wire.receiveText("PUB g 1\r\nx\r\n");
    expect(other.wire.takeText().match(/^MSG /gm)).toHaveLength(10);
    while (!stack.turn.chores.isIdle) await nextRound();
    expect(interest.size).toBe(1);
  });

  it("that says CONNECT again is read on when they have ended", async () => {
    const stack = new Stack();
    const { wire } = stack.client();
    wire.receiveText(many("f.#.*"));
    wire.receiveText(
      'CONNECT {"verbose":false,"name":"again"}\r\nSUB f.1.* 1\r\nPUB f.1.x 1\r\nx\r\nPING\r\n',
    );
    expect(wire.takeText()).toBe("");
    while (!stack.turn.chores.isIdle) await nextRound();
    expect(wire.takeText()).toMatch(/^MSG f\.1\.x 1 1\r\nx\r\nPONG\r\n/);
    expect(stack.accounts.global.interest.size).toBe(1);
  });

  it("a route with many interests is ended in slices, and is forwarded nothing meanwhile", async () => {
    const stack = new Stack();
    const route = stack.route();
    const lines = Array.from({ length: 20_000 }, (_, i) => `RS+ $G r.${i}\r\n`).join("");
    route.wire.receiveText(lines);
    route.wire.hangUp();
    const { interest } = stack.accounts.global;
    expect(interest.size).toBeGreaterThan(15_000);
    const client = stack.client('"no_responders":true');
    client.wire.receiveText("SUB in 1\r\nPUB r.19999 in 1\r\nx\r\n");
    expect(client.wire.takeText()).toContain("NATS/1.0 503");
    while (!stack.turn.chores.isIdle) await nextRound();
    expect(interest.size).toBe(1);
  });
});
