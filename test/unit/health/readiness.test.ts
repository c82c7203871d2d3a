/** Whether a server is ready, and why not: the judgement alone. */
import { describe, expect, it } from "vitest";
import type { DiscoverySnapshot } from "../../../src/discovery/discovery.ts";
import { VirtualClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { ReadinessWatch } from "../../../src/health/readiness-watch.ts";
import { judgeReadiness, type ReadinessInput, type StreamsStanding } from "../../../src/health/readiness.ts";
import type { AddressSnapshot, MeshSnapshot, PeerSnapshot } from "../../../src/cluster/mesh-types.ts";

function mesh(peers: readonly PeerSnapshot[], addresses: readonly AddressSnapshot[] = []): MeshSnapshot {
  const size = { connected: 1 + peers.length, wanted: 1 + peers.length };
  return {
    size,
    complete: true,
    peers,
    addresses,
    dialsWaiting: 0,
    alarms: 0,
    dialsInFlight: 0,
    handshakesOpen: 0,
    handshakesCrowdedOut: 0,
    gossipDropped: 0,
  };
}

function peer(id: string, slots: readonly (number | undefined)[] = [1, 2, 3]): PeerSnapshot {
  const address = `${id}:6222`;
  const role = { noPool: false, shoal: true, solicited: true, routeType: "explicit" } as const;
  return { id, name: `name-${id}`, address, ...role, joinedMs: 0, slots, accounts: [] };
}

function address(host: string, more: Partial<AddressSnapshot> = {}): AddressSnapshot {
  return { address: `${host}:6222`, state: "waiting", wantedBy: ["dns"], attempts: 1, ...more };
}

function judge(input: Partial<ReadinessInput>): ReturnType<typeof judgeReadiness> {
  return judgeReadiness({
    faults: 0,
    streams: null,
    streamsRule: "joining",
    restMs: null,
    stalledMs: 0,
    state: "ready",
    mesh: mesh([]),
    sources: [],
    hasBeenReady: false,
    waitedMs: 0,
    waitMs: 30_000,
    expect: 0,
    ...input,
  });
}

const dead = address("b", { attempts: 3, lastError: "connect ECONNREFUSED" });

describe("a server that starts", () => {
  it("is not ready before it listens", () => {
    expect(judge({ state: "starting" }).reasons).toEqual(["starting: does not listen yet"]);
  });

  it("is ready as the first of its cluster, and without a cluster", () => {
    expect(judge({})).toMatchObject({ isReady: true, reasons: [], missing: [], peers: { seen: 0 } });
    expect(judge({ mesh: null }).isReady).toBe(true);
  });

  it("does not wait for itself", () => {
    expect(judge({ mesh: mesh([], [address("a", { state: "self" })]) }).isReady).toBe(true);
  });

  it("waits until discovery has spoken", () => {
    expect(judge({ sources: [source("dns nats:6222", null)] }).reasons).toEqual([
      "no answer yet from dns nats:6222",
    ]);
  });

  it("waits for every server that is seen, with all its routes", () => {
    const snapshot = mesh(
      [peer("a"), peer("c", [1, undefined, 3])],
      [
        address("a", { state: "connected", leadsTo: "a" }),
        dead,
        address("d", { state: "handshaking" }),
        address("e", { state: "connected", leadsTo: "e", wantedBy: ["gossip"] }),
      ],
    );
    const { isReady, reasons, peers } = judge({ mesh: snapshot });
    expect(isReady).toBe(false);
    expect(reasons).toEqual([
      "no complete route to name-c (2 of 3 routes), b:6222 (connect ECONNREFUSED), " +
        "d:6222 (has answered, says who it is), e:6222 (its first route is being confirmed)",
    ]);
    expect(peers.seen).toBe(5);
    expect(peers.connected.map(({ name }) => name)).toEqual(["name-a"]);
    expect(peers.awaited[1]).toEqual({
      id: "",
      name: "",
      address: "b:6222",
      seenBy: ["dns"],
      attempts: 3,
      why: "connect ECONNREFUSED",
    });
  });

  it("waits for a server once that has several addresses", () => {
    const snapshot = mesh([], [address("b", { leadsTo: "b" }), address("b2", { leadsTo: "b" })]);
    expect(judge({ mesh: snapshot }).peers.seen).toBe(1);
  });

  it("names a few of many", () => {
    const snapshot = mesh(
      [],
      Array.from({ length: 9 }, (_, i) => address(`p${i}`)),
    );
    const { reasons, peers } = judge({ mesh: snapshot });
    expect(reasons[0]).toMatch(/p4:6222 \(waits to be dialled\) and 4 more$/);
    expect(peers.awaited).toHaveLength(9);
  });

  it("does not wait indefinitely for what is broken, and says so", () => {
    const late = judge({
      mesh: mesh([peer("a")], [dead]),
      sources: [source("kubernetes", null)],
      waitedMs: 30_000,
    });
    expect(late).toMatchObject({ isReady: true, reasons: [] });
    expect(late.missing).toEqual([
      "no answer yet from kubernetes",
      "no complete route to b:6222 (connect ECONNREFUSED)",
    ]);
  });
});

describe("a server that has been ready", () => {
  it("stays so when another one is lost, and tells of it", () => {
    const { isReady, missing } = judge({ mesh: mesh([], [dead]), hasBeenReady: true });
    expect([isReady, missing.length]).toEqual([true, 1]);
  });

  it.each(["lame duck", "stopped"] as const)("is not in the state %s, whatever else holds", (state) => {
    const { isReady, reasons, missing } = judge({ state, hasBeenReady: true, mesh: mesh([], [dead]) });
    expect([isReady, reasons, missing]).toEqual([false, [state], []]);
  });
});

describe("an expected number of servers", () => {
  it("is waited for, however long that takes", () => {
    const two = { mesh: mesh([peer("a")]), hasBeenReady: true, waitedMs: 1e9 };
    expect(judge({ ...two, expect: 3 }).reasons).toEqual(["2 of 3 expected servers, this one included"]);
    expect(judge({ ...two, expect: 2 }).isReady).toBe(true);
  });
});

describe("sources of discovery", () => {
  const waitedFor = (sources: readonly DiscoverySnapshot[]): readonly string[] => judge({ sources }).reasons;

  it("are waited for until they have answered, but for what is configured", () => {
    const sources = [source("routes", null), source("dns a", null), source("dns b", 5)];
    expect(waitedFor(sources)).toEqual(["no answer yet from dns a"]);
  });

  it("that fail are waited for where none has answered", () => {
    const denied = source("kubernetes", null, "403");
    expect(waitedFor([denied, source("dns a", null, "SERVFAIL")])).toEqual([
      "no answer yet from kubernetes (403), dns a (SERVFAIL)",
    ]);
    expect(waitedFor([denied, source("dns a", 5)])).toEqual([]);
  });

  it("that are names in DNS are waited for while they fail, whoever else has answered", () => {
    expect(waitedFor([source("dns a", 5), source("dns b", null, "SERVFAIL")])).toEqual([
      "no answer yet from dns b (SERVFAIL)",
    ]);
  });

  it("are waited for while they answer without an address, not even one of the server itself", () => {
    const nobody = { hasShown: false };
    const sources = [
      source("dns a", 5),
      source("dns b", 5, null, nobody),
      source("dns+srv c", 5, null, nobody),
    ];
    const { isReady, reasons, causes } = judge({ sources });
    expect([isReady, reasons, causes]).toEqual([
      false,
      ["no address of any server from dns b, dns+srv c"],
      ["discovery"],
    ]);
    expect(waitedFor([source("dns a", 5), source("kubernetes", 5, null, nobody)])).toEqual([
      "no address of any server from kubernetes",
    ]);
    const late = judge({ sources, waitedMs: 30_000 });
    expect([late.isReady, late.missing]).toEqual([true, reasons]);
    expect(judge({ sources, hasBeenReady: true }).isReady).toBe(true);
  });
});

function source(
  name: string,
  answerAgeMs: number | null,
  lastError: string | null = null,
  more: Partial<DiscoverySnapshot> = {},
): DiscoverySnapshot {
  const hasShown = answerAgeMs !== null;
  return { name, peers: [], lookups: 1, failures: 0, answerAgeMs, lastError, hasShown, ...more };
}

describe("a server that keeps streams with others", () => {
  const troubles = ["A > S: stream catching up: 7 messages to go"];

  it("waits for copies as long as they come nearer to what they should hold", () => {
    const waiting = judge({ streams: { troubles, behind: 7 }, waitedMs: 300_000, stalledMs: 1000 });
    expect(waiting).toMatchObject({ isReady: false, reasons: troubles, causes: ["streams"] });
  });

  it("names a copy that stays as it is, and does not wait for it indefinitely", () => {
    const late = judge({ streams: { troubles, behind: 7 }, waitedMs: 300_000, stalledMs: 30_000 });
    expect(late).toMatchObject({ isReady: true, reasons: [], missing: troubles });
  });

  it("stays ready when a copy falls behind later", () => {
    const later = judge({ streams: { troubles, behind: 7 }, hasBeenReady: true, stalledMs: 0 });
    expect(later).toMatchObject({ isReady: true, reasons: [], missing: troubles });
  });

  it("is judged by its copies whatever it was, where that is asked for", () => {
    const input = { streams: { troubles, behind: 7 }, hasBeenReady: true, stalledMs: 300_000 };
    const asked = judge({ ...input, streamsRule: "always" });
    expect(asked).toMatchObject({ isReady: false, reasons: troubles, causes: ["streams"] });
    expect(judge({ streams: { troubles: [], behind: 0 }, streamsRule: "always" }).isReady).toBe(true);
  });

  it("names a few of many", () => {
    const many = Array.from({ length: 9 }, (_, i) => `A > S${i}: group has no leader`);
    const { reasons } = judge({ streams: { troubles: many, behind: 0 } });
    expect(reasons).toHaveLength(6);
    expect(reasons[5]).toBe("4 more streams and consumers");
  });

  it("is ready once all are there, with progress that counts from the last one", () => {
    const clock = new VirtualClock();
    let streams: StreamsStanding = { troubles: ["no leader"], behind: Infinity };
    const watch = new ReadinessWatch({
      waitMs: 1000,
      clock,
      logger: silentLogger,
      facts: () => ({ state: "ready", mesh: null, sources: [], streams, faults: 0 }),
      isMeshComplete: () => true,
    });
    watch.begin();
    clock.advance(900);
    expect(watch.judge().isReady).toBe(false);
    for (let behind = 5; behind > 0; behind--) {
      streams = { troubles: ["catching up"], behind };
      clock.advance(900);
      expect(watch.judge().isReady).toBe(false);
    }
    clock.advance(1000);
    expect(watch.judge()).toMatchObject({ isReady: true, missing: ["catching up"] });
    expect(clock.timerCount).toBe(0);
  });

  it("estimates how long its copies take, from when they were first behind", () => {
    const clock = new VirtualClock();
    let behind = Infinity;
    const watch = new ReadinessWatch({
      waitMs: 1000,
      clock,
      logger: silentLogger,
      facts: () => ({
        ...{ state: "ready", mesh: null, sources: [], faults: 0 },
        streams: { troubles: behind === 0 ? [] : ["not current"], behind },
      }),
      isMeshComplete: () => true,
    });
    const estimate = (nowBehind: number, afterMs: number): number | null | undefined => {
      behind = nowBehind;
      clock.advance(afterMs);
      return watch.judge().streams?.restMs;
    };
    expect(estimate(Infinity, 0)).toBeNull();
    expect(estimate(1000, 100)).toBeNull();
    expect(estimate(900, 1000)).toBe(9000);
    expect(estimate(500, 1000)).toBe(2000);
    expect(estimate(2000, 1000)).toBeNull();
    expect(estimate(1000, 500)).toBe(500);
    expect(estimate(0, 500)).toBe(0);
    watch[Symbol.dispose]();
  });

  it("says no more in its log where it is asked strictly", () => {
    const clock = new VirtualClock();
    const lines: string[] = [];
    const logger = { ...silentLogger, info: (text: string) => void lines.push(text) };
    let streams: StreamsStanding = { troubles: [], behind: 0 };
    const watch = new ReadinessWatch({
      ...{ waitMs: 1000, clock, logger, isMeshComplete: () => true },
      facts: () => ({ state: "ready", mesh: null, sources: [], streams, faults: 0 }),
    });
    expect(watch.judge().isReady).toBe(true);
    streams = { troubles, behind: 7 };
    expect(watch.judge(0, "always").isReady).toBe(false);
    expect(watch.judge().isReady).toBe(true);
    expect(lines).toEqual(["Ready"]);
  });
});
