/** What the input of one connection brings out of the server costs that connection, and nobody else. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { assert } from "../../src/base/assert.ts";
import { silentLogger, type LogFields } from "../../src/base/logger.ts";
import { slabSnapshot } from "../../src/slab/chunks.ts";
import { Subscription, type Crossing, type Subscriber } from "../../src/core/subscription.ts";
import { Faults } from "../../src/links/trunk/faults.ts";
import { INTERNAL_ERROR } from "../../src/protocol/close-cause.ts";
import { Stack } from "../property/stack.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { Exposition } from "../support/exposition.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { start } from "../monitor/monitored.ts";

let stack: Stack;
let faults: Faults;
let lines: (readonly [message: string, fields: LogFields | undefined])[];

beforeEach(() => {
  lines = [];
  faults = new Faults();
  const logger = {
    ...silentLogger,
    error: (message: string, fields?: LogFields) => void lines.push([message, fields]),
    child: () => logger,
  };
  stack = new Stack({ faults, logger });
});

afterEach(() => {
  expect(slabSnapshot().chunksInUse).toBe(0);
  stack.accounts[Symbol.dispose]();
});

/** Part of the way of every message on `bad`: what it does is done within the read of the connection that sent it. */
function crossingThat(act: () => void): Crossing {
  return {
    isCrossing: true,
    takesRouted: true,
    queue: null,
    subject: "bad",
    cross() {
      act();
      return false;
    },
  };
}

const overflow = crossingThat(() => {
  throw new RangeError("Maximum call stack size exceeded");
});

describe("a fault that a connection's bytes bring out", () => {
  it("closes the client that sent them, with its subscriptions; the next client is served", () => {
    const { interest } = stack.accounts.global;
    const before = interest.size;
    stack.accounts.global.subscribe(overflow);
    const [bad, good] = [stack.client(), stack.client()];
    good.wire.receiveText("SUB a 1\r\n");
    bad.wire.receiveText("SUB x 1\r\nSUB y.* 2\r\nPUB a 2\r\nhi\r\nPUB bad 0\r\n\r\nPUB a 4\r\nlost\r\n");
    expect([bad.session.closedFor, bad.wire.state]).toEqual([INTERNAL_ERROR.reason, "closing"]);
    expect(good.wire.takeText()).toBe("MSG a 1 2\r\nhi\r\n");
    expect([faults.count, stack.accounts.global.connections]).toEqual([1, 1]);
    expect(interest.size).toBe(before + 2); // the good client's, and the crossing
    expect(lines).toEqual([
      [
        "A fault of this server was contained: it closes the connection whose input brought it out",
        {
          event: "connection_fault",
          stack: expect.stringMatching(/^RangeError: Maximum call stack[^]*cross/),
        },
      ],
    ]);
    bad.wire.hangUp();
    good.wire.receiveText("PING\r\n");
    expect(good.wire.takeText()).toMatch(/^PONG/);
    good.wire.hangUp();
    expect(stack.clock.timerCount).toBe(0);
  });

  it("closes the route that sent them, with its interest; the other routes stay", () => {
    stack.accounts.global.subscribe(overflow);
    const [bad, good] = [stack.route(), stack.route({ peerId: "NOTHER" })];
    good.wire.receiveText("RS+ $G a\r\n");
    bad.wire.receiveText("RS+ $G b\r\nRMSG $G bad 0\r\n\r\n");
    expect([bad.session.closedFor, good.session.closedFor, faults.count]).toEqual([
      INTERNAL_ERROR.reason,
      "",
      1,
    ]);
    expect(stack.accounts.global.interest.covers("b")).toBe(false);
    const client = stack.client();
    client.wire.receiveText("PUB a 2\r\nhi\r\n");
    expect(good.wire.takeText()).toBe("RMSG $G a 2\r\nhi\r\n");
    for (const { wire } of [bad, good, client]) wire.hangUp();
  });

  it("leaves no queue group chosen for the next message", () => {
    const broken: Subscriber = {
      deliver: () => {
        throw new RangeError("Array buffer allocation failed");
      },
    };
    const route = stack.route();
    route.wire.receiveText("RS+ $G x\r\nRS+ $G bad near 1\r\n");
    stack.accounts.global.subscribe(new Subscription(broken, "bad", "worse", "1"));
    const [bad, good] = [stack.client(), stack.client()];
    bad.wire.receiveText("PUB bad 0\r\n\r\n");
    expect(bad.session.closedFor).toBe(INTERNAL_ERROR.reason);
    good.wire.receiveText("PUB x 2\r\nhi\r\n");
    expect(route.wire.takeText()).toBe("RMSG $G x 2\r\nhi\r\n");
    for (const { wire } of [bad, good, route]) wire.hangUp();
  });

  it("shows in the probes and the metrics of a server that goes on", async () => {
    const server = await start();
    server.server.accounts.global.subscribe(overflow);
    const [bad, good] = [await RawConnection.greeted(server.port), await RawConnection.greeted(server.port)];
    bad.send("PUB bad 0\r\n\r\n");
    await bad.closed();
    good.send("SUB a 1\r\nPUB a 2\r\nhi\r\n");
    await good.has("MSG a 1 2\r\nhi\r\n");
    const probe = (await (await fetch(`${server.base}/readyz`)).json()) as object;
    expect(probe).toMatchObject({
      status: "ok",
      missing: [expect.stringMatching(/^a fault of this server/)],
    });
    const metrics = await Exposition.scrape(`${server.base}/metrics`);
    expect(metrics.value("nats_connection_faults_total")).toBe(1);
    const closed = await fetch(`${server.base}/connz?state=closed`);
    expect(await closed.json()).toMatchObject({ connections: [{ reason: INTERNAL_ERROR.reason }] });
    await waitFor("the one client that is left", () => server.server.clients.sessions.size === 1);
  });
});

describe("a fault of what connections share ends the process: it goes on", () => {
  it("where an assertion about it fails", () => {
    stack.accounts.global.subscribe(crossingThat(() => assert(false, "of all connections")));
    const { wire } = stack.client();
    expect(() => wire.receiveText("PUB bad 0\r\n\r\n")).toThrow("bug: of all connections");
    expect(faults.count).toBe(0);
    wire.hangUp();
  });

  it("where it was thrown in the midst of a change", () => {
    const { wire, session } = stack.client();
    stack.accounts.onInterest = () => {
      throw new RangeError("in the midst");
    };
    expect(() => wire.receiveText("SUB a 1\r\n")).toThrow("in the midst");
    expect([session.isOpen, faults.count]).toEqual([true, 0]);
    stack.accounts.onInterest = null;
    wire.hangUp();
  });
});
