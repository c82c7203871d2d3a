/** A client's connection from its first word to its last. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { slabSnapshot } from "../../../src/slab/chunks.ts";
import { MemoryWire } from "../../../src/transport/memory.ts";
import { Stack } from "../../property/stack.ts";

const INFO = 'INFO {"client_id":5}\r\n';
let stack = new Stack();

beforeEach(() => {
  stack = new Stack();
});
afterEach(() => {
  stack.accounts[Symbol.dispose]();
});

describe("before CONNECT", () => {
  it("operations count as verbose and pedantic", () => {
    const { wire } = stack.arrive();
    wire.receiveText("SUB a 1\r\nPUB a.* 1\r\nx\r\n");
    expect(wire.takeText()).toBe("+OK\r\n-ERR 'Invalid Publish Subject'\r\n+OK\r\n");
  });

  it("nothing but CONNECT is taken where credentials are asked for", () => {
    const guarded = new Stack({ token: "T" });
    const { wire, session } = guarded.arrive();
    wire.receiveText("PING\r\n");
    expect(wire.takeText()).toBe("-ERR 'Authorization Violation'\r\n");
    expect(session.closedFor).toBe("Authentication Failure");
  });

  it("a client that stays silent where credentials are asked for is sent away", () => {
    const guarded = new Stack({ token: "T" });
    const { wire, session } = guarded.arrive();
    guarded.clock.advance(1999);
    expect(session.isOpen).toBe(true);
    guarded.clock.advance(1);
    expect([wire.takeText(), session.closedFor]).toEqual([
      "-ERR 'Authentication Timeout'\r\n",
      "Authentication Timeout",
    ]);
    expect(guarded.clock.timerCount).toBe(0);
  });

  it("a client with the right token may stay, without a word", () => {
    const guarded = new Stack({ token: "T" });
    const { wire, session } = guarded.arrive();
    wire.receiveText('CONNECT {"auth_token":"T","verbose":false}\r\nSUB a 1\r\n');
    guarded.clock.advance(2500);
    session.outbox.flush();
    expect(wire.takeText()).toBe("PING\r\n");
    expect(JSON.stringify(session.hello)).not.toContain('"T"');
  });
});

describe("CONNECT", () => {
  it("is answered with the account after the first PING, once", () => {
    const { wire } = stack.arrive();
    wire.receiveText('CONNECT {"verbose":false,"protocol":1}\r\nPING\r\nPING\r\n');
    expect(wire.takeText()).toBe(`PONG\r\n${INFO}PONG\r\n`);
  });

  it("again keeps what it leaves out, and ends the subscriptions", () => {
    const { wire, session } = stack.client('"name":"n"');
    wire.receiveText('SUB a 1\r\nCONNECT {"echo":false}\r\n');
    expect(session.hello).toMatchObject({ name: "n", echo: false, verbose: false });
    expect([session.subscriptions.size, stack.accounts.global.interest.size]).toEqual([0, 0]);
    expect(stack.told.map(({ subject, count }) => `${subject} ${count}`)).toEqual(["a 1", "a 0"]);
  });

  it.each([
    ['{"protocol":2}', "-ERR 'invalid client protocol'\r\n"],
    ['{"no_responders":true}', "-ERR 'no responders requires headers support'\r\n"],
    ['{"account":"A"}', "-ERR 'Authorization Violation'\r\n"],
    ["{", ""],
  ])("is refused: %s", (json, answer) => {
    const { wire, session } = stack.arrive();
    wire.receiveText(`CONNECT ${json}\r\nPING\r\n`);
    expect([wire.takeText(), session.isOpen]).toEqual([answer, false]);
  });
});

describe("a client", () => {
  it("without echo does not hear itself, others do", () => {
    const [mute, other] = [stack.client('"echo":false'), stack.client()];
    for (const { wire } of [mute, other]) wire.receiveText("SUB a 1\r\n");
    mute.wire.receiveText("PUB a 1\r\nx\r\n");
    expect([mute.wire.takeText(), other.wire.takeText()]).toEqual(["", "MSG a 1 1\r\nx\r\n"]);
  });

  it("is told when nobody answers its request", () => {
    const { wire } = stack.client('"no_responders":true');
    wire.receiveText("SUB _INBOX.* 9\r\nPUB a _INBOX.1 0\r\n\r\n");
    const header = "NATS/1.0 503\r\nNats-Subject: a\r\n\r\n";
    expect(wire.takeText()).toBe(`HMSG _INBOX.1 9 ${header.length} ${header.length}\r\n${header}\r\n`);
  });

  it("gets as many messages as it asked for", () => {
    const [reader, publisher] = [stack.client(), stack.client()];
    reader.wire.receiveText("SUB a 1\r\nUNSUB 1 2\r\n");
    publisher.wire.receiveText("PUB a 1\r\nx\r\n".repeat(3));
    expect(reader.wire.takeText()).toBe("MSG a 1 1\r\nx\r\n".repeat(2));
    expect(stack.told.at(-1)).toMatchObject({ subject: "a", count: 0 });
  });

  it("that does not answer is sent away as stale", () => {
    const { wire, session } = stack.client();
    stack.clock.advance(2000);
    expect(wire.takeText()).toBe("");
    stack.clock.advance(400_000);
    expect(session.closedFor).toBe("Stale Connection");
    expect(stack.counters.staleConnections).toBe(1);
    expect(stack.clock.timerCount).toBe(0);
  });
});

/** A client whose socket takes nothing, and who may have little pending. */
function slowReader(limits: { maxPendingBytes: number }) {
  const busy = new Stack({ limits });
  const link = busy.client();
  link.wire.holdsWrites = true;
  return { busy, ...link };
}

describe("a reader that is too slow", () => {
  it("is cut, and what else the same read brought does nothing", () => {
    const { busy, wire, session } = slowReader({ maxPendingBytes: 70_000 });
    wire.receiveText("PING\r\n".repeat(15_000));
    expect(session.isOpen).toBe(true);
    wire.receiveText("PING\r\n".repeat(15_000) + "SUB a 1\r\n");
    expect(session.closedFor).toBe("Slow Consumer (Pending Bytes)");
    expect(busy.accounts.global.interest.size).toBe(0);
    expect(busy.told).toEqual([]);
    wire.hangUp();
    expect(slabSnapshot().chunksInUse).toBe(0);
  });

  it("leaves the interest of others alone, even when its last message came too late", () => {
    const { busy, wire, session } = slowReader({ maxPendingBytes: 400_000 });
    const [other, publisher] = [busy.client(), busy.client()];
    wire.receiveText("SUB a 1\r\nUNSUB 1 2\r\n");
    other.wire.receiveText("SUB a 2\r\n");
    publisher.wire.receiveText(`PUB a 300000\r\n${"x".repeat(300_000)}\r\n`.repeat(2));
    expect(session.closedFor).toBe("Slow Consumer (Pending Bytes)");
    expect([...busy.accounts.global.localInterest]).toEqual([{ subject: "a", queue: null, count: 1 }]);
    expect(busy.told.map((change) => change.count)).toEqual([1]);
    wire.hangUp();
  });

  it("makes its publishers wait until it has room", () => {
    const [reader, publisher] = [stack.client(), stack.client()];
    reader.wire.holdsWrites = true;
    reader.wire.receiveText("SUB a 1\r\n");
    const message = `PUB a 60000\r\n${"x".repeat(60_000)}\r\n`;
    publisher.wire.receiveText(message.repeat(30));
    expect(publisher.wire.isPaused).toBe(true);
    expect(publisher.session.inMessages).toBeLessThan(30);
    reader.wire.holdsWrites = false;
    while (reader.wire.isWriting) reader.wire.completeWrite();
    expect(publisher.wire.isPaused).toBe(false);
    expect(publisher.session.inMessages).toBe(30);
    expect(reader.session.outMessages).toBe(30);
  });

  it("makes its publishers wait for a moment only", () => {
    const [reader, publisher] = [stack.client(), stack.client()];
    reader.wire.holdsWrites = true;
    reader.wire.receiveText("SUB a 1\r\n");
    publisher.wire.receiveText(`PUB a 60000\r\n${"x".repeat(60_000)}\r\n`.repeat(20));
    let waits = 0;
    for (; publisher.wire.isPaused; waits++) stack.clock.advance(10);
    expect(waits).toBeGreaterThan(0);
    expect([publisher.session.inMessages, publisher.wire.isPaused]).toEqual([20, false]);
    publisher.wire.hangUp();
    reader.wire.hangUp();
    expect(stack.clock.timerCount).toBe(0);
  });

  it("is cut when a write takes too long", () => {
    const [reader, publisher] = [stack.client(), stack.client()];
    reader.wire.holdsWrites = true;
    reader.wire.receiveText("SUB a 1\r\n");
    publisher.wire.receiveText("PUB a 1\r\nx\r\n");
    stack.clock.advance(10_500);
    expect(reader.session.closedFor).toBe("Slow Consumer (Write Deadline)");
    expect([stack.counters.slowConsumers, stack.counters.slowConsumersByDeadline]).toEqual([1, 1]);
    reader.wire.hangUp();
    publisher.wire.hangUp();
    expect(stack.clock.timerCount).toBe(0);
  });
});

describe("many connections", () => {
  it("of which one read reaches all get their bytes, in one write each", () => {
    const readers = Array.from({ length: 50 }, () => stack.client("", new CountingWire()));
    for (const { wire } of readers) wire.receiveText("SUB a 1\r\n");
    stack.client().wire.receiveText("PUB a 1\r\nx\r\n".repeat(10));
    for (const { wire } of readers) {
      expect(wire.takeText()).toBe("MSG a 1 1\r\nx\r\n".repeat(10));
      expect((wire as CountingWire).writes).toBe(1);
    }
  });
});

class CountingWire extends MemoryWire {
  writes = 0;

  override writeMany(pieces: readonly Uint8Array[]): boolean {
    if (this.state === "open" && !pieces[0]!.subarray(0, 4).every((byte, i) => byte === INFO.charCodeAt(i))) {
      this.writes++;
    }
    return super.writeMany(pieces);
  }
}
