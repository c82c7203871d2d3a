/** Lame duck mode on a virtual clock: real sessions on memory wires, and the time of hours in no time. */
import { expect, it } from "vitest";
import { drainClients, type DrainedPort } from "../../../../src/ports/client/lame-duck.ts";
import type { MemoryWire } from "../../../../src/transport/memory.ts";
import { Stack } from "../../../property/stack.ts";

const GRACE_MS = 10_000;
const DURATION_MS = 120_000;
const STEP_MS = 10;

class Port implements DrainedPort {
  readonly stack = new Stack();
  isListening = true;
  answersPing = true;
  readonly heard = new Map<number, string>();
  /** Name of the queue group. */
  membersElsewhere = 0;
  /** By number of the client, when it was let go. */
  readonly left = new Map<number, number>();
  readonly startMs = this.stack.clock.nowMs();
  private readonly clients: ReturnType<Stack["client"]>[] = [];
  private isDrained: () => void = () => undefined;
  readonly wires = { drained: () => new Promise<void>((resolve) => void (this.isDrained = resolve)) };

  get sessions(): DrainedPort["sessions"] {
    const open = this.clients.filter(({ session }) => session.isOpen);
    return new Map(open.map(({ session }) => [session.cid, session]));
  }

  arrive(subscription = ""): MemoryWire {
    const client = this.stack.client();
    this.clients.push(client);
    client.wire.receiveText(subscription);
    return client.wire;
  }

  stopListening(): void {
    this.isListening = false;
  }

  get nowMs(): number {
    return this.stack.clock.nowMs() - this.startMs;
  }

  private read(wire: MemoryWire, i: number): void {
    const text = wire.takeText();
    this.heard.set(i, (this.heard.get(i) ?? "") + text);
    if (text.includes("PING\r\n") && this.answersPing) wire.receiveText("PONG\r\n");
  }

  /** Clients answer to PING, and end their side as soon as this one has. */
  async advance(byMs: number): Promise<void> {
    for (let done = 0; done < byMs; done += STEP_MS) {
      await settled();
      this.stack.clock.advance(STEP_MS);
      await settled();
      for (const [i, { wire }] of this.clients.entries()) this.read(wire, i);
      this.clients.forEach(({ wire }, i) => {
        if (!wire.hasEndedWriting || this.left.has(i)) return;
        this.left.set(i, this.nowMs);
        wire.hangUp();
      });
      if (this.left.size === this.clients.length) this.isDrained();
    }
    await settled();
  }
}

/** A few turns of the event loop: what follows from the step has happened. */
async function settled(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise<void>((resolve) => void setImmediate(resolve));
}

interface Draining {
  readonly aborter: AbortController;
  readonly port: Port;
  isDone: boolean;
}

function drain(port: Port): Draining {
  const aborter = new AbortController();
  const draining: Draining = { aborter, port, isDone: false };
  const options = {
    durationMs: DURATION_MS,
    gracePeriodMs: GRACE_MS,
    clock: port.stack.clock,
    signal: aborter.signal,
    routesCaughtUp: () => Promise.resolve(),
    membersElsewhere: () => port.membersElsewhere,
  };
  void drainClients(port, options).then(() => (draining.isDone = true));
  return draining;
}

it("takes newcomers until the grace period is over, and lets nobody go before", async () => {
  const port = new Port();
  port.arrive();
  drain(port);
  await port.advance(GRACE_MS - STEP_MS);
  expect([port.isListening, port.left.size]).toEqual([true, 0]);
  await port.advance(STEP_MS);
  expect(port.isListening).toBe(false);
});

it("lets clients go one after the other, and the next of a queue group when the one before is back", async () => {
  const port = new Port();
  for (let i = 0; i < 3; i++) port.arrive("SUB work group 1\r\n");
  for (let i = 0; i < 3; i++) port.arrive();
  const draining = drain(port);
  await port.advance(GRACE_MS + 1000);
  expect([...port.left.keys()]).toEqual([0, 3, 4, 5]);
  for (const next of [1, 2]) {
    port.membersElsewhere++;
    await port.advance(100);
    expect([...port.left.keys()].at(-1)).toBe(next);
  }
  const times = [...port.left.values()];
  for (let i = 1; i < 4; i++) expect(times[i]).toBeGreaterThan(times[i - 1]!);
  expect(draining.isDone).toBe(true);
  expect(port.stack.clock.timerCount).toBe(0);
});

it("lets one that only listens go right behind what has just come, and between two messages at the latest after a moment", async () => {
  const port = new Port();
  port.arrive("SUB tick 1\r\n");
  const talker = port.arrive();
  drain(port);
  await port.advance(GRACE_MS - STEP_MS);
  for (let i = 0; i < 2; i++) {
    talker.receiveText("PUB tick 1\r\nx\r\n");
    await port.advance(STEP_MS);
    expect(port.left.size).toBe(0);
  }
  await port.advance(STEP_MS);
  expect([...port.left.keys()]).toEqual([0]);
  expect(port.heard.get(0)!.split("MSG tick 1 1\r\nx\r\n")).toHaveLength(3);
});

it("waits for one that asks to have its answer", async () => {
  const port = new Port();
  const asker = port.arrive("SUB answer 1\r\n");
  const answerer = port.arrive("SUB ask 1\r\n");
  drain(port);
  await port.advance(GRACE_MS - STEP_MS);
  asker.receiveText("PUB ask answer 1\r\n?\r\n");
  await port.advance(4 * STEP_MS);
  expect([...port.left.keys()]).not.toContain(0);
  answerer.receiveText("PUB answer 1\r\n!\r\n");
  await port.advance(2 * STEP_MS);
  expect([...port.left.keys()]).toContain(0);
  expect(port.heard.get(0)).toContain("MSG answer 1 1\r\n!\r\n");
});

it("waits for a member of a queue group to answer to what it has got, for a second at most", async () => {
  const port = new Port();
  port.answersPing = false;
  port.arrive("SUB work group 1\r\n");
  drain(port);
  await port.advance(GRACE_MS + 100);
  expect(port.heard.get(0)).toContain("PING\r\n");
  expect(port.left.size).toBe(0);
  await port.advance(1000);
  expect(port.left.size).toBe(1);
});

it("waits for a client to whom something is still being written", async () => {
  const port = new Port();
  const wire = port.arrive("SUB a 1\r\n");
  wire.holdsWrites = true;
  drain(port);
  await port.advance(GRACE_MS - STEP_MS);
  wire.receiveText("PUB a 1\r\nx\r\n");
  await port.advance(200);
  expect(port.left.size).toBe(0);
  wire.completeWrite();
  await port.advance(100);
  expect(port.left.size).toBe(1);
});

it("waits a second for newcomers where there are no clients", async () => {
  const port = new Port();
  const draining = drain(port);
  await port.advance(1000 - STEP_MS);
  expect(port.isListening).toBe(true);
  await port.advance(STEP_MS);
  expect(port.isListening).toBe(false);
  draining.aborter.abort();
});

it("ends at once when it is told to", async () => {
  const port = new Port();
  for (let i = 0; i < 100; i++) port.arrive();
  const draining = drain(port);
  await port.advance(GRACE_MS + 1000);
  expect(draining.isDone).toBe(false);
  draining.aborter.abort();
  await settled();
  expect(draining.isDone).toBe(true);
});
