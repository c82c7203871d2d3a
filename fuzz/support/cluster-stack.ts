/**
 * The port of the other servers without a network: real sessions, mesh and table on memory wires, one port for each input. Dials
 * go nowhere until somebody answers them.
 */
import { assert } from "../../src/base/assert.ts";
import { VirtualClock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { seededRandom } from "../../src/base/random.ts";
import { slabSnapshot } from "../../src/slab/chunks.ts";
import type { ClusterPortOptions, ClusterSettings } from "../../src/ports/cluster/cluster-port-options.ts";
import { ClusterPort } from "../../src/ports/cluster/cluster-port.ts";
import type { ClusterEdge, DialOutcome } from "../../src/ports/cluster/route-network.ts";
import type { MeshEvent, PeerAddress } from "../../src/cluster/mesh-types.ts";
import { createMesh } from "../../src/cluster/mesh.ts";
import { Accounts } from "../../src/core/accounts.ts";
import { Turn } from "../../src/links/trunk/turn.ts";
import { finishChores } from "./finish-chores.ts";
import { clientInfoLine } from "../../src/protocol/info.ts";
import { readRouteInfo } from "../../src/protocol/route-info.ts";
import { serverLineMax } from "../../src/protocol/server-lines.ts";
import { MemoryWire } from "../../src/transport/memory.ts";
import { S2Wires } from "../../src/transport/s2-wire.ts";
import type { Wire } from "../../src/transport/wire.ts";

const LIMITS = {
  maxControlLineBytes: 1024,
  maxPendingBytes: 16 * 1024 * 1024,
  writeDeadlineMs: 10_000,
  pingIntervalMs: 5000,
  pingMax: 2,
};
export const SETTINGS: ClusterSettings = {
  noAdvertise: false,
  credentials: null,
  routes: [],
  discoveryIntervalMs: 1000,
  permissions: { import: null, export: null },
  maxPayloadBytes: 1000,
  certificateRule: null,
  compression: { mode: "accept", rttThresholdsMs: [] },
  limits: LIMITS,
};
/** Of one member, as members are told. */
const URLS_PER_MEMBER = 128;

/** What the harness reaches into. */
interface Inside {
  readonly runner: { feed(event: MeshEvent): void };
  readonly table: { readonly peerCount: number };
}

interface Dialled {
  readonly address: PeerAddress;
  readonly outcome: DialOutcome;
}

const clock = new VirtualClock(1_000_000);
const turn = new Turn(clock);
const accounts = new Accounts({ clock, random: seededRandom(1), serverHash: "hash" });
let connectionId = 5;

export class ClusterStack {
  readonly clock = clock;
  readonly accounts = accounts;
  readonly port: ClusterPort;
  readonly dialled: Dialled[] = [];
  private readonly wires: MemoryWire[] = [];
  /** Work for the next rounds of the event loop. */
  private rounds: (() => void)[] = [];
  private onWire: (wire: Wire) => void = () => undefined;
  private readonly inside: Inside;

  constructor(given: Partial<ClusterPortOptions>) {
    this.port = new ClusterPort({ ...this.options(), ...given });
    this.inside = this.port as unknown as Inside;
    void this.port.start();
    accounts.onInterest = (account, change) => this.port.tellInterest(account, change);
  }

  accept(): MemoryWire {
    const wire = this.wire();
    this.onWire(wire);
    return wire;
  }

  /** Somebody answers the dial. */
  answer({ outcome }: Dialled): MemoryWire {
    const wire = this.wire();
    outcome.connected(wire);
    return wire;
  }

  feed(event: MeshEvent): void {
    this.inside.runner.feed(event);
  }

  /** What waits to be read between messages. */
  readGossip(): void {
    for (let count = 0; this.rounds.length > 0 && count < 1000; count++) this.rounds.shift()!();
  }

  /** What a member was told it would take itself, as this server does. */
  checkTold(wire: MemoryWire): void {
    for (const line of wire.takeText().split("\r\n")) {
      assert(line.length + 2 <= serverLineMax(LIMITS), `a line of ${line.length} bytes is told`);
      if (!line.startsWith("INFO ")) continue;
      const info = readRouteInfo(line.slice("INFO ".length));
      assert(typeof info === "object", `INFO is told that is none: ${line}`);
    }
  }

  /** Ends everything; nothing may be left of it. */
  end(): void {
    const { peers = [] } = this.port.snapshot() ?? {};
    const urls = this.port.otherConnectUrls("inside").length;
    assert(
      urls <= URLS_PER_MEMBER * Math.max(1, peers.length + 8),
      `${urls} URLs of ${peers.length} members`,
    );
    for (const wire of this.wires) {
      wire.completeWrite();
      wire.hangUp();
    }
    this.readGossip();
    this.port.stop();
    finishChores(turn);
    assert(this.port.sessions.size === 0, `${this.port.sessions.size} sessions are left`);
    assert(this.inside.table.peerCount === 0, `${this.inside.table.peerCount} peers are left`);
    for (const { interest, localInterest } of accounts) {
      assert(interest.size === 0, `${interest.size} subscriptions are left`);
      assert(localInterest.size === 0, "neighbours believe in interest that has ended");
      interest.evictAll();
    }
    assert(clock.timerCount === 0, `${clock.timerCount} timers are left`);
    const { chunksInUse } = slabSnapshot();
    assert(chunksInUse === 0, `${chunksInUse} chunks are left`);
  }

  private wire(): MemoryWire {
    const wire = new MemoryWire();
    this.wires.push(wire);
    return wire;
  }

  private options(): ClusterPortOptions {
    return {
      identity: { id: "NSELF", name: "self" },
      name: "c",
      isNameDynamic: false,
      host: "127.0.0.1",
      port: 6222,
      advertise: null,
      settings: SETTINGS,
      toldClients: () => 5,
      kubernetes: null,
      keepsStreams: false,
      poolSize: 3,
      pinnedAccounts: ["A"],
      connectRetries: 0,
      connectBackoff: false,
      noHeaders: false,
      authTimeoutMs: 2000,
      zone: "z",
      queuePreference: "zone",
      tls: () => null,
      accounts,
      turn,
      clock,
      s2: new S2Wires(),
      logger: silentLogger,
      faults: {
        contain: (error) => {
          throw error;
        },
      },
      ownConnectUrls: (side) => (side === "leaf" ? [] : ["127.0.0.1:4222"]),
      nextConnectionId: () => connectionId++,
      onMembersChanged: () => this.tellClients(),
      edge: this.edge(),
    };
  }

  private edge(): ClusterEdge {
    const nobody = (): never => {
      throw new Error("no name is looked up here");
    };
    return {
      random: seededRandom(7),
      createNetwork: () => ({
        crowdedOut: 0,
        listen: (address, port, host) => {
          this.onWire = (wire) => host.onWire(wire);
          host.onListening({ endpoint: { address, port }, close: () => undefined });
        },
        dial: (address, _timeoutMs, outcome) => {
          const dialled = { address, outcome };
          this.dialled.push(dialled);
          return { [Symbol.dispose]: () => this.calledOff(dialled) };
        },
      }),
      createMesh,
      createDnsSource: nobody,
      createKubernetesSource: nobody,
      nextRound: (work) => void this.rounds.push(work),
    };
  }

  private calledOff(dialled: Dialled): void {
    const at = this.dialled.indexOf(dialled);
    if (at >= 0) this.dialled.splice(at, 1);
  }

  /** What clients would be told. */
  private tellClients(): void {
    const line = clientInfoLine({
      identity: { id: "NSELF", name: "self" },
      host: "127.0.0.1",
      port: 4222,
      authRequired: false,
      tls: null,
      headers: true,
      maxPayloadBytes: 1000,
      cid: 5,
      clientAddress: "127.0.0.1",
      nonce: "",
      cluster: this.port.clusterName,
      connectUrls: this.port.otherConnectUrls("inside"),
      isLameDuck: false,
      jetStream: null,
      account: undefined,
      xkey: "",
    });
    assert(JSON.parse(Buffer.from(line.slice(5), "latin1").toString("utf8")) !== null, "INFO is JSON");
  }
}
