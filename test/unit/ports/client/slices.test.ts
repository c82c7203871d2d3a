/** Work for each of many clients is done in slices, and has been done when a reload is answered. */
import { beforeEach, expect, it } from "vitest";
import { VirtualClock } from "../../../../src/base/clock.ts";
import { silentLogger } from "../../../../src/base/logger.ts";
import type { ClientSession } from "../../../../src/links/client/session.ts";
import { Turn } from "../../../../src/links/trunk/turn.ts";
import { ClientPort, type ClientPortOptions } from "../../../../src/ports/client/client-port.ts";

const CLIENTS = 3000;

const acts = { sendInfo: 0, recheckGrant: 0, onLimitsChanged: 0, onRulesChanged: 0, onPeerError: 0 };
let turn: Turn;
let port: ClientPort;

/** Counts what is done with it. */
function counting(): ClientSession {
  const entries = Object.keys(acts).map((name): [string, () => number] => [
    name,
    () => acts[name as keyof typeof acts]++,
  ]);
  const account = { name: "A", limits: { maxConnections: null }, connections: 0 };
  const outbox = { flush: () => undefined };
  const session = { isOpen: true, account, outbox, ...Object.fromEntries(entries) };
  return { ...session, introduction: session } as unknown as ClientSession;
}

beforeEach(() => {
  turn = new Turn(new VirtualClock(1));
  const options = { turn, logger: silentLogger, limits: {}, maxConnections: null, tls: null };
  port = new ClientPort(options as unknown as ClientPortOptions);
  for (let i = 0; i < CLIENTS; i++) port.sessions.set(i, counting());
  for (const name of Object.keys(acts)) acts[name as keyof typeof acts] = 0;
});

it.each([
  ["sendInfo", () => port.sendInfoToAll()],
  ["recheckGrant", () => port.recheckGrants()],
  ["onLimitsChanged", () => port.applyLimits({} as ClientPortOptions["limits"], null)],
  ["onRulesChanged", () => port.recheckAccounts()],
] as const)("%s is called for some at once, and for all in the end", async (name, act) => {
  act();
  expect(acts[name]).toBeGreaterThan(0);
  expect(acts[name]).toBeLessThanOrEqual(CLIENTS / 10);
  await turn.chores.caughtUp();
  expect(acts[name]).toBe(CLIENTS);
});

it("clients above a new limit are closed in slices", async () => {
  port.applyLimits({} as ClientPortOptions["limits"], 100);
  expect(acts.onPeerError).toBe(0);
  await turn.chores.caughtUp();
  expect(acts.onPeerError).toBe(CLIENTS - 100);
});

it("clients are not told twice what they have not been told once", async () => {
  port.recheckGrants();
  for (let i = 0; i < 10; i++) port.sendInfoToAll();
  await turn.chores.caughtUp();
  expect(acts.sendInfo).toBe(CLIENTS);
  port.sendInfoToAll();
  await turn.chores.caughtUp();
  expect(acts.sendInfo).toBe(2 * CLIENTS);
});
