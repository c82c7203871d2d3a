/** Names of accounts are text in the server and UTF-8 on its wires. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { writeText } from "../../src/slab/memory.ts";
import type { AccountDefinition } from "../../src/core/definitions.ts";
import { Stack } from "./stack.ts";

const NAME = "Zoë\u0122\u{1f41f}";
const BYTES = Buffer.from(NAME).toString("latin1");
const LIMITS = { maxConnections: null, maxSubscriptions: null, maxPayloadBytes: null };

let stack: Stack;

beforeEach(() => {
  const empty = { streamExports: [], serviceExports: [], streamImports: [], serviceImports: [] };
  const accounts: AccountDefinition[] = [{ ...empty, name: NAME, limits: LIMITS }];
  stack = new Stack({ accounts: { definition: { accounts, systemAccount: null } } });
});

afterEach(() => {
  stack.accounts[Symbol.dispose]();
});

it("a route and a client of an account with any name hear each other", () => {
  const route = stack.route();
  const client = stack.clientIn(BYTES);
  expect(client.session.account.name).toBe(NAME);
  client.wire.receiveText("SUB a 1\r\n");
  route.wire.receiveText(`RS+ ${BYTES} b\r\nRS+ ${BYTES} b q 1\r\nRMSG ${BYTES} a 2\r\nhi\r\n`);
  expect(client.wire.takeText()).toBe("MSG a 1 2\r\nhi\r\n");
  client.wire.receiveText("PUB b 2\r\nho\r\n");
  expect(route.wire.takeText()).toBe(`RMSG ${BYTES} b | q 2\r\nho\r\n`);
  route.session.tellInterest(NAME, { subject: "a", queue: null, count: 1 });
  route.session.outbox.flush();
  expect(route.wire.takeText()).toBe(`RS+ ${BYTES} a\r\n`);
  route.wire.receiveText(`RS- ${BYTES} b\r\nRS- ${BYTES} b q\r\n`);
  expect(route.session.interests.size).toBe(0);
});

it("the route of a pinned account with any name does not name it", () => {
  const route = stack.route({ account: NAME });
  const client = stack.clientIn(BYTES);
  client.wire.receiveText("SUB a 1\r\n");
  route.wire.receiveText("RS+ b\r\nRMSG a 2\r\nhi\r\n");
  expect(client.wire.takeText()).toBe("MSG a 1 2\r\nhi\r\n");
  client.wire.receiveText("PUB b 2\r\nho\r\n");
  expect(route.wire.takeText()).toBe("RMSG b 2\r\nho\r\n");
});

it("what a peer says of itself comes back on one line, in UTF-8", () => {
  const route = stack.route();
  route.session.closeSaying("Rejecting \u010d\u010a Zoë\r\nRS+ $G x", "Cluster Name Conflict");
  expect(route.wire.take().toString("utf8")).toBe("-ERR 'Rejecting \u010d\u010a Zoë??RS+ $G x'\r\n");
});

it("text that is no byte string does not get into the slab", () => {
  expect(writeText(0, "\xff\0")).toBe(2);
  expect(() => writeText(0, "a\u0122")).toThrow("bug: text that goes into the slab is a byte string");
});
