/** Queue groups: one member gets a message, and over many messages all get about the same share. */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ClientSession } from "../../src/links/client/session.ts";
import { Stack, type Link } from "./stack.ts";

let stack = new Stack();
beforeEach(() => {
  stack = new Stack();
});
afterEach(() => stack.accounts[Symbol.dispose]());

function members(count: number, subscribe: string): Link<ClientSession>[] {
  return Array.from({ length: count }, () => {
    const member = stack.client();
    member.wire.receiveText(subscribe);
    return member;
  });
}

function shares(group: readonly Link<ClientSession>[]): number[] {
  return group.map(({ session }) => session.outMessages);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

describe("a queue group", () => {
  it("gets each message once, whatever members come and go", () => {
    const change = fc.oneof(fc.constant("come"), fc.constant("go"), fc.constant("unsubscribe"));
    const rounds = fc.array(fc.tuple(change, fc.nat(), fc.integer({ min: 1, max: 5 })), { maxLength: 20 });
    fc.assert(
      fc.property(rounds, (story) => {
        const publisher = stack.client();
        const all = members(1, "SUB a.* q 1\r\n");
        const present = [...all];
        let sent = 0;
        for (const [what, which, count] of story) {
          if (what === "come") {
            const [member] = members(1, "SUB a.> q 1\r\n");
            all.push(member!);
            present.push(member!);
          } else if (present.length > 1) {
            const [member] = present.splice(which % present.length, 1);
            if (what === "go") member!.wire.hangUp();
            else member!.wire.receiveText("UNSUB 1\r\n");
          }
          publisher.wire.receiveText("PUB a.b 1\r\nx\r\n".repeat(count));
          sent += count;
          expect(sum(shares(all))).toBe(sent);
        }
        for (const { wire } of [publisher, ...all]) wire.hangUp();
      }),
      { numRuns: 200 },
    );
  });

  it("shares the messages on one subject out in turn", () => {
    const group = members(3, "SUB a q 1\r\n");
    stack.client().wire.receiveText("PUB a 1\r\nx\r\n".repeat(300));
    expect(shares(group)).toEqual([100, 100, 100]);
  });

  it.each([2, 3, 5])("of %i shares out messages that are each on a subject of their own", (count) => {
    const group = members(count, "SUB orders.> q 1\r\n");
    const publisher = stack.client();
    for (let i = 0; i < 3000; i++) publisher.wire.receiveText(`PUB orders.${i} 1\r\nx\r\n`);
    for (const share of shares(group)) expect(Math.abs(share - 3000 / count)).toBeLessThan(300 / count);
  });

  it("shares out requests whose replies go to subjects of their own as well", () => {
    const group = members(2, "SUB service.* q 1\r\n");
    const publisher = stack.client();
    publisher.wire.receiveText("SUB _INBOX.> 1\r\n");
    for (let i = 0; i < 2000; i++) {
      publisher.wire.receiveText(`PUB service.${i} _INBOX.${i} 1\r\nx\r\n`);
      group[0]!.wire.receiveText(`PUB _INBOX.${i} 1\r\nx\r\n`);
    }
    for (const share of shares(group)) expect(Math.abs(share - 1000)).toBeLessThan(100);
  });

  it("shares out while interest around it changes with every message", async () => {
    const group = members(3, "SUB a.b q 1\r\n");
    const [publisher, restless] = [stack.client(), stack.client()];
    for (let i = 0; i < 3000; i++) {
      restless.wire.receiveText(`SUB a.* ${i}\r\nUNSUB ${i}\r\n`);
      if (i % 1000 === 999) await new Promise(setImmediate); // changes of interest are work, of which a round has only so much
      publisher.wire.receiveText("PUB a.b 1\r\nx\r\n");
    }
    for (const share of shares(group)) expect(Math.abs(share - 1000)).toBeLessThan(100);
  });

  it("elsewhere gets what has no member here, by the number of members behind each route", () => {
    const [small, large] = [stack.route({ peerId: "S" }), stack.route({ peerId: "L" })];
    small.wire.receiveText("RS+ $G a q 1\r\n");
    large.wire.receiveText("RS+ $G a q 3\r\n");
    stack.client().wire.receiveText("PUB a 1\r\nx\r\n".repeat(400));
    expect([small.session.outMessages, large.session.outMessages]).toEqual([100, 300]);
  });

  it("with a member here keeps its messages here", () => {
    const route = stack.route();
    route.wire.receiveText("RS+ $G a q 5\r\n");
    const group = members(1, "SUB a q 1\r\n");
    stack.client().wire.receiveText("PUB a 1\r\nx\r\n".repeat(50));
    expect([...shares(group), route.session.outMessages]).toEqual([50, 0]);
  });

  it("elsewhere gets its messages from the servers of the lowest rank, and from others when these have no member left", () => {
    const [far, near] = [stack.route({ peerId: "F" }), stack.route({ peerId: "N" })];
    far.session.rank = 2;
    near.session.rank = 1;
    far.wire.receiveText("RS+ $G a q 9\r\n");
    near.wire.receiveText("RS+ $G a q 1\r\n");
    const publisher = stack.client();
    publisher.wire.receiveText("PUB a 1\r\nx\r\n".repeat(40));
    expect([near.session.outMessages, far.session.outMessages]).toEqual([40, 0]);
    near.wire.receiveText("RS- $G a q\r\n");
    publisher.wire.receiveText("PUB a 1\r\nx\r\n".repeat(10));
    expect([near.session.outMessages, far.session.outMessages]).toEqual([40, 10]);
  });

  it("shares out among members here and behind routes whose rank is that of members here", () => {
    const route = stack.route();
    route.session.rank = 0;
    route.wire.receiveText("RS+ $G a q 5\r\n");
    const group = members(3, "SUB a q 1\r\n");
    stack.client().wire.receiveText("PUB a 1\r\nx\r\n".repeat(800));
    expect([...shares(group), route.session.outMessages]).toEqual([100, 100, 100, 500]);
  });

  it("shares out among all where each message is on a subject of its own", () => {
    const route = stack.route();
    route.session.rank = 0;
    route.wire.receiveText("RS+ $G a.* q 1\r\n");
    const group = members(3, "SUB a.* q 1\r\n");
    const publisher = stack.client();
    for (let i = 0; i < 4000; i++) publisher.wire.receiveText(`PUB a.${i} 1\r\nx\r\n`);
    for (const share of [...shares(group), route.session.outMessages]) {
      expect(Math.abs(share - 1000)).toBeLessThan(150);
    }
  });
});
