/** A read whose messages are much work ends early, and goes on in later rounds, in turn with those of others. */
import { describe, expect, it } from "vitest";
import { Work } from "../../../src/base/work.ts";
import { Subscription } from "../../../src/core/subscription.ts";
import { READ_SIZE } from "../../../src/slab/layout.ts";
import { Stack } from "../../property/stack.ts";

const nextRound = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** In a round that has nothing else to do: subscriptions are work, too. */
async function subscribed(stack: Stack, count: number): Promise<void> {
  while (stack.accounts.global.interest.size < count) await nextRound();
  await nextRound();
}

/** Patterns of `tokens` tokens that are each `a` or `*`, one literal token that no subject has, and a last one that all have. */
function nearly(tokens: number): string {
  const lines = Array.from({ length: 2 ** tokens }, (_, bits) => {
    const pattern = Array.from({ length: tokens }, (_unused, i) => ((bits >> i) & 1 ? "*" : "a")).join(".");
    return `SUB ${pattern}.never.* ${bits}\r\n`;
  });
  return lines.join("");
}
const subject = (tokens: number, i: number): string => `${"a.".repeat(tokens)}b.${i}`;

describe("messages against patterns that nearly match", () => {
  const TOKENS = 12;
  const MESSAGES = 60;
  const published = (from: number): string =>
    Array.from({ length: MESSAGES }, (_, i) => `PUB ${subject(TOKENS, from + i)} 1\r\nx\r\n`).join("");

  it("of one client leave room for others, and are all published", async () => {
    const stack = new Stack();
    const reader = stack.client();
    reader.wire.receiveText(nearly(TOKENS));
    reader.wire.receiveText("SUB a.> all\r\n");
    await subscribed(stack, 2 ** TOKENS + 1);
    const publisher = stack.client();
    publisher.wire.receiveText(`${published(0)}PING\r\n`);
    reader.wire.take();
    // A match looks at 2^13 nodes.
    expect(publisher.session.inMessages).toBeLessThan(10);
    expect(publisher.wire.takeText()).toBe("");
    const other = stack.client();
    other.wire.receiveText("PING\r\n");
    expect(other.wire.takeText()).toBe("PONG\r\n");
    let most = 0;
    for (
      let before = publisher.session.inMessages;
      publisher.session.inMessages < MESSAGES;
      before = publisher.session.inMessages
    ) {
      await nextRound();
      most = Math.max(most, publisher.session.inMessages - before);
    }
    expect(most).toBeLessThan(10);
    await nextRound();
    expect(publisher.wire.takeText()).toBe("PONG\r\n");
    expect(reader.session.outMessages).toBe(MESSAGES);
  });

  it("of several clients take turns", async () => {
    const stack = new Stack();
    stack.client().wire.receiveText(nearly(TOKENS));
    await subscribed(stack, 2 ** TOKENS);
    const publishers = [0, 1, 2].map(() => stack.client());
    publishers.forEach(({ wire }, i) => wire.receiveText(published(i * MESSAGES)));
    const counts = (): number[] => publishers.map(({ session }) => session.inMessages);
    while (Math.min(...counts()) < MESSAGES) {
      expect(Math.max(...counts()) - Math.min(...counts())).toBeLessThan(20);
      await nextRound();
    }
    expect(counts()).toEqual([MESSAGES, MESSAGES, MESSAGES]);
  });

  it("of a route leave room, too, and are all delivered in their order", async () => {
    const stack = new Stack();
    const reader = stack.client();
    reader.wire.receiveText(`${nearly(TOKENS)}SUB a.> all\r\n`);
    await subscribed(stack, 2 ** TOKENS + 1);
    const route = stack.route();
    const messages = Array.from({ length: MESSAGES }, (_, i) => `RMSG $G ${subject(TOKENS, i)} 1\r\nx\r\n`);
    route.wire.receiveText(`${messages.join("")}PING\r\n`);
    expect(route.session.inMessages).toBeLessThan(10);
    let text = reader.wire.takeText();
    while (route.session.inMessages < MESSAGES) {
      await nextRound();
      text += reader.wire.takeText();
    }
    const order = [...text.matchAll(/^MSG a\S+\.b\.(\d+) all/gm)].map(([, i]) => Number(i));
    expect(order).toEqual(Array.from({ length: MESSAGES }, (_, i) => i));
    await nextRound();
    expect(route.wire.takeText()).toContain("PONG\r\n");
  });

  it("that have yet to be read are not, where their client has gone", async () => {
    const stack = new Stack();
    stack.client().wire.receiveText(nearly(TOKENS));
    await subscribed(stack, 2 ** TOKENS);
    const publisher = stack.client();
    publisher.wire.receiveText(published(0));
    const count = publisher.session.inMessages;
    publisher.wire.hangUp();
    await nextRound();
    await nextRound();
    expect(publisher.session.isOpen).toBe(false);
    expect(publisher.session.inMessages).toBe(count);
  });
});

it("messages to many receivers leave room for others", async () => {
  const stack = new Stack();
  const reader = stack.client();
  reader.wire.receiveText(Array.from({ length: 5000 }, (_, i) => `SUB f ${i}\r\n`).join(""));
  await subscribed(stack, 5000);
  const publisher = stack.client();
  publisher.wire.receiveText("PUB f 1\r\nx\r\n".repeat(100));
  expect(publisher.session.inMessages).toBeLessThan(60);
  while (publisher.session.inMessages < 100) await nextRound();
  expect(reader.session.outMessages).toBe(500_000);
});

describe("interest that changes ten thousands of times in one read", () => {
  const COUNT = 30_000;

  it("of a client leaves room for others, and all of it counts", async () => {
    const stack = new Stack();
    const client = stack.client();
    const lines = Array.from({ length: COUNT }, (_, i) => `SUB s.${i} ${i}\r\n`);
    client.wire.receiveText(`${lines.join("")}PING\r\n`);
    expect(client.session.subscriptions.size).toBeLessThanOrEqual(COUNT / 2);
    const other = stack.client();
    other.wire.receiveText("PING\r\n");
    expect(other.wire.takeText()).toBe("PONG\r\n");
    while (!client.wire.takeText().includes("PONG\r\n")) await nextRound();
    expect(client.session.subscriptions.size).toBe(COUNT);
    const ends = Array.from({ length: COUNT }, (_, i) => `UNSUB ${i}\r\n`);
    client.wire.receiveText(`${ends.join("")}PING\r\n`);
    expect(client.session.subscriptions.size).toBeGreaterThanOrEqual(COUNT / 2);
    while (!client.wire.takeText().includes("PONG\r\n")) await nextRound();
    expect(client.session.subscriptions.size).toBe(0);
  });

  it("of a route, too", async () => {
    const stack = new Stack();
    const route = stack.route();
    const lines = Array.from({ length: COUNT }, (_, i) => `RS+ $G s.${i}\r\n`);
    route.wire.receiveText(`${lines.join("")}PING\r\n`);
    expect(route.session.interests.size).toBeLessThanOrEqual(COUNT / 2);
    while (!route.wire.takeText().includes("PONG\r\n")) await nextRound();
    expect(route.session.interests.size).toBe(COUNT);
  });
});

describe("reads that fill the window", () => {
  const READS = 20;
  const PAYLOAD = 16_384 - "PUB slow 16384\r\n\r\n".length;
  const message = `PUB slow ${PAYLOAD}\r\n${"x".repeat(PAYLOAD)}\r\n`;
  const PER_READ = READ_SIZE / message.length;

  /** Its messages take so long each. */
  function publishing(messageMs: number): { stack: Stack; publisher: ReturnType<Stack["client"]> } {
    const stack = new Stack();
    const slow = {
      deliver: () => {
        stack.clock.advance(messageMs);
        return true;
      },
    };
    stack.accounts.global.subscribe(new Subscription(slow, "slow", null, "0"));
    const publisher = stack.client();
    publisher.wire.receiveText(message.repeat(READS * PER_READ));
    return { stack, publisher };
  }

  it("leave room for others after a millisecond, and all of them are taken", async () => {
    const { stack, publisher } = publishing(0.25 / PER_READ);
    expect(publisher.session.inMessages).toBe(4 * PER_READ);
    expect(publisher.wire.isPaused).toBe(true);
    const other = stack.client();
    other.wire.receiveText("PING\r\n");
    expect(other.wire.takeText()).toBe("PONG\r\n");
    while (publisher.session.inMessages < READS * PER_READ) await nextRound();
    await nextRound();
    expect(publisher.wire.isPaused).toBe(false);
  });

  it("go on one after the other where they take no time", () => {
    const { publisher } = publishing(0);
    expect(publisher.session.inMessages).toBe(READS * PER_READ);
    expect(publisher.wire.isPaused).toBe(false);
  });
});

describe("work", () => {
  it("is spent by plans and by deliveries, and there is room again a round later", async () => {
    const work = new Work();
    work.planned(49_000);
    work.delivered(3999);
    expect(work.isSpent).toBe(false);
    work.delivered(4);
    expect(work.isSpent).toBe(true);
    let calls = 0;
    work.whenThereIsRoom(() => calls++);
    expect(calls).toBe(0);
    await nextRound();
    expect(calls).toBe(1);
    expect(work.isSpent).toBe(false);
  });

  it("is spent after some milliseconds where interest changes, on a slow machine, too", async () => {
    let nowMs = 0;
    const work = new Work(setImmediate, () => nowMs);
    let changes = 0;
    for (; !work.isSpent; changes++) {
      nowMs += 0.1;
      work.interestChanged();
    }
    expect(changes).toBeLessThanOrEqual(5 / 0.1 + 64);
    work.whenThereIsRoom(() => undefined);
    await nextRound();
    expect(work.isSpent).toBe(false);
    for (let i = 0; i < 64; i++) work.interestChanged();
    expect(work.isSpent).toBe(false);
  });

  it("that fills a round again leaves the others waiting in their order", async () => {
    const work = new Work();
    const order: number[] = [];
    for (const each of [1, 2, 3]) {
      work.whenThereIsRoom(() => {
        order.push(each);
        work.planned(60_000);
      });
    }
    await nextRound();
    expect(order).toEqual([1]);
    while (order.length < 3) await nextRound();
    expect(order).toEqual([1, 2, 3]);
  });
});
