/** What the doctor reads in the documents of servers, and that a document of any form does no harm. */
import { expect, it } from "vitest";
import * as fc from "fast-check";
import { diagnose } from "../../../src/doctor/diagnose.ts";
import { linesOf } from "../../../src/doctor/findings.ts";
import { gather, type GatherHost, type Told } from "../../../src/doctor/gather.ts";
import { readServer, type ServerDocuments } from "../../../src/doctor/reading.ts";

const nothing = { id: "N1", name: "n1", varz: null, routez: null, healthz: null, leafHealthz: null };
const silent: ServerDocuments = { ...nothing, memberz: null, jsz: [], unanswered: [] };

const consumerDocument = {
  ...{ stream_name: "S", name: "C", created: "2026-01-01T00:00:00Z" },
  config: { max_ack_pending: 7, deliver_subject: "to", rate_limit_bps: 5 },
  delivered: { consumer_seq: 1, stream_seq: 1, last_active: "2026-01-01T00:01:00Z" },
  ...{ num_ack_pending: 2, num_waiting: 3, num_pending: 4, push_bound: true },
  ...{ paused: true, pause_remaining: 5e9 },
  cluster: { leader: "n1", replicas: [{ name: "n2", current: true, active: 2e6, lag: 1, offline: true }] },
};

const streamDocument = {
  name: "S",
  cluster: { name: "C", leader: "n2" },
  config: { max_msgs: 10, max_bytes: -1, discard: "new" },
  state: { messages: 9, bytes: 90, lost: { msgs: [3, 4], bytes: 2 } },
  mirror: { name: "M", lag: 5, active: -1, error: { description: "no rights" } },
  sources: [{ name: "O", lag: 0, active: 3e9 }],
  consumer_detail: [consumerDocument],
};

it("is what stands in them", () => {
  const read = readServer({
    ...silent,
    varz: { cluster: { name: "C" }, version: "2.15.3", connections: 4, max_connections: 8 },
    routez: { routes: [{ remote_id: "N2", remote_name: "n2" }, { remote_name: "n2" }] },
    healthz: { status: "error", errors: [{ type: "STREAM", account: "A", stream: "S", error: "is ill" }] },
    leafHealthz: { status: "unavailable", error: "leafnode remote is not connected" },
    memberz: {
      ...{ state: "lame duck", is_ready: false, reasons: ["lame duck"] },
      awaited: [{ server_name: "n3", address: "h:1", why: "refused" }],
      unserved: [{ account: "A", stream: "T", consumer: "", servers: ["n9"] }],
    },
    jsz: [
      {
        ...{ now: "2026-01-01T00:02:00Z", storage: 5, config: { max_storage: 50 } },
        meta_cluster: { name: "C", leader: "n2", cluster_size: 3, quorum_needed: 2, replicas: [] },
        account_details: [{ name: "A", stream_detail: [streamDocument] }],
      },
    ],
  });
  expect(read).toMatchObject({
    ...{ cluster: "C", version: "2.15.3", connections: 4, maxConnections: 8, isLameDuck: true },
    ...{ notReady: ["lame duck"], routes: ["n2"], lostLeaves: ["leafnode remote is not connected"] },
    complaints: [{ kind: "STREAM", account: "A", stream: "S", consumer: "", error: "is ill" }],
    awaited: [{ name: "n3", address: "h:1", why: "refused" }],
    unserved: [{ account: "A", stream: "T", consumer: "", servers: ["n9"] }],
    jetStream: {
      meta: { cluster: "C", leader: "n2", size: 3, quorum: 2, replicas: [] },
      ...{ storageBytes: 5, maxStorageBytes: 50 },
    },
  });
  const [stream] = read.jetStream?.streams ?? [];
  expect(stream).toMatchObject({
    ...{ account: "A", name: "S", group: { leader: "n2", replicas: [] }, messages: 9, bytes: 90, lost: 2 },
    ...{ maxMessages: 10, maxBytes: -1, refusesNew: true },
    origins: [
      { kind: "mirror", name: "M", lag: 5, silentMs: -1, error: "no rights" },
      { kind: "source", name: "O", lag: 0, silentMs: 3000, error: "" },
    ],
  });
  expect(stream?.consumers).toEqual([
    {
      ...{ name: "C", pending: 4, ackPending: 2, maxAckPending: 7, waiting: 3, deliverSubject: "to" },
      ...{ isBound: true, pausedForMs: 5000, quietMs: 60_000, isPaced: true },
      group: {
        leader: "n1",
        replicas: [{ name: "n2", isCurrent: true, isOffline: true, silentMs: 2, lag: 1 }],
      },
    },
  ]);
});

it("is nothing where a server keeps no streams", () => {
  expect(readServer({ ...silent, jsz: [{ disabled: true }] }).jetStream).toBeNull();
});

const KNOWN = [
  ...[
    "cluster",
    "name",
    "leader",
    "replicas",
    "config",
    "state",
    "lost",
    "msgs",
    "mirror",
    "sources",
    "errors",
  ],
  ...["consumer_detail", "stream_detail", "account_details", "meta_cluster", "routes", "awaited", "unserved"],
  ...["servers", "reasons", "is_ready", "error", "active", "lag", "now", "status", "num_pending", "paused"],
];

it("does no harm, whatever it is", () => {
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.constantFrom(null, true, false, 0, -1, 1e300, "n1", "", "2026-01-01T00:00:00Z"),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(fc.constantFrom(...KNOWN), tie("value"), { maxKeys: 5 }),
    ),
  }));
  const documents = fc.dictionary(fc.constantFrom(...KNOWN), value, { maxKeys: 8 });
  fc.assert(
    fc.property(fc.array(documents, { minLength: 6, maxLength: 8 }), (all) => {
      const [varz, routez, healthz, leafHealthz, memberz, ...jsz] = all as Record<string, unknown>[];
      const one = { id: "N1", name: "n1", varz: varz!, routez: routez!, healthz: healthz! };
      const read = readServer({ ...one, leafHealthz: leafHealthz!, memberz: memberz!, jsz, unanswered: [] });
      expect(linesOf(diagnose([read, { ...read, id: "N2", name: "n2" }])).length).toBeGreaterThan(0);
    }),
    { numRuns: 300 },
  );
});

/** Servers with so many accounts each; `except`: questions that are not answered. */
function hostOf(
  accounts: readonly number[],
  except: readonly string[] = [],
): GatherHost & { asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    everybody: async (kind, options, expected) => {
      const { offset = 0 } = options as { offset?: number };
      asked.push(`${kind} ${offset} ${expected}`);
      return accounts.flatMap((total, i): Told[] => {
        const [id, name] = [`N${i}`, `n${i}`];
        if (except.includes(`${name} ${kind}`)) return [];
        if (except.includes(`${name} ${kind} refused`)) return [{ id, name, data: null, error: "no" }];
        const metadata = i === 0 ? { shoal_version: "1" } : {};
        return [{ id, name, error: "", data: kind === "VARZ" ? { metadata } : { total, offset } }];
      });
    },
  };
}

it("is asked for page by page, and of shoals alone what only they know", async () => {
  const host = hostOf([130, 3]);
  const documents = await gather(host);
  expect(host.asked).toEqual([
    "ROUTEZ 0 null",
    ...["VARZ 0 2", "HEALTHZ 0 2", "HEALTHZ 0 2", "JSZ 0 2", "JSZ 64 2", "JSZ 128 2", "MEMBERZ 0 1"],
  ]);
  expect(documents.map(({ jsz }) => jsz.length)).toEqual([3, 3]);
  expect(documents.map(({ memberz }) => memberz === null)).toEqual([false, true]);
  expect(documents.map(({ unanswered }) => unanswered)).toEqual([[], []]);
});

it("that is missing is named", async () => {
  const documents = await gather(hostOf([1, 1], ["n1 HEALTHZ", "n1 JSZ refused", "n0 MEMBERZ"]));
  expect(documents.map(({ unanswered }) => unanswered)).toEqual([
    ["MEMBERZ in time"],
    ["HEALTHZ in time", "HEALTHZ about leaf connections in time", "JSZ: no"],
  ]);
});

it("is nothing where nobody answers", async () => {
  expect(await gather(hostOf([]))).toEqual([]);
});
