/** What a member does before its first client comes: nothing of it is seen. */
import { expect, it } from "vitest";
import { silentLogger } from "../../src/base/logger.ts";
import type { ClientLimits } from "../../src/links/client/host.ts";
import type { ClusterSettings } from "../../src/ports/cluster/cluster-port-options.ts";
import { warmUp } from "../../src/app/warm-up.ts";
import { waitFor } from "../support/cluster-wait.ts";

const LIMITS: ClientLimits = {
  maxPayloadBytes: 1,
  maxControlLineBytes: 10,
  maxPendingBytes: 64 * 1024 * 1024,
  writeDeadlineMs: 10_000,
  maxSubscriptions: 1,
  maxSubscriptionTokens: null,
  pingIntervalMs: 120_000,
  pingMax: 2,
  noHeaders: false,
  dropsForSlow: false,
  authTimeoutMs: 2000,
};

/** Nobody who comes may be let in, and the rehearsal takes place. */
const ROUTES: ClusterSettings = {
  noAdvertise: true,
  credentials: { user: "nobody", pass: "knows" },
  routes: [{ host: "127.0.0.1", port: 1, credentials: null }],
  discoveryIntervalMs: 30_000,
  permissions: { import: { allow: [], deny: [">"] }, export: { allow: [], deny: [">"] } },
  maxPayloadBytes: 1,
  certificateRule: { mapsToUser: true, checksKnownUrls: true },
  compression: { mode: "s2_fast", rttThresholdsMs: [] },
  limits: {
    maxControlLineBytes: 4096,
    maxPendingBytes: 64 * 1024 * 1024,
    writeDeadlineMs: 10_000,
    pingIntervalMs: 120_000,
    pingMax: 2,
  },
};

const sockets = (): number =>
  process.getActiveResourcesInfo().filter((name) => /^TCP(Socket|Server)Wrap$/.test(name)).length;

it("has whole conversations, and members that meet, whatever the limits, and leaves no connection behind", async () => {
  const before = sockets();
  const asked = new Set<number>();
  const lines: string[] = [];
  const logger = {
    ...silentLogger,
    debug: (message: string, fields?: object) => void lines.push(message + JSON.stringify(fields)),
  };
  const options = {
    limits: LIMITS,
    routes: ROUTES,
    deadlineMs: 60_000,
    logger,
    signal: new AbortController().signal,
    info: ({ cid }: { cid: number }) => {
      asked.add(cid);
      return `INFO {"client_id":${cid}}\r\n`;
    },
  };
  await warmUp(options);
  expect(lines).toEqual([]);
  expect([...asked]).toEqual([1, 2, 3, 4, 5]);
  await waitFor("the sockets to close", () => sockets() === before);
});
