/** Which route carries an account, and what its peer is told of the interest here. */
import { beforeEach, describe, expect, it } from "vitest";
import { Subscription } from "../../../src/core/subscription.ts";
import { poolIndexOf, RouteTable } from "../../../src/links/route/route-table.ts";
import type { RouteSession } from "../../../src/links/route/session.ts";
import { Stack, type Link } from "../../property/stack.ts";

let stack = new Stack();
let table = new RouteTable(stack.accounts, stack.turn.chores);

beforeEach(() => {
  stack = new Stack();
  table = new RouteTable(stack.accounts, stack.turn.chores);
});

function route(
  peerId: string,
  poolIndex: number,
  poolSize: number,
  account: string | null = null,
): Link<RouteSession> {
  const link = stack.route({ peerId, poolIndex, account });
  table.add(link.session, poolSize);
  link.session.outbox.flush();
  return link;
}

function said({ wire, session }: Link<RouteSession>): string {
  session.outbox.flush();
  return wire.takeText();
}

describe("the pool slot of an account", () => {
  it.each([
    ["$G", 2059166108],
    ["A", 3289118412],
    ["BB", 517823045],
    ["CCC", 1716134816],
    ["$SYS", 47606520],
  ])("%s is that of nats-server", (account, hash) => {
    for (const size of [2, 3, 4, 5, 7, 10]) expect(poolIndexOf(account, size)).toBe(hash % size);
    for (const none of [1, 0, -1]) expect(poolIndexOf(account, none)).toBe(0);
  });
});

describe("the routes of a peer", () => {
  const change = { subject: "a", queue: null, count: 1 };

  it("carry each account in its slot", () => {
    const pool = [0, 1, 2].map((index) => route("P", index, 3));
    table.tell(stack.accounts.global, change);
    const slot = poolIndexOf("$G", 3);
    expect(pool.map(said)).toEqual([0, 1, 2].map((index) => (index === slot ? "RS+ $G a\r\n" : "")));
  });

  it("are told of the interest that is there when they come", () => {
    for (const [subject, queue] of [
      ["a", null],
      ["a", null],
      ["b", "q"],
      ["b", "q"],
    ] as const) {
      stack.accounts.global.localInterest.add(new Subscription({ deliver: () => true }, subject, queue, "1"));
    }
    const slot = poolIndexOf("$G", 3);
    const pool = [0, 1, 2].map((index) => route("P", index, 3));
    expect(pool.map(said)[slot]).toBe("RS+ $G a\r\nRS+ $G b q 2\r\n");
    expect(pool.map(said).join("")).toBe("");
  });

  it("leave a pinned account to its own route, which does not name it", () => {
    const pool = [0, 1, 2].map((index) => route("P", index, 3));
    const own = route("P", 0, 3, "$G");
    table.tell(stack.accounts.global, change);
    table.tell(stack.accounts.global, { ...change, queue: "q", count: 3 });
    table.tell(stack.accounts.global, { ...change, count: 0 });
    expect(said(own)).toBe("RS+ a\r\nRS+ a q 3\r\nRS- a\r\n");
    expect(pool.map(said).join("")).toBe("");
  });

  it("take back what was told of an account before it had its own route", () => {
    for (const [subject, queue] of [
      ["a", null],
      ["b", "q"],
    ] as const)
      stack.accounts.global.localInterest.add(new Subscription({ deliver: () => true }, subject, queue, "1"));
    const pool = route("P", 0, 1);
    expect(said(pool)).toBe("RS+ $G a\r\nRS+ $G b q 1\r\n");
    const own = route("P", 0, 1, "$G");
    expect([said(own), said(pool)]).toEqual(["RS+ a\r\nRS+ b q 1\r\n", "RS- $G a\r\nRS- $G b q\r\n"]);
    const newer = route("P", 0, 1, "$G");
    expect([said(newer), said(own), said(pool)]).toEqual(["RS+ a\r\nRS+ b q 1\r\n", "", ""]);
  });

  it("say nothing in a slot that is not there yet", () => {
    const slot = poolIndexOf("$G", 3);
    const others = [0, 1, 2].filter((index) => index !== slot).map((index) => route("P", index, 3));
    table.tell(stack.accounts.global, change);
    expect(others.map(said).join("")).toBe("");
  });

  it("tell every peer once", () => {
    const peers = ["P", "Q", "R"].map((peer) => route(peer, 0, 1));
    table.tell(stack.accounts.global, change);
    expect(peers.map(said)).toEqual(peers.map(() => "RS+ $G a\r\n"));
    expect([table.peerCount, [...table.onePerPeer()].length]).toEqual([3, 3]);
  });

  it("are forgotten one by one, but not for a newer route in the same slot", () => {
    const [old, newer] = [route("P", 0, 1), route("P", 0, 1)];
    table.remove(old.session);
    expect(table.hasPeer("P")).toBe(true);
    table.remove(newer.session);
    expect(table.hasPeer("P")).toBe(false);
  });
});

describe("a route that is not registered", () => {
  it.each(["RMSG $G a 60000000\r\n", "RMSG $G a 1\r\nx\r\n", "HMSG $G a 12 60000000\r\n"])(
    "has no messages taken, and none waited for: %j",
    (text) => {
      const { wire, session } = stack.stranger();
      wire.receiveText(text);
      expect(session.closedFor).toBe("Protocol Violation");
      expect(wire.takeText()).toBe("-ERR 'Unknown Protocol Operation'\r\n");
    },
  );
});

describe("interest that a route tells of", () => {
  it("is replaced, not doubled, and ends with the route", () => {
    const peer = route("P", 0, 1);
    peer.wire.receiveText("RS+ $G a\r\nRS+ $G a\r\nRS+ $G a q 2\r\nRS+ $G a q 5\r\nRS+ OTHER a\r\n");
    const { interest } = stack.accounts.global;
    expect([interest.size, peer.session.interests.size]).toEqual([2, 3]);
    peer.wire.receiveText("RS- $G a\r\nRS- $G b\r\n");
    expect(interest.size).toBe(1);
    peer.wire.hangUp();
    expect([interest.size, interest.covers("a")]).toEqual([0, false]);
  });

  it("is never passed on to another server", () => {
    const [from, to] = [route("P", 0, 1), route("Q", 0, 1)];
    const reader = stack.client();
    from.wire.receiveText("RS+ $G a\r\n");
    to.wire.receiveText("RS+ $G a\r\nRS+ $G a q 1\r\n");
    reader.wire.receiveText("SUB a 1\r\n");
    from.wire.receiveText("RMSG $G a 1\r\nx\r\n");
    expect([reader.wire.takeText(), said(to)]).toEqual(["MSG a 1 1\r\nx\r\n", ""]);
  });

  it("does nothing after the route was cut for reading too slowly", () => {
    const busy = new Stack({ limits: { maxPendingBytes: 70_000 } });
    const peer = busy.route();
    peer.wire.holdsWrites = true;
    peer.wire.receiveText("PING\r\n".repeat(15_000));
    expect(peer.session.isOpen).toBe(true);
    peer.wire.receiveText("PING\r\n".repeat(15_000) + "RS+ $G a\r\n");
    expect(peer.session.closedFor).toBe("Slow Consumer (Pending Bytes)");
    expect(busy.accounts.global.interest.size).toBe(0);
    peer.wire.hangUp();
  });
});

describe("a peer of thousands of subjects", () => {
  const COUNT = 5000;
  const nextRound = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const interest = (i: number, queue: string | null = null): Subscription =>
    new Subscription({ deliver: () => true }, `s.${i}`, queue, "1");
  const countOf = (text: string, line: RegExp): number => text.match(line)?.length ?? 0;

  beforeEach(() => {
    for (let i = 0; i < COUNT; i++) stack.accounts.global.localInterest.add(interest(i));
  });

  it("is told of them in several rounds, and that it has all behind the last", async () => {
    const link = stack.route({ peerId: "P", poolIndex: 0, account: null });
    let isTold = false;
    table.add(link.session, 1, () => (isTold = true));
    link.wire.receiveText("PING\r\n");
    let text = said(link);
    expect(countOf(text, /^RS\+/gm)).toBeLessThan(COUNT / 2);
    expect([isTold, text.includes("PONG")]).toEqual([false, false]);
    // What changes meanwhile is told at once.
    table.tell(stack.accounts.global, { subject: "new", queue: null, count: 1 });
    expect(said(link)).toBe("RS+ $G new\r\n");
    while (!isTold) {
      await nextRound();
      text += said(link);
    }
    expect(countOf(text, /^RS\+ \$G s\./gm)).toBe(COUNT);
    expect(text.endsWith("PONG\r\n")).toBe(true);
  });

  it("is told no more once its route has ended", async () => {
    const link = stack.route({ peerId: "P", poolIndex: 0, account: null });
    let isTold = false;
    table.add(link.session, 1, () => (isTold = true));
    const before = countOf(said(link), /^RS\+/gm);
    link.wire.hangUp();
    while (!isTold) await nextRound();
    expect(before + countOf(said(link), /^RS\+/gm)).toBeLessThan(COUNT / 2);
  });

  it("hears on the route of before what ends while an account moves to a route of its own", async () => {
    let isTold = false;
    const pool = stack.route({ peerId: "P", poolIndex: 0, account: null });
    table.add(pool.session, 1, () => (isTold = true));
    while (!isTold) await nextRound();
    said(pool);
    isTold = false;
    const own = stack.route({ peerId: "P", poolIndex: 0, account: "$G" });
    table.add(own.session, 1, () => (isTold = true));
    const { global } = stack.accounts;
    table.tell(global, global.localInterest.remove(interest(COUNT - 1))!);
    let text = said(pool);
    while (!isTold) {
      await nextRound();
      text += said(pool);
    }
    expect(countOf(text, /^RS- \$G s\./gm)).toBe(COUNT);
    expect(countOf(said(own), /^RS- s\./gm)).toBeLessThanOrEqual(1);
  });

  it("keeps what may still cross, looked at in several rounds", async () => {
    const { session, wire } = stack.route({ peerId: "P", poolIndex: 0, account: null });
    wire.receiveText(Array.from({ length: COUNT }, (_, i) => `RS+ $G r.${i}\r\n`).join(""));
    while (session.interests.size < COUNT) await nextRound();
    session.interests.keepOnly((subject) => subject.endsWith("0"));
    expect(session.interests.size).toBeGreaterThan(COUNT / 2);
    // Interest that comes meanwhile is judged by the rules of now.
    while (session.interests.size > COUNT / 10) await nextRound();
    expect([...session.interests].every(({ subject }) => subject.endsWith("0"))).toBe(true);
    expect(stack.accounts.global.interest.size).toBe(COUNT / 10);
  });

  it("and a client that leaves queue groups do not hold up others", async () => {
    const { session, wire } = stack.client();
    wire.receiveText(Array.from({ length: COUNT }, (_, i) => `SUB q.${i} workers ${i}\r\n`).join(""));
    while (session.subscriptions.size < COUNT) await nextRound();
    stack.told.length = 0;
    const withdrawn = session.withdrawFromQueues();
    expect(stack.told.length).toBeLessThan(COUNT / 2);
    await withdrawn;
    expect(stack.told.filter(({ count }) => count === 0)).toHaveLength(COUNT);
    expect(session.subscriptions.size).toBe(COUNT);
  });
});
