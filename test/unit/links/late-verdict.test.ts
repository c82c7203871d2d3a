/** A CONNECT that is decided later: what follows it waits, and is bounded, and whatever happens meanwhile is survived. */
import { describe, expect, it } from "vitest";
import type { Attempt } from "../../../src/auth/attempt.ts";
import { Authenticator } from "../../../src/auth/authenticator.ts";
import type { Grant, Verdict } from "../../../src/auth/grant.ts";
import { Stack } from "../../property/stack.ts";

const ANYBODY: Grant = {
  origin: { kind: "open" },
  user: "ann",
  account: "$G",
  permissions: null,
  expiresInMs: null,
};

/** Decides when the test says so. */
class SlowAuthenticator extends Authenticator {
  readonly asked: Attempt[] = [];
  private tell: ((verdict: Verdict) => void) | null = null;

  constructor(noAuthUser: string | null = null) {
    const known = { password: "a", account: "$G", permissions: null, connectionTypes: [] };
    super({ users: [{ ...known, name: "ann" }], noAuthUser });
  }

  override check(attempt: Attempt): Promise<Verdict> {
    this.asked.push(attempt);
    return new Promise((resolve) => (this.tell = resolve));
  }

  async answer(verdict: Verdict): Promise<void> {
    this.tell!(verdict);
    for (let i = 0; i < 5; i++) await Promise.resolve();
  }

  admit(): Promise<void> {
    return this.answer({ kind: "admitted", grant: ANYBODY });
  }
}

const CONNECT = 'CONNECT {"user":"ann","pass":"a","verbose":false}\r\n';

function meet(noAuthUser: string | null = null): {
  authenticator: SlowAuthenticator;
  stack: Stack;
  arrived: ReturnType<Stack["arrive"]>;
} {
  const authenticator = new SlowAuthenticator(noAuthUser);
  const stack = new Stack({ authenticator });
  return { authenticator, stack, arrived: stack.arrive() };
}

describe("a client that is decided upon later", () => {
  it.each(["whole", "in pieces"])("is answered in order, %s", async (how) => {
    const { authenticator, arrived } = meet();
    const text = `${CONNECT}PING\r\nSUB a 1\r\nPUB a 5\r\nhello\r\n`;
    const size = how === "whole" ? text.length : 7;
    for (let at = 0; at < text.length; at += size) arrived.wire.receiveText(text.slice(at, at + size));
    expect(arrived.wire.takeText()).toBe("");
    await authenticator.admit();
    expect(arrived.wire.takeText()).toBe("PONG\r\nMSG a 1 5\r\nhello\r\n");
    expect(authenticator.asked).toHaveLength(1);
    arrived.wire.receiveText("PING\r\n");
    expect(arrived.wire.takeText()).toBe("PONG\r\n");
  });

  it("keeps no more than a read, and is not read from meanwhile", async () => {
    const { authenticator, arrived } = meet();
    arrived.wire.receiveText(`${CONNECT}${"PING\r\n".repeat(10_000)}`);
    expect(arrived.wire.isPaused).toBe(true);
    arrived.wire.receiveText("PING\r\n".repeat(100_000));
    expect(arrived.session["inbound"].heldBytes).toBeLessThanOrEqual(128 * 1024);
    await authenticator.admit();
    expect(arrived.wire.takeText()).toBe("PONG\r\n".repeat(110_000));
    expect(arrived.wire.isPaused).toBe(false);
  });

  it("that is refused hears of it, and nothing behind its CONNECT counts", async () => {
    const { authenticator, stack, arrived } = meet();
    arrived.wire.receiveText(`${CONNECT}SUB a 1\r\nPING\r\n`);
    await authenticator.answer({ kind: "refused", reason: "no" });
    expect(arrived.wire.takeText()).toBe("-ERR 'Authorization Violation'\r\n");
    expect(arrived.session.closedFor).toBe("Authentication Failure");
    expect(stack.counters.authFailures).toBe(1);
    expect(stack.accounts.global.interest.size).toBe(0);
  });

  it("has no more time than any other", async () => {
    const { authenticator, stack, arrived } = meet();
    arrived.wire.receiveText(CONNECT);
    expect(authenticator.asked[0]!.isWanted()).toBe(true);
    stack.clock.advance(2000);
    expect(arrived.wire.takeText()).toBe("-ERR 'Authentication Timeout'\r\n");
    expect(authenticator.asked[0]!.isWanted()).toBe(false);
    await authenticator.admit();
    expect(arrived.wire.takeText()).toBe("");
    expect(stack.clock.timerCount).toBe(0);
    expect(stack.accounts.global.connections).toBe(0);
  });

  it("may leave meanwhile", async () => {
    const { authenticator, stack, arrived } = meet();
    arrived.wire.receiveText(`${CONNECT}SUB a 1\r\n`);
    arrived.wire.hangUp();
    await authenticator.admit();
    expect(stack.accounts.global.interest.size).toBe(0);
    expect(stack.accounts.global.connections).toBe(0);
    expect(stack.closed).toHaveLength(1);
  });

  it("may say CONNECT again", async () => {
    const { authenticator, arrived } = meet();
    arrived.wire.receiveText(`${CONNECT}PING\r\n${CONNECT}PING\r\n`);
    await authenticator.admit();
    expect(arrived.wire.takeText()).toBe("PONG\r\n");
    await authenticator.admit();
    expect(arrived.wire.takeText()).toBe("PONG\r\n");
    expect(authenticator.asked).toHaveLength(2);
  });

  it("without CONNECT waits just so", async () => {
    const { authenticator, arrived } = meet("ann");
    arrived.wire.receiveText("PING\r\nPING\r\n");
    expect(arrived.wire.takeText()).toBe("");
    await authenticator.admit();
    expect(arrived.wire.takeText()).toBe("PONG\r\nPONG\r\n");
  });

  it("goes when its grant expires", async () => {
    const { authenticator, stack, arrived } = meet();
    arrived.wire.receiveText(CONNECT);
    await authenticator.answer({ kind: "admitted", grant: { ...ANYBODY, expiresInMs: 5000 } });
    stack.clock.advance(4999);
    expect(arrived.session.isOpen).toBe(true);
    arrived.wire.take();
    stack.clock.advance(1);
    expect(arrived.wire.takeText()).toMatch(/-ERR 'User Authentication Expired'\r\n$/);
    expect(arrived.session.closedFor).toBe("Authentication Expired");
  });
});
