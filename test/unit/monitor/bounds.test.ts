/** What monitoring keeps, and how it takes turns: each bound, and what happens there. */
import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { ClosedConnections } from "../../../src/monitor/closed-connections.ts";
import { OpenSockets } from "../../../src/monitor/open-sockets.ts";
import { sortInTurns, Turns } from "../../../src/monitor/turns.ts";

type Left = Parameters<ClosedConnections["add"]>;

function left(cid: number, subjects: readonly string[]): Left {
  const subscriptions = subjects.map((subject, i) => ({
    subject,
    queue: null,
    sid: `${i}`,
    delivered: 0,
    max: 0,
  }));
  return [{ cid, subscriptions: subjects.length } as Left[0], subscriptions];
}

describe("closed connections", () => {
  it("are forgotten one by one beyond the maximum, the oldest first", () => {
    const closed = new ClosedConnections(3, () => 5);
    for (let cid = 1; cid <= 10; cid++) closed.add(...left(cid, ["a"]));
    expect([...closed].map(({ client }) => client.cid)).toEqual([8, 9, 10]);
    expect([...closed][0]).toMatchObject({ stoppedMs: 5, listed: [{ subject: "a", sid: "0" }] });
  });

  it("lose their lists of subscriptions beyond a total, the oldest first, and keep the number", () => {
    const closed = new ClosedConnections(1000, () => 0);
    const long = "x".repeat(4000);
    const subjects = Array.from({ length: 100 }, () => long);
    for (let cid = 1; cid <= 100; cid++) closed.add(...left(cid, subjects));
    const lists = [...closed].map(({ subscriptions }) => subscriptions.count);
    const firstListed = lists.indexOf(100);
    expect(firstListed).toBeGreaterThan(50);
    expect(lists.slice(0, firstListed).every((length) => length === 0)).toBe(true);
    expect(lists.slice(firstListed).every((length) => length === 100)).toBe(true);
    expect([...closed].every(({ client }) => client.subscriptions === 100)).toBe(true);
  });

  it("have no list where one alone would be too long", () => {
    const closed = new ClosedConnections(10, () => 0);
    closed.add(
      ...left(
        1,
        Array.from({ length: 10_001 }, () => "a"),
      ),
    );
    expect([...closed][0]!.listed).toEqual([]);
    expect([...closed][0]!.client.subscriptions).toBe(10_001);
  });
});

describe("connections to the monitoring port", () => {
  it("make room for a new one: the longest idle goes first, busy ones last", () => {
    const told: unknown[] = [];
    const sockets = new OpenSockets(3, (socket) => told.push(socket));
    const [a, b, c, d, e, f] = Array.from({ length: 6 }, () => new PassThrough());
    for (const socket of [a!, b!, c!]) sockets.opened(socket);
    expect(sockets.begin(a!)).toBe(true);
    sockets.opened(d!);
    expect([a, b, c].map((socket) => socket!.destroyed)).toEqual([false, true, false]);
    sockets.begin(c!);
    sockets.begin(d!);
    sockets.opened(e!); // all are busy: the one that has been so longest goes
    expect(a!.destroyed).toBe(true);
    sockets.done(c!);
    sockets.opened(f!);
    expect([c, d, e].map((socket) => socket!.destroyed)).toEqual([false, false, true]);
    expect(told.length).toBe(3);
    expect(sockets.crowdedOut).toBe(3);
  });

  it("answer one request at a time", () => {
    const sockets = new OpenSockets(3);
    const socket = new PassThrough();
    sockets.opened(socket);
    expect([sockets.begin(socket), sockets.begin(socket)]).toEqual([true, false]);
    sockets.done(socket);
    expect(sockets.begin(socket)).toBe(true);
  });
});

describe("turns", () => {
  it("come one in a round of the event loop, however many wait", async () => {
    const turns = new Turns();
    let rounds = 0;
    let done = false;
    const count = (): void => {
      rounds++;
      if (!done) setImmediate(count);
    };
    setImmediate(count);
    await Promise.all(Array.from({ length: 20 }, () => turns.next()));
    done = true;
    expect(rounds).toBeGreaterThanOrEqual(19);
  });

  it("let work that takes memory happen one after the other, also after a failure", async () => {
    const turns = new Turns();
    let running = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      most = Math.max(most, ++running);
      await turns.next();
      running--;
    };
    const failing = turns.alone(() => Promise.reject(new Error("no")));
    const all = Promise.all([turns.alone(work), turns.alone(work), turns.alone(work)]);
    await expect(failing).rejects.toThrow("no");
    await all;
    expect(most).toBe(1);
  });

  it.each([0, 1, 4096, 4097, 20_000])("sort %d items as sort does", async (length) => {
    const items = Array.from({ length }, (_, i) => ({ key: Math.imul(i, 2_654_435_761) % 1000, i }));
    const compare = (a: { key: number }, b: { key: number }): number => a.key - b.key;
    expect(await sortInTurns(items, compare, new Turns())).toEqual(items.toSorted(compare));
  });
});
