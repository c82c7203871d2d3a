/** Subjects of as many tokens as the longest control line has room for: clients, routes and imports treat them as any others. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { slabSnapshot } from "../../src/slab/chunks.ts";
import { LINE_MAX } from "../../src/slab/layout.ts";
import type { AccountDefinition } from "../../src/core/definitions.ts";
import { isCrossing } from "../../src/core/subscription.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { Stack } from "./stack.ts";

const NOTHING = { streamExports: [], serviceExports: [], streamImports: [], serviceImports: [] };
const NO_LIMITS = { maxConnections: null, maxSubscriptions: null, maxPayloadBytes: null };
const EXPORT = { subject: ">", accounts: null };
const SERVICE = { responseType: "singleton", responseThresholdMs: 120_000, latency: null } as const;
const DEPTHS = [2000, 5500, 30_000, 130_000];

const wild = (tokens: number): string => Array<string>(tokens).fill("*").join(".");
const flat = (tokens: number): string => Array<string>(tokens).fill("a").join(".");

let stack: Stack;

/** A match of so many tokens is more work than a round has room for: what comes behind it is read in a later one. */
async function settled(): Promise<void> {
  await waitFor("connections to read on", () => stack.turn.work.isIdle);
}

/** B has the services and the streams of A under `from.`. */
beforeEach(() => {
  const imported = { account: "A", subject: ">", share: false };
  const accounts: AccountDefinition[] = [
    {
      ...NOTHING,
      name: "A",
      limits: NO_LIMITS,
      streamExports: [EXPORT],
      serviceExports: [{ ...EXPORT, ...SERVICE }],
    },
    {
      ...NOTHING,
      name: "B",
      limits: NO_LIMITS,
      streamImports: [{ ...imported, to: "in.>" }],
      serviceImports: [{ ...imported, to: "out.>" }],
    },
  ];
  stack = new Stack({
    accounts: { definition: { accounts, systemAccount: null } },
    limits: { maxControlLineBytes: LINE_MAX },
  });
});

afterEach(async () => {
  await waitFor("subscriptions to be ended", () => stack.turn.chores.isIdle);
  expect(stack.counters.slowConsumers).toBe(0);
  expect(slabSnapshot().chunksInUse).toBe(0);
  for (const account of stack.accounts) {
    expect([...account.interest.items()].filter((item) => !isCrossing(item))).toEqual([]);
  }
  stack.accounts[Symbol.dispose]();
});

describe.each(DEPTHS)("a subject of %i tokens", (tokens) => {
  it("is subscribed to, published to, and left", async () => {
    const client = stack.clientIn("A");
    for (const [pattern, subject] of [
      [wild(tokens), flat(tokens)],
      [`${wild(tokens)}.>`, `${flat(tokens)}.z`],
      [flat(tokens), flat(tokens)],
    ]) {
      client.wire.receiveText(`SUB ${pattern} 1\r\nPUB ${subject} 2\r\nhi\r\n`);
      await settled();
      expect(client.wire.takeText() === `MSG ${subject} 1 2\r\nhi\r\n`).toBe(true);
      client.wire.receiveText("UNSUB 1\r\n");
      await settled();
      expect([...stack.accounts.get("A")!.interest.items()]).toEqual([]);
    }
    client.wire.receiveText(`SUB ${wild(tokens)} 1\r\n`);
    await settled();
    client.wire.hangUp();
  });

  it("is told of by another server, matched, and taken back", async () => {
    const route = stack.route();
    const client = stack.clientIn("A");
    client.wire.receiveText("SUB > 9\r\n");
    await settled();
    route.wire.receiveText(`RS+ A ${wild(tokens)}\r\n`);
    await settled();
    route.wire.receiveText(`RMSG A ${flat(tokens)} 2\r\nhi\r\n`);
    await settled();
    expect(client.wire.takeText() === `MSG ${flat(tokens)} 9 2\r\nhi\r\n`).toBe(true);
    route.wire.take();
    client.wire.receiveText(`PUB ${flat(tokens)} 2\r\nhi\r\n`);
    await settled();
    expect(route.wire.takeText() === `RMSG A ${flat(tokens)} 2\r\nhi\r\n`).toBe(true);
    route.wire.receiveText(`RS- A ${wild(tokens)}\r\nRS+ A ${wild(tokens)}.>\r\n`);
    await settled();
    expect(route.session.isOpen).toBe(true);
    expect(route.session.interests.size).toBe(1);
    route.wire.hangUp();
    client.wire.hangUp();
  });

  it("crosses from account to account, as a request with its response and as a stream", async () => {
    const [responder, requester] = [stack.clientIn("A"), stack.clientIn("B", '"no_responders":true')];
    responder.wire.receiveText(`SUB ${wild(tokens)} 1\r\n`);
    await settled();
    requester.wire.receiveText(`SUB inbox 9\r\nPUB out.${flat(tokens)} inbox 2\r\nhi\r\n`);
    await settled();
    const request = responder.wire.takeText();
    expect(request.startsWith(`HMSG ${flat(tokens)} 1 _R_.`)).toBe(true);
    const reply = /(_R_\.\S+) /.exec(request)![1]!;
    responder.wire.receiveText(`PUB ${reply} 2\r\nok\r\n`);
    await settled();
    expect(requester.wire.takeText()).toBe("MSG inbox 9 2\r\nok\r\n");
    requester.wire.receiveText(`SUB in.${wild(tokens)} 8\r\n`);
    await settled();
    responder.wire.receiveText(`PUB ${flat(tokens)} 2\r\nhi\r\n`);
    await settled();
    expect(requester.wire.takeText() === `MSG in.${flat(tokens)} 8 2\r\nhi\r\n`).toBe(true);
    for (const { wire } of [responder, requester]) wire.hangUp();
  });

  it("is a reply subject of a request that crosses", async () => {
    const [responder, requester] = [stack.clientIn("A"), stack.clientIn("B")];
    responder.wire.receiveText("SUB help 1\r\n");
    await settled();
    requester.wire.receiveText(`SUB ${wild(tokens)} 9\r\nPUB out.help ${flat(tokens)} 0\r\n\r\n`);
    await settled();
    const reply = /(_R_\.\S+) /.exec(responder.wire.takeText())![1]!;
    responder.wire.receiveText(`PUB ${reply} 2\r\nok\r\n`);
    await settled();
    expect(requester.wire.takeText() === `MSG ${flat(tokens)} 9 2\r\nok\r\n`).toBe(true);
    for (const { wire } of [responder, requester]) wire.hangUp();
  });
});

it("a thousand patterns of thousands of tokens are listed and given back", () => {
  const client = stack.clientIn("A");
  for (let i = 0; i < 1000; i++) client.wire.receiveText(`SUB u${i}.${wild(200)} ${i}\r\n`);
  expect([...stack.accounts.get("A")!.interest.items()]).toHaveLength(1000);
  client.wire.hangUp();
});
