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

  /** Clients end their side as soon as this one has. */
  async advance(byMs: number): Promise<void> {
    for (let done = 0; done < byMs; done += STEP_MS) {
      await settled();
      this.stack.clock.advance(STEP_MS);
      await settled();
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

it("lets clients go one after the other, those of one queue group further apart, and is done when the last has gone", async () => {
  const port = new Port();
  for (let i = 0; i < 3; i++) port.arrive("SUB work group 1\r\n");
  for (let i = 0; i < 3; i++) port.arrive();
  const draining = drain(port);
  await port.advance(GRACE_MS + 3000);
  expect(port.left.size).toBe(6);
  const times = [...port.left.values()].sort((a, b) => a - b);
  for (let i = 1; i < times.length; i++) expect(times[i]! - times[i - 1]!).toBeGreaterThanOrEqual(90);
  const group = [0, 1, 2].map((i) => port.left.get(i)!);
  expect(group[1]! - group[0]!).toBeGreaterThanOrEqual(590);
  expect(group[2]! - group[1]!).toBeGreaterThanOrEqual(590);
  expect(draining.isDone).toBe(true);
  expect(port.stack.clock.timerCount).toBe(0);
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
