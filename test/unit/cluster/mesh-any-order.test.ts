import fc from "fast-check";
import { test } from "vitest";
import { seededRandom } from "../../../src/base/random.ts";
import { meshOptions } from "../../../src/cluster/mesh-options.ts";
import { createMesh } from "../../../src/cluster/mesh.ts";
import type { ConnId, Mesh, MeshAction, MeshEvent } from "../../../src/cluster/mesh-types.ts";
import { info } from "./mesh-driver.ts";

const LIMITS = {
  peersMax: 4,
  addressesMax: 8,
  handshakesMax: 4,
  dialsInFlightMax: 3,
  gossipPerSecondMax: 20,
};

const hosts = fc.constantFrom("a", "b", "c", "d", "e", "f");
const ids = fc.constantFrom("M", "A", "B", "C", "Y", "Z");
const conns = fc.integer({ min: 1, max: 12 });
const anyInfo = fc
  .record({
    id: ids,
    name: fc.constantFrom("own", "one", "two", "three"),
    host: hosts,
    ip: fc.constantFrom("", "nats-route://a:6222/", "nats-route://[::1]:1/", "nonsense"),
    cluster: fc.constantFrom("C", "C", "C", "D"),
    routePoolSize: fc.constantFrom(0, 1, 3),
    routePoolIdx: fc.integer({ min: -1, max: 4 }),
    routeAccount: fc.constantFrom("", "", "$SYS", "X"),
    gossipMode: fc.constantFrom(0 as const, 1 as const, 2 as const),
    shoal: fc.boolean(),
  })
  .map((fields) => info(fields.id, fields));

const anyEvent: fc.Arbitrary<MeshEvent> = fc.oneof(
  fc
    .array(hosts, { maxLength: 6 })
    .map((all) => all.map((host) => ({ host, port: 6222 })))
    .map((peers) => ({ kind: "sourceChanged", source: "routes", origin: "explicit", peers }) as const),
  fc.record({
    kind: fc.constant("dialSucceeded" as const),
    dialId: fc.integer({ min: 1, max: 9 }),
    connId: conns,
  }),
  fc.record({
    kind: fc.constant("dialFailed" as const),
    dialId: fc.integer({ min: 1, max: 9 }),
    error: fc.constant("refused" as const),
    detail: fc.constant("refused"),
  }),
  fc.record({ kind: fc.constant("connAccepted" as const), connId: conns, remoteIp: hosts }),
  fc.record({ kind: fc.constant("handshakeInfo" as const), connId: conns, info: anyInfo }),
  fc.record({ kind: fc.constant("handshakeInfo" as const), connId: conns, info: anyInfo }),
  fc.record({ kind: fc.constant("routeConfirmed" as const), connId: conns }),
  fc.record({ kind: fc.constant("routeClosed" as const), connId: conns, reason: fc.constant("Read Error") }),
  fc.record({ kind: fc.constant("gossipReceived" as const), connId: conns, info: anyInfo }),
  fc.constant({ kind: "tick" } as const),
);

/** What the acting side would know: which connections are open, and which of them are registered. */
class Ledger {
  readonly open = new Set<ConnId>();
  readonly registered = new Set<ConnId>();
  readonly dials = new Set<number>();
  private readonly used = new Set<ConnId>();

  /** False: this cannot happen, as a number is never reused and a dial ends once. */
  begin(event: MeshEvent): boolean {
    if (event.kind === "dialFailed") return this.dials.delete(event.dialId);
    if (event.kind === "routeClosed") {
      this.registered.delete(event.connId);
      return this.open.delete(event.connId);
    }
    if (event.kind !== "connAccepted" && event.kind !== "dialSucceeded") return true;
    if (this.used.has(event.connId)) return false;
    if (event.kind === "dialSucceeded" && !this.dials.delete(event.dialId)) return false;
    this.used.add(event.connId);
    this.open.add(event.connId);
    return true;
  }

  apply(action: MeshAction): void {
    if (action.kind === "dial") this.dials.add(action.dialId);
    if (action.kind === "cancelDial") this.dials.delete(action.dialId);
    if (action.kind === "register") {
      if (!this.open.has(action.connId)) throw new Error(`registers ${action.connId}, which is not open`);
      if (this.registered.has(action.connId)) throw new Error(`registers ${action.connId} twice`);
      this.registered.add(action.connId);
    }
    if (action.kind === "close") {
      if (!this.open.delete(action.connId)) throw new Error(`closes ${action.connId}, which is not open`);
      this.registered.delete(action.connId);
    }
    if (action.kind === "announce" && !action.connIds.every((id) => this.registered.has(id))) {
      throw new Error("announces on a connection that is not registered");
    }
  }
}

function checkTables(mesh: Mesh, ledger: Ledger, nowMs: number): void {
  const snapshot = mesh.snapshot(nowMs);
  const { peers, addresses, handshakesOpen, dialsInFlight } = snapshot;
  if (peers.length > LIMITS.peersMax || addresses.length > LIMITS.addressesMax)
    throw new Error("too many rows");
  if (handshakesOpen !== ledger.open.size - ledger.registered.size)
    throw new Error("handshakes are miscounted");
  if (dialsInFlight !== ledger.dials.size || dialsInFlight > LIMITS.dialsInFlightMax)
    throw new Error("dials differ");
  const inSlots = peers.flatMap((peer) => [...peer.slots, ...peer.accounts.map(({ connId }) => connId)]);
  const routes = inSlots.filter((connId) => connId !== undefined);
  if (new Set(routes).size !== routes.length) throw new Error("one connection in two slots");
  for (const connId of routes)
    if (!ledger.registered.has(connId)) throw new Error(`${connId} is not registered`);
  if (new Set(peers.map((peer) => peer.name)).size !== peers.length) throw new Error("two peers of one name");
  if (snapshot.size.connected !== 1 + peers.length) throw new Error("the size is miscounted");
}

test("whatever happens in whatever order, tables stay bounded and agree with what was asked of the acting side", () => {
  const steps = fc.array(fc.tuple(anyEvent, fc.integer({ min: 0, max: 700 })), { maxLength: 120 });
  fc.assert(
    fc.property(steps, fc.integer(), (events, seed) => {
      const options = { id: "M", name: "own", clusterName: "C", pinnedAccounts: ["$SYS"], limits: LIMITS };
      const mesh = createMesh(
        meshOptions({ ...options, poolSize: 2, giveUpAfterMs: 3000 }),
        seededRandom(seed),
        0,
      );
      const ledger = new Ledger();
      let nowMs = 0;
      for (const [event, laterMs] of events) {
        nowMs += laterMs;
        if (!ledger.begin(event)) continue;
        for (const action of mesh.step(event, nowMs)) ledger.apply(action);
        checkTables(mesh, ledger, nowMs);
      }
    }),
    { numRuns: 300 },
  );
});
