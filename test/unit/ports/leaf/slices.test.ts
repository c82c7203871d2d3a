/** Work for each of many leaf connections is done in slices, and has been done when a reload is answered. */
import { beforeEach, expect, it } from "vitest";
import { VirtualClock } from "../../../../src/base/clock.ts";
import type { LeafSession } from "../../../../src/links/leaf/session.ts";
import { Turn } from "../../../../src/links/trunk/turn.ts";
import { LeafPort, type LeafPortOptions } from "../../../../src/ports/leaf/leaf-port.ts";

const CONNECTIONS = 5000;

const acts = { sayInfo: 0, recheckGrant: 0, onLimitsChanged: 0, followTracing: 0 };
const rechecked: number[] = [];
let turn: Turn;
let port: LeafPort;

/** Counts what is done with it. */
function counting(lid: number): LeafSession {
  const count = (name: keyof typeof acts) => (): void => void acts[name]++;
  const session = {
    sayInfo: count("sayInfo"),
    onLimitsChanged: count("onLimitsChanged"),
    followTracing: count("followTracing"),
    followCompression: () => undefined,
    recheckGrant: () => acts.recheckGrant++ + rechecked.push(lid),
  };
  return session as unknown as LeafSession;
}

beforeEach(() => {
  turn = new Turn(new VirtualClock(1));
  const options = { turn, settings: { remotes: [] } };
  port = new LeafPort(options as unknown as LeafPortOptions);
  rechecked.length = 0;
  for (let lid = 0; lid < CONNECTIONS; lid++) port.sessions.set(lid, counting(lid));
  for (const name of Object.keys(acts)) acts[name as keyof typeof acts] = 0;
});

it.each([
  ["sayInfo", () => port.sayInfoToAll()],
  ["recheckGrant", () => port.recheckGrants()],
  ["onLimitsChanged", () => port.reconfigure(port.settings.current)],
  ["followTracing", () => port.followTracing()],
] as const)("%s is called for some at once, and for all in the end", async (name, act) => {
  act();
  expect(acts[name]).toBeGreaterThan(0);
  expect(acts[name]).toBeLessThanOrEqual(CONNECTIONS / 5);
  await turn.chores.caughtUp();
  expect(acts[name]).toBe(CONNECTIONS);
});

it("looks again at the newest first, so that those beyond a limit go", async () => {
  port.recheckGrants();
  await turn.chores.caughtUp();
  expect(rechecked.slice(0, 3)).toEqual([CONNECTIONS - 1, CONNECTIONS - 2, CONNECTIONS - 3]);
  expect(rechecked.length).toBe(CONNECTIONS);
});
