/** How many series metrics can make: each bound, and what happens there. */
import { describe, expect, it } from "vitest";
import { PeerLedger } from "../../../src/ports/cluster/peer-ledger.ts";
import type { RouteSession } from "../../../src/links/route/session.ts";
import { CLIENT_CLOSED } from "../../../src/protocol/close-cause.ts";
import { boundedAccounts, type Summed } from "../../../src/metrics/family.ts";
import { readings } from "../../../src/metrics/documents.ts";

function account(name: string, figure: number): Summed {
  return {
    name,
    connections: figure,
    leafNodes: figure,
    subscriptions: figure,
    inMessages: figure,
    inBytes: figure,
    outMessages: figure,
    outBytes: figure,
    slowConsumers: figure,
    droppedMessages: figure,
    droppedBytes: figure,
  };
}

describe("accounts", () => {
  it("beyond the bound are counted together", () => {
    const accounts = ["a", "b", "c", "d"].map((name, i) => account(name, i + 1));
    expect(boundedAccounts(accounts, 4)).toEqual(accounts);
    expect(boundedAccounts(accounts, 2)).toEqual([accounts[0], accounts[1], account("other", 7)]);
  });

  it("are two hundred at most", () => {
    const accounts = Array.from({ length: 5000 }, (_, i) => account(`a${i}`, 1));
    const shown = boundedAccounts(accounts);
    expect(shown).toHaveLength(201);
    expect(shown.at(-1)).toEqual(account("other", 4800));
  });
});

/** A registered route that has carried `messages` both ways. */
function route(peerName: string, messages: number, poolIndex = 0): RouteSession {
  return {
    registration: { peerId: peerName, peerName, account: null, poolIndex },
    inMessages: messages,
    outMessages: messages,
    inBytes: 0,
    outBytes: 0,
    droppedMessages: 0,
    droppedBytes: 0,
    closeCause: CLIENT_CLOSED,
    outbox: { pendingBytes: 7 },
    heartbeat: { roundTripMs: poolIndex + 1 },
  } as unknown as RouteSession;
}

function shown(ledger: PeerLedger): [string, number, number][] {
  return ledger.snapshot().map(({ name, inMessages, connections }) => [name, inMessages, connections]);
}

describe("other servers", () => {
  it("are told by name, the connections of each together", () => {
    const ledger = new PeerLedger();
    for (const session of [route("a", 1, 0), route("a", 2, 1), route("b", 4)]) ledger.registered(session);
    expect(shown(ledger)).toEqual([
      ["a", 3, 2],
      ["b", 4, 1],
    ]);
    expect(ledger.snapshot()[0]).toMatchObject({ pendingBytes: 14, roundTripMs: 2, reconnects: 0 });
  });

  it("count a connection as a new one where its place had one before", () => {
    const ledger = new PeerLedger();
    const session = route("a", 1);
    ledger.registered(session);
    ledger.closed(session);
    ledger.registered(route("a", 1));
    ledger.registered(route("a", 1, 1));
    expect(ledger.snapshot()[0]).toMatchObject({ inMessages: 3, reconnects: 1 });
  });

  it("beyond the bound take the place of the one that has been gone longest", () => {
    const ledger = new PeerLedger(3);
    const [a, b, c] = [route("a", 1), route("b", 2), route("c", 4)];
    for (const session of [a, b, c]) ledger.registered(session);
    for (const session of [b, a]) ledger.closed(session);
    ledger.registered(route("d", 8));
    expect(shown(ledger)).toEqual([
      ["c", 4, 1],
      ["a", 1, 0],
      ["d", 8, 1],
      ["other", 2, 0],
    ]);
  });

  it("that find no place are counted together, and no sum falls", () => {
    const ledger = new PeerLedger(1);
    ledger.registered(route("a", 1));
    const sessions = Array.from({ length: 50 }, (_, i) => route(`x${i}`, 1));
    for (const session of sessions) ledger.registered(session);
    expect(shown(ledger)).toEqual([
      ["a", 1, 1],
      ["other", 50, 50],
    ]);
    for (const session of sessions) ledger.closed(session);
    expect(shown(ledger)).toEqual([
      ["a", 1, 1],
      ["other", 50, 0],
    ]);
  });
});

describe("a document", () => {
  it("becomes names as prometheus-nats-exporter makes them", () => {
    const document = {
      server_id: "N",
      go: "go1",
      connections: 3,
      auth_required: true,
      tags: ["a"],
      start: "1970-01-01T00:00:02.5Z",
      missing: undefined,
      cluster: { name: "c", tls_timeout: 2, pool_size: 3 },
      http_req_stats: { "/": 1, "/varz": 2 },
      metadata: { "odd-name": 4, version: "5" },
    };
    expect([...readings(document)].map(({ name, value, text }) => [name, value, text])).toEqual([
      ["server_id", 1, "N"],
      ["connections", 3, null],
      ["start", 2500, null],
      ["cluster_name", 1, "c"],
      ["cluster_pool_size", 3, null],
      ["http_req_stats", 1, null],
      ["http_req_stats_varz", 2, null],
      ["metadata_version", 1, "5"],
    ]);
  });
});
