/** Messages of the server's own to one subject, written straight into what a client is sent next, beside those that are sent as usual. */
import { describe, expect, it } from "vitest";
import { InboxLane, StraightLane, writeVerb } from "../../../src/core/lane.ts";
import { bytes, writeNumber, writeText } from "../../../src/slab/memory.ts";
import { Stack } from "../../property/stack.ts";

function writeMessage(lane: StraightLane, payload: string): boolean {
  const start = lane.begin(64 + payload.length, "plain");
  if (start === 0) return false;
  let at = writeText(writeVerb(start, "plain"), "shown ");
  at = writeText(lane.writeSid(at), "answer ");
  at = writeText(writeNumber(at, payload.length), `\r\n${payload}\r\n`);
  expect(bytes[at - 1]).toBe(0x0a);
  lane.end(at, payload.length);
  return true;
}

describe("a lane", () => {
  it("writes for the one client that waits, in order with what is sent as usual", () => {
    const stack = new Stack();
    const { wire, session } = stack.client();
    const account = stack.accounts.global;
    const lane = new StraightLane(account.interest, "inbox.1");
    expect(lane.isAwaited).toBe(false);
    expect(writeMessage(lane, "nobody")).toBe(false);
    wire.receiveText("SUB inbox.* 7\r\n");
    expect(lane.isAwaited).toBe(true);
    account.send("inbox.1", "before");
    expect(writeMessage(lane, "straight")).toBe(true);
    account.send("inbox.1", "behind");
    session.outbox.flush();
    expect(wire.takeText()).toBe(
      "MSG inbox.1 7 6\r\nbefore\r\nMSG shown 7 answer 8\r\nstraight\r\nMSG inbox.1 7 6\r\nbehind\r\n",
    );
    expect([session.outMessages, session.outBytes]).toEqual([3, 20]);
  });

  it("counts what a subscription still gets, and leaves it to the usual way where more than one client waits", () => {
    const stack = new Stack();
    const one = stack.client();
    const two = stack.client();
    const lane = new StraightLane(stack.accounts.global.interest, "d");
    one.wire.receiveText("SUB d 1\r\nUNSUB 1 2\r\n");
    expect([writeMessage(lane, "a"), writeMessage(lane, "b"), writeMessage(lane, "c")]).toEqual([
      true,
      true,
      false,
    ]);
    expect(lane.isAwaited).toBe(false);
    one.wire.receiveText("SUB d 2\r\n");
    expect(writeMessage(lane, "d")).toBe(true);
    two.wire.receiveText("SUB d 1\r\n");
    expect(writeMessage(lane, "e")).toBe(false);
    expect(lane.isAwaited).toBe(true);
  });

  it.each([
    ["takes no headers", `"headers":false`, "SUB d 1\r\n", "headed" as const],
    ["has a long sid", "", "SUB d 123456789\r\n", "plain" as const],
    ["is a member of a queue group", "", "SUB d q 1\r\n", "plain" as const],
  ])("leaves it to the usual way where the client %s", (_what, options, subscribe, kind) => {
    const stack = new Stack();
    const link = stack.client(options);
    link.wire.receiveText(subscribe);
    const lane = new StraightLane(stack.accounts.global.interest, "d");
    expect([lane.isAwaited, lane.begin(100, kind)]).toEqual([true, 0]);
  });
});

function answer(lane: InboxLane, subject: string, payload: string): boolean {
  const memory = Buffer.from(`..${subject}.`, "latin1");
  const words = new DataView(memory.buffer, memory.byteOffset, memory.byteLength);
  const at = lane.begin({ memory, words, at: 2, length: subject.length }, payload.length);
  if (at === 0) return false;
  lane.end(writeText(writeText(at, payload), "\r\n"), payload.length);
  return true;
}

describe("a lane to inboxes", () => {
  it("finds the client of each inbox, whichever was asked for before", () => {
    const stack = new Stack();
    const [one, two] = [stack.client(), stack.client()];
    const lane = new InboxLane(stack.accounts.global.interest);
    expect(answer(lane, "_INBOX.one.1", "nobody")).toBe(false);
    one.wire.receiveText("SUB _INBOX.one.* 1\r\n");
    two.wire.receiveText("SUB _INBOX.two.* 22\r\n");
    for (const subject of ["_INBOX.one.1", "_INBOX.one.23", "_INBOX.two.3", "_INBOX.one.4"])
      expect(answer(lane, subject, "yes")).toBe(true);
    expect(answer(lane, "_INBOX.one.5.6", "no")).toBe(false);
    expect(answer(lane, "_INBOX.one.", "no")).toBe(false);
    for (const { session } of [one, two]) session.outbox.flush();
    expect(one.wire.takeText()).toBe(
      ["1", "23", "4"].map((token) => `MSG _INBOX.one.${token} 1 3\r\nyes\r\n`).join(""),
    );
    expect(two.wire.takeText()).toBe("MSG _INBOX.two.3 22 3\r\nyes\r\n");
  });

  it("does not pass by a subscription to one subject of an inbox, nor one that comes later", () => {
    const stack = new Stack();
    const [one, two] = [stack.client(), stack.client()];
    const lane = new InboxLane(stack.accounts.global.interest);
    one.wire.receiveText("SUB _INBOX.one.* 1\r\n");
    expect(answer(lane, "_INBOX.one.1", "yes")).toBe(true);
    two.wire.receiveText("SUB _INBOX.one.2 1\r\n");
    expect([answer(lane, "_INBOX.one.1", "yes"), answer(lane, "_INBOX.one.2", "two wait")]).toEqual([
      true,
      false,
    ]);
    expect(answer(lane, "_INBOX.one.3", "yes")).toBe(true);
    one.wire.receiveText("UNSUB 1\r\n");
    expect(answer(lane, "_INBOX.one.1", "nobody")).toBe(false);
  });
});
