/**
 * A simulated server: the port of the other servers as it runs in production, with its mesh, its route sessions and their handshake,
 * on memory wires; accounts and interest of production; and clients (clients.ts). Only time, chance and the network are others'.
 */
import { seededRandom, type Random } from "../../src/base/random.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { addressKey } from "../../src/cluster/address.ts";
import { createMesh } from "../../src/cluster/mesh.ts";
import type {
  ConnId,
  Mesh,
  MeshAction,
  MeshEvent,
  MeshFact,
  MeshOptions,
  PeerAddress,
} from "../../src/cluster/mesh-types.ts";
import { Accounts } from "../../src/core/accounts.ts";
import type { AccountDefinition } from "../../src/core/definitions.ts";
import { GLOBAL_ACCOUNT } from "../../src/subject/account-names.ts";
import { Turn } from "../../src/links/trunk/turn.ts";
import { S2Wires } from "../../src/transport/s2-wire.ts";
import type { Wire } from "../../src/transport/wire.ts";
import type { ClusterPortOptions } from "../../src/ports/cluster/cluster-port-options.ts";
import { ClusterPort } from "../../src/ports/cluster/cluster-port.ts";
import type { ConfiguredRoute } from "../../src/ports/cluster/peer-discovery.ts";
import type { ClusterEdge, RouteListenerHost, RouteNetwork } from "../../src/ports/cluster/route-network.ts";
import { Clients, NOT_CONTAINED } from "./clients.ts";
import { MemberClock } from "./clock.ts";
import { NatsMesh } from "./nats-mesh.ts";
import { type LinkWire, type Host, type Network } from "./network.ts";
import { ShownSource } from "./shown-source.ts";
import type { Timeline } from "./timeline.ts";

export interface MemberIdentity {
  readonly name: string;
  readonly ip: string;
  readonly port: number;
  /** Else a model of nats-server. */
  readonly shoal: boolean;
  readonly cluster: string;
  readonly poolSize: number;
  readonly pinnedAccounts: readonly string[];
  readonly accounts: readonly string[];
  /** Configured ones: addresses, and names that `names` answers for. */
  readonly routes: readonly PeerAddress[];
  readonly giveUpAfterMs: number;
  readonly pingIntervalMs: number;
}

/** From listening for servers until clients can connect. */
const OPENING_MAX_MS = 50;
const SHOAL = '"shoal":true';
/** As long, since it is counted how much of what is written goes in plaintext. */
const NOT_SHOAL = '"shoal":null';

const S2 = new S2Wires();
/** A nats-server's words are its own before they are packed: what is packed has checksums. */
const S2_OF_NATS = new (class extends S2Wires {
  override over(below: Wire, strangerMaxBytes: number): Wire {
    const wire = super.over(below, strangerMaxBytes);
    const write = wire.write.bind(wire);
    const writeMany = wire.writeMany.bind(wire);
    wire.write = (piece) => write(natsWords(piece));
    wire.writeMany = (pieces) => writeMany(pieces.map(natsWords));
    return wire;
  }
})();

/** What a nats-server tells on loses the fields that it does not know. */
function natsWords(data: Uint8Array): Buffer {
  return Buffer.from(Buffer.from(data).toString("latin1").replaceAll(SHOAL, NOT_SHOAL), "latin1");
}

/** Members differ in what they want of compression. */
const COMPRESSION = ["accept", "s2_fast", "accept", "s2_auto", "off", "s2_better"] as const;

export class SimMember implements Host {
  readonly identity: MemberIdentity;
  readonly id: string;
  readonly port: ClusterPort;
  readonly accounts: Accounts;
  readonly clients: Clients;
  readonly clock: MemberClock;
  /** What a service of discovery shows it, beside its routes. */
  readonly shown = new ShownSource("shown");
  /** What the names of its routes lead to. */
  readonly names = new ShownSource("names");
  readonly facts: { readonly atMs: number; readonly fact: MeshFact }[] = [];
  readonly dialledKeys: { readonly atMs: number; readonly key: string }[] = [];
  mesh!: Mesh;
  alive = true;
  announced = 0;
  private readonly network: Network;
  private readonly timeline: Timeline;
  readonly turn: Turn;
  private readonly random: Random;
  private readonly wires = new Set<LinkWire>();
  private listener: RouteListenerHost | null = null;
  private isCrashed = false;
  private nextConnectionId = 5;

  constructor(identity: MemberIdentity, id: string, seed: number, network: Network, timeline: Timeline) {
    this.identity = identity;
    this.id = id;
    this.network = network;
    this.timeline = timeline;
    this.random = seededRandom(seed);
    this.clock = new MemberClock(timeline, (work) => this.run(work));
    this.turn = new Turn(this.clock, (work) => this.nextRound(work));
    const definition = definitionOf(identity);
    const serverHash = `H${id}`;
    this.accounts = new Accounts({ clock: this.clock, random: this.random, serverHash, definition });
    this.port = new ClusterPort(this.portOptions());
    this.accounts.onInterest = (account, change) => this.port.tellInterest(account, change);
    this.clients = new Clients({
      accounts: this.accounts,
      accountNames: identity.accounts,
      turn: this.turn,
      clock: this.clock,
      nextId: () => this.nextConnectionId++,
    });
  }

  get ip(): string {
    return this.identity.ip;
  }

  newConnectionId(): number {
    return this.nextConnectionId++;
  }

  /** Whatever happens to the server is one turn of its event loop. */
  run(work: () => void): void {
    if (this.isCrashed) return;
    this.turn.enter();
    work();
    this.turn.leave();
  }

  accept(wire: LinkWire): void {
    this.wires.add(wire);
    this.listener?.onWire(wire);
  }

  voice(data: Uint8Array): Uint8Array {
    if (this.identity.shoal) return data;
    const words = natsWords(data);
    const isHello = this.identity.poolSize === 0 && words.toString("latin1", 0, 8) === "CONNECT ";
    return isHello ? Buffer.concat([words, Buffer.from(this.info(), "latin1")]) : words;
  }

  /** Which connection of the network this is; undefined once closed. */
  linkOf(connId: ConnId): number | undefined {
    const remote = this.port.sessions.get(connId)?.wire.remote;
    // A wire that compresses stands over that of the network, and has its endpoints.
    for (const wire of this.wires) if (wire.remote === remote) return wire.linkId;
    return undefined;
  }

  start(): void {
    this.network.attach(this);
    this.run(() => {
      // As a server starts: clients can connect a moment later, and only then are others told where.
      this.port.holdRoutes();
      void this.port.start();
      this.port.solicit();
      this.clock.setTimer(OPENING_MAX_MS * this.random.next(), () => this.port.beginRoutes());
    });
  }

  /** What a service of discovery shows from now on, one list for each `source`. */
  setSource(source: string, _origin: "discovered", peers: readonly PeerAddress[]): void {
    this.run(() => this.shown.show(source, peers));
  }

  announceLameDuck(): void {
    this.run(() => this.port.announceLameDuck());
  }

  /** The process is gone. */
  crash(): void {
    this.alive = false;
    this.network.crash(this.ip);
    this.run(() => {
      this.hangUp();
      this.end();
    });
    this.isCrashed = true;
  }

  /** Says good-bye, and closes what it has in good order. */
  leave(): void {
    this.run(() => this.end());
    this.alive = false;
    this.network.detach(this.ip);
  }

  /** The same, but its process ends before all has arrived. */
  shutDown(): void {
    this.leave();
    this.network.crash(this.ip);
    this.run(() => this.hangUp());
    this.isCrashed = true;
  }

  /** Gives back what it holds of the slab, once the seed is over. */
  dispose(): void {
    if (this.alive) this.crash();
    this.run(() => this.hangUp());
    this.accounts[Symbol.dispose]();
  }

  private end(): void {
    this.port.stop();
    this.clients.stop();
  }

  /** Its connections are gone, as far as it is concerned. */
  private hangUp(): void {
    for (const wire of this.wires) wire.hangUp();
    this.wires.clear();
  }

  private nextRound(work: () => void): void {
    this.timeline.after(0, () => this.run(work));
  }

  private info(): string {
    const { words } = this.port as unknown as { readonly words: { infoLine(): string } };
    return words.infoLine().replaceAll(SHOAL, NOT_SHOAL);
  }

  private portOptions(): ClusterPortOptions {
    const { identity } = this;
    const hasPool = identity.poolSize > 0;
    return {
      identity: { id: this.id, name: identity.name },
      name: identity.cluster,
      isNameDynamic: false,
      host: identity.ip,
      port: identity.port,
      advertise: null,
      settings: {
        noAdvertise: false,
        credentials: null,
        routes: identity.routes.map((route): ConfiguredRoute => ({ ...route, credentials: null })),
        discoveryIntervalMs: 5000,
        permissions: { import: null, export: null },
        maxPayloadBytes: 1024,
        certificateRule: null,
        compression: {
          mode: COMPRESSION[this.id.charCodeAt(this.id.length - 1) % COMPRESSION.length]!,
          rttThresholdsMs: [1, 5, 20],
        },
        limits: {
          maxControlLineBytes: 4096,
          maxPendingBytes: 64 * 1024 * 1024,
          writeDeadlineMs: 10_000,
          pingIntervalMs: identity.pingIntervalMs,
          pingMax: 2,
        },
      },
      toldClients: () => null,
      kubernetes: { service: "members", namespace: null, portName: "cluster" },
      keepsStreams: false,
      poolSize: hasPool ? identity.poolSize : -1,
      pinnedAccounts: identity.pinnedAccounts,
      connectRetries: 0,
      connectBackoff: false,
      noHeaders: false,
      authTimeoutMs: 2000,
      zone: "",
      queuePreference: "server",
      tls: () => null,
      accounts: this.accounts,
      turn: this.turn,
      clock: this.clock,
      logger: silentLogger,
      faults: NOT_CONTAINED,
      s2: identity.shoal ? S2 : S2_OF_NATS,
      ownConnectUrls: (side) => (side === "inside" && this.alive ? [`${identity.ip}:4222`] : []),
      nextConnectionId: () => this.nextConnectionId++,
      onMembersChanged: () => undefined,
      edge: this.edge(),
    };
  }

  private edge(): ClusterEdge {
    return {
      random: this.random,
      createNetwork: () => this.routeNetwork(),
      createMesh: (options, random, nowMs) => this.createMesh(options, random, nowMs),
      createDnsSource: () => this.names,
      createKubernetesSource: () => this.shown,
      nextRound: (work) => this.nextRound(work),
    };
  }

  private routeNetwork(): RouteNetwork {
    return {
      crowdedOut: 0,
      listen: (address, port, host) => {
        this.listener = host;
        host.onListening({ endpoint: { address, port }, close: () => this.network.detach(this.ip) });
      },
      dial: (address, timeoutMs, outcome) => {
        const dial = this.network.dial(this, address, timeoutMs, {
          connected: (wire) => {
            this.wires.add(wire);
            outcome.connected(wire);
          },
          failed: (error) => outcome.failed(error, error),
        });
        return { [Symbol.dispose]: () => dial.cancel() };
      },
    };
  }

  /** The mesh, with a look at what it decides. */
  private createMesh(options: MeshOptions, random: Random, nowMs: number): Mesh {
    const { shoal, giveUpAfterMs } = this.identity;
    const own = { ...options, giveUpAfterMs };
    const mesh = shoal ? createMesh(own, random, nowMs) : new NatsMesh(own, random);
    this.mesh = {
      step: (event: MeshEvent, atMs: number) => this.note(mesh.step(event, atMs)),
      nextWakeMs: () => mesh.nextWakeMs(),
      isComplete: () => mesh.isComplete(),
      size: () => mesh.size(),
      snapshot: (atMs) => mesh.snapshot(atMs),
    };
    return this.mesh;
  }

  private note(actions: MeshAction[]): MeshAction[] {
    const atMs = this.timeline.nowMs;
    for (const action of actions) {
      if (action.kind === "dial")
        this.dialledKeys.push({ atMs, key: addressKey(action.address.host, action.address.port) });
      else if (action.kind === "announce") this.announced += action.connIds.length;
      else if (action.kind === "fact") this.facts.push({ atMs, fact: action.fact });
    }
    return actions;
  }
}

function definitionOf({ accounts, pinnedAccounts }: MemberIdentity): {
  accounts: AccountDefinition[];
  systemAccount: string | null;
} {
  return {
    accounts: accounts.filter((name) => name !== GLOBAL_ACCOUNT).map(accountOf),
    systemAccount: pinnedAccounts.includes("$SYS") ? "$SYS" : null,
  };
}

function accountOf(name: string): AccountDefinition {
  return {
    name,
    limits: { maxConnections: null, maxSubscriptions: null, maxPayloadBytes: null },
    streamExports: [],
    serviceExports: [],
    streamImports: [],
    serviceImports: [],
  };
}
