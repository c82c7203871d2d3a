/**
 * One server for all inputs of a target, and what has to hold after each of them: whatever arrived, a connection that has
 * ended does nothing more, and when all have ended nothing of them is left.
 */
import { assert } from "../../src/base/assert.ts";
import { slabSnapshot } from "../../src/slab/chunks.ts";
import { READ_SIZE } from "../../src/slab/layout.ts";
import type { ClientLimits } from "../../src/links/client/host.ts";
import type { ClientSession } from "../../src/links/client/session.ts";
import type { Inbound } from "../../src/links/trunk/inbound.ts";
import type { RouteSession } from "../../src/links/route/session.ts";
import { finishChores } from "./finish-chores.ts";
import { Stack, type Link } from "../../test/property/stack.ts";

export type Connected = Link<ClientSession | RouteSession>;

const LINE_FACTOR = 16;
/** Plans outlive connections; now and then their memory is counted, too. */
const COUNT_HEADS_EVERY = 1024;

class SharedStack extends Stack {
  private inputs = 0;

  /** Feeds `stream` to one connection in pieces; in between, writes that are held complete now and then. */
  play(link: Connected, stream: Uint8Array, pieceLength: number, all: readonly Connected[]): void {
    for (let from = 0, count = 1; from < stream.length; from += pieceLength, count++) {
      link.wire.receive(stream.subarray(from, from + pieceLength));
      this.checkHeld(link);
      if (count % 3 === 0) for (const { wire } of all) wire.completeWrite();
      if (link.wire.isPaused) this.clock.advance(20);
    }
    if (!link.session.isOpen) this.checkDead(link);
  }

  /** Ends every connection; nothing may be left of them. */
  end(all: readonly Connected[]): void {
    for (const { wire, session } of all) {
      wire.completeWrite();
      wire.hangUp();
      assert(!session.isOpen, "a connection without a wire is open");
    }
    finishChores(this.turn);
    this.closed.length = this.told.length = 0;
    for (const account of this.accounts) {
      assert(account.interest.size === 0, `${account.interest.size} subscriptions are left`);
      assert(account.localInterest.size === 0, "neighbours believe in interest that has ended");
      assert(account.connections === 0, `${account.connections} connections are left`);
    }
    assert(this.clock.timerCount === 0, `${this.clock.timerCount} timers are left`);
    const { chunksInUse } = slabSnapshot();
    assert(chunksInUse === 0, `${chunksInUse} chunks are left`);
    if (++this.inputs % COUNT_HEADS_EVERY === 0) this.countHeads();
  }

  private countHeads(): void {
    for (const account of this.accounts) account.interest.evictAll();
    const { headsBytes } = slabSnapshot();
    assert(headsBytes === 0, `${headsBytes} bytes of heads are left`);
  }

  private checkHeld(link: Connected): void {
    const { heldBytes } = (link.session as unknown as { inbound: Inbound }).inbound;
    const { maxControlLineBytes, maxPayloadBytes } = this.limits.current;
    // A session that waits keeps what one read has brought.
    const most = LINE_FACTOR * maxControlLineBytes + READ_SIZE + maxPayloadBytes;
    if (link.session.isOpen) assert(heldBytes <= most, `${heldBytes} bytes are held back`);
  }

  private checkDead(link: Connected): void {
    const { interest } = this.accounts.global;
    const before = [interest.version, link.session.inMessages, link.session.closedFor].join();
    link.wire.completeWrite();
    link.wire.take();
    link.wire.receiveText("SUB dead 1\r\nPUB dead 2\r\nhi\r\nPING\r\nRS+ $G dead\r\n");
    const after = [interest.version, link.session.inMessages, link.session.closedFor].join();
    assert(before === after, "a connection that has ended goes on");
    assert(link.wire.take().length === 0, "a connection that has ended is written to");
  }
}

/** The stream again and again, as much of it as two reads bring: enough for outboxes to overflow in the middle of one. */
export function repeated(stream: Uint8Array): Uint8Array {
  const times = Math.floor((2 * READ_SIZE) / Math.max(1, stream.length));
  return Buffer.alloc(times * stream.length, stream);
}

/** Long streams come in pieces that are not quite as short. */
export function pieceLength(stream: Uint8Array, length: number): number {
  return Math.max(1 + length, stream.length >> 8);
}

export const stack = new SharedStack();
const usual = stack.limits.current;

/** Limits of the next input; those that are not named are the usual ones. */
export function resetStack(limits: Partial<ClientLimits>): void {
  stack.limits.current = { ...usual, ...limits };
}
