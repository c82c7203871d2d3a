/** Traced messages between sessions, without a network. What servers tell of them is compared in test/interop/message-tracing.test.ts. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { slabSnapshot } from "../../../src/slab/chunks.ts";
import type { AccountDefinition } from "../../../src/core/definitions.ts";
import { Stack } from "../../property/stack.ts";

const NO_LIMITS = { maxConnections: null, maxSubscriptions: null, maxPayloadBytes: null };
const PARENT = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

let stack: Stack;
let traces: { destination: string; events: Record<string, unknown>[] }[];
beforeEach(() => use([]));
afterEach(() => stack.accounts[Symbol.dispose]());

function use(accounts: readonly AccountDefinition[]): void {
  stack = new Stack({ accounts: { definition: { accounts, systemAccount: "$SYS" } } });
  traces = [];
  stack.accounts.onTrace = (_account, trace) => {
    const { events } = JSON.parse(trace.toJson({})) as { events: Record<string, unknown>[] };
    traces.push({ destination: trace.destination, events });
  };
}

function account(name: string, parts: Partial<AccountDefinition>): AccountDefinition {
  const none = { streamExports: [], serviceExports: [], streamImports: [], serviceImports: [] };
  return { name, limits: NO_LIMITS, ...none, ...parts };
}

const hpub = (subject: string, ...lines: string[]): string => {
  const block = `NATS/1.0\r\n${lines.map((line) => `${line}\r\n`).join("")}\r\n`;
  return `HPUB ${subject} ${block.length} ${block.length + 2}\r\n${block}hi\r\n`;
};

it("traces those of many messages with one head that ask for it", () => {
  const [publisher, reader] = [stack.client(), stack.client()];
  reader.wire.receiveText("SUB a 1\r\n");
  const [traced, plain] = [hpub("a", "Nats-Trace-Dest: d"), hpub("a", "Nats-Plain-Dest: d")];
  publisher.wire.receiveText(plain + plain + traced + plain + traced + traced);
  expect(reader.wire.takeText().match(/HMSG a 1 /g)).toHaveLength(6);
  expect(traces.map(({ destination, events }) => [destination, events.length])).toEqual([
    ["d", 2],
    ["d", 2],
    ["d", 2],
  ]);
});

it("traces those of many routed messages with one head, in a route's words", () => {
  const reader = stack.client();
  reader.wire.receiveText("SUB a 1\r\n");
  const routed = (line: string): string => hpub("a", line).replace("HPUB ", "HMSG $G ");
  const [traced, plain] = [routed("Nats-Trace-Dest: d"), routed("Nats-Plain-Dest: d")];
  stack.route().wire.receiveText(plain + plain + traced + plain + traced);
  expect(reader.wire.takeText().match(/HMSG a 1 /g)).toHaveLength(5);
  expect(traces.map(({ events }) => events.map(({ type, kind }) => [type, kind]))).toEqual(
    [0, 0].map(() => [
      ["in", 1],
      ["eg", 0],
    ]),
  );
});

it("draws a share of what has a traceparent, and has no other server trace the rest", () => {
  use([account("A", { trace: { destination: "d", sampling: 10 } })]);
  const [publisher, reader] = [stack.clientIn("A"), stack.clientIn("A")];
  reader.wire.receiveText("SUB a 1\r\n");
  publisher.wire.receiveText(hpub("a", PARENT).repeat(1000));
  const disabled = reader.wire.takeText().match(/Nats-Trace-Dest: trace disabled/g)!.length;
  expect(disabled + traces.length).toBe(1000);
  expect(traces.length).toBeGreaterThan(60);
  expect(traces.length).toBeLessThan(160);
});

it("traces what is larger than a chunk, in deliveries and on routes", () => {
  const [publisher, reader, route] = [stack.client(), stack.client(), stack.route()];
  reader.wire.receiveText("SUB a 1\r\n");
  route.wire.receiveText("RS+ $G a\r\n");
  const block = "NATS/1.0\r\nNats-Trace-Dest: d\r\n\r\n";
  const payload = "x".repeat(200_000);
  publisher.wire.receiveText(
    `HPUB a ${block.length} ${block.length + payload.length}\r\n${block}${payload}\r\n`,
  );
  expect(reader.wire.takeText()).toBe(
    `HMSG a 1 ${block.length} ${block.length + payload.length}\r\n${block}${payload}\r\n`,
  );
  const hop = block.replace("\r\n\r\n", "\r\nNats-Trace-Hop: 1\r\n\r\n");
  expect(route.wire.takeText()).toBe(
    `HMSG $G a ${hop.length} ${hop.length + payload.length}\r\n${hop}${payload}\r\n`,
  );
  expect(traces[0]?.events).toHaveLength(3);
});

it("gives back its memory, and owes no more responses than before", () => {
  const service = {
    subject: "s",
    accounts: null,
    responseType: "singleton",
    responseThresholdMs: 1000,
  } as const;
  use([
    account("A", { serviceExports: [{ ...service, latency: null, allowTrace: true }] }),
    account("B", { serviceImports: [{ account: "A", subject: "s", to: "s", share: false }] }),
  ]);
  const before = slabSnapshot().chunksInUse;
  const [publisher, server] = [stack.clientIn("B"), stack.clientIn("A")];
  server.wire.receiveText("SUB s 1\r\n");
  publisher.wire.receiveText("SUB inbox 1\r\n");
  const block = "NATS/1.0\r\nNats-Trace-Dest: d\r\nNats-Trace-Only: 1\r\n\r\n";
  publisher.wire.receiveText(`HPUB s inbox ${block.length} ${block.length}\r\n${block}\r\n`.repeat(20));
  expect([server.wire.takeText(), publisher.wire.takeText()]).toEqual(["", ""]);
  expect(traces).toHaveLength(20);
  expect(stack.accounts.get("A")?.responses.size).toBe(0);
  publisher.wire.hangUp();
  server.wire.hangUp();
  expect(slabSnapshot().chunksInUse).toBe(before);
});

it("says no more of a traced message than of others to whom nobody listens", () => {
  const publisher = stack.client(`"no_responders":true`);
  publisher.wire.receiveText("SUB inbox 1\r\n");
  publisher.wire.receiveText(hpub("a inbox", "Nats-Trace-Dest: d"));
  expect(publisher.wire.takeText()).toContain("NATS/1.0 503\r\n");
});
