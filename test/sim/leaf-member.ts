/**
 * A simulated server that is in a cluster and has leaf connections: the port of leaf nodes as it runs in production, beside that of routes
 * (member.ts). It has a second address on the network, at which leaf nodes dial it.
 */
import { Authenticator } from "../../src/auth/authenticator.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { seededRandom, type Random } from "../../src/base/random.ts";
import type { CompressionTerms } from "../../src/links/trunk/compression.ts";
import { LeafPort, type LeafPortOptions } from "../../src/ports/leaf/leaf-port.ts";
import type { LeafAddress, LeafRemoteSettings, LeafSettings } from "../../src/ports/leaf/leaf-settings.ts";
import { SERVER_SHUTDOWN } from "../../src/protocol/close-cause.ts";
import { GLOBAL_ACCOUNT } from "../../src/subject/account-names.ts";
import type { TlsTerms } from "../../src/transport/tls.ts";
import { S2Wires } from "../../src/transport/s2-wire.ts";
import { NOT_CONTAINED } from "./clients.ts";
import { SimMember, type MemberIdentity } from "./member.ts";
import type { Host, LinkWire, Network } from "./network.ts";
import type { Timeline } from "./timeline.ts";

export interface LeafPlan {
  readonly name: string;
  readonly cluster: string;
  readonly ip: string;
  readonly leafIp: string;
  readonly routes: readonly string[];
  /** Addresses at which hubs take leaf nodes, one list for each remote. */
  readonly hubs: readonly (readonly string[])[];
}

const UNUSED_TLS = {} as TlsTerms;
const ROUTE_PORT = 6222;
const LEAF_PORT = 7422;
const S2 = new S2Wires();
/** Servers differ in what they want of compression. */
const MODES: readonly CompressionTerms["mode"][] = ["s2_auto", "off", "accept", "s2_fast"];

export class LeafMember implements Host {
  readonly plan: LeafPlan;
  readonly server: SimMember;
  readonly port: LeafPort;
  private readonly network: Network;
  private readonly wires = new Set<LinkWire>();
  private readonly random: Random;

  constructor(plan: LeafPlan, id: string, seed: number, network: Network, timeline: Timeline) {
    this.plan = plan;
    this.network = network;
    this.random = seededRandom(seed);
    const server = (this.server = new SimMember(identityOf(plan), id, seed, network, timeline));
    const { accounts, port } = server;
    this.port = new LeafPort(this.portOptions(id));
    accounts.onInterest = (account, change) => {
      port.tellInterest(account, change);
      this.port.feeds.localChanged(account, change);
    };
    accounts.onRemoteInterest = (account, interest, members) =>
      this.port.feeds.remoteChanged(account, interest, members);
    port.table.leaves = this.port.feeds;
  }

  get ip(): string {
    return this.plan.leafIp;
  }

  get isAlive(): boolean {
    return this.server.alive;
  }

  run(work: () => void): void {
    this.server.run(work);
  }

  accept(wire: LinkWire): void {
    this.wires.add(wire);
    this.port.accept(wire);
  }

  start(): void {
    this.server.start();
    this.network.attach(this);
    this.run(() => this.port.solicit());
  }

  /** The process is gone. */
  crash(): void {
    this.network.crash(this.ip);
    this.run(() => {
      this.hangUp();
      this.port.closeAll(SERVER_SHUTDOWN);
    });
    this.server.crash();
  }

  /** Says good-bye, and its process ends before all has arrived. */
  leave(): void {
    this.run(() => this.port.closeAll(SERVER_SHUTDOWN));
    this.network.detach(this.ip);
    this.network.crash(this.ip);
    this.run(() => this.hangUp());
    this.server.shutDown();
  }

  dispose(): void {
    if (this.isAlive) this.crash();
    this.server.dispose();
  }

  private hangUp(): void {
    for (const wire of this.wires) wire.hangUp();
    this.wires.clear();
  }

  private portOptions(id: string): LeafPortOptions {
    const { plan, server, random } = this;
    const { accounts, turn, clock } = server;
    let loops = 0;
    return {
      ...{ accounts, turn, clock, random, logger: silentLogger, faults: NOT_CONTAINED, s2: S2 },
      listen: null,
      settings: settingsOf(plan, random),
      authenticator: new Authenticator({ token: undefined, users: [], noAuthUser: null }),
      tls: () => null,
      remoteTls: () => UNUSED_TLS,
      lookup: async (name) => Promise.resolve([name]),
      dial: ({ host, port }, { timeoutMs }, _, outcome) => {
        const dial = this.network.dial(this, { host, port }, timeoutMs, {
          connected: (wire) => {
            this.wires.add(wire);
            outcome.connected(wire, null);
          },
          failed: (error) => outcome.failed(error),
        });
        return { [Symbol.dispose]: () => dial.cancel() };
      },
      facts: () => ({
        ...{ serverId: id, serverName: plan.name, cluster: plan.cluster, domain: "" },
        ...{ hasJetStream: false, takesHeaders: true },
      }),
      info: () => ({
        identity: { id, name: plan.name },
        ...{ host: plan.leafIp, port: LEAF_PORT, headers: true, cluster: plan.cluster, domain: "" },
        tls: { isRequired: false, verifies: false },
        ...{ maxPayloadBytes: 1024, hasJetStream: false, leafUrls: [], webSocketUrls: [] },
      }),
      nextConnectionId: () => server.newConnectionId(),
      hasAccount: () => true,
      isAccountOver: () => false,
      newLoopSubject: () => `$LDS.${id}${++loops}`,
      tellRoutes: (account, change, leafCluster) =>
        server.port.table.tellOfLeaves(account, change, leafCluster),
    };
  }
}

function identityOf({ name, cluster, ip, routes }: LeafPlan): MemberIdentity {
  return {
    ...{ name, ip, port: ROUTE_PORT, shoal: true, cluster, poolSize: 1 },
    ...{ pinnedAccounts: [], accounts: [GLOBAL_ACCOUNT] },
    routes: routes.map((host) => ({ host, port: ROUTE_PORT })),
    giveUpAfterMs: 6000,
    pingIntervalMs: 2000,
  };
}

function settingsOf({ hubs }: LeafPlan, random: Random): LeafSettings {
  const mode = (): CompressionTerms => ({
    mode: MODES[Math.floor(random.next() * MODES.length)]!,
    rttThresholdsMs: [1, 5, 20],
  });
  return {
    limits: {
      maxControlLineBytes: 4096,
      maxPayloadBytes: 1024,
      maxPendingBytes: 64 * 1024 * 1024,
      writeDeadlineMs: 10_000,
      pingIntervalMs: 2000,
      pingMax: 2,
      authTimeoutMs: 2000,
      maxSubscriptions: null,
    },
    ...{ isIsolated: false, versionMin: "", sharingJetStream: [], noAdvertise: true, advertise: null },
    reconnectMs: 200,
    compression: mode(),
    remotes: hubs.map((addresses) => remoteTo(addresses, mode())),
  };
}

function remoteTo(hosts: readonly string[], compression: CompressionTerms): LeafRemoteSettings {
  const addresses = hosts.map((host): LeafAddress => ({
    ...{ host, port: LEAF_PORT, isSecured: false, webSocketPath: null, user: null, pass: null },
  }));
  return {
    ...{ addresses, account: GLOBAL_ACCOUNT, credentials: { kind: "none" }, isHub: false, compression },
    ...{ denyImports: [], denyExports: [], isIsolated: false, asksForIsolation: false },
    ...{ keepsOrder: false, ignoresDiscovered: true, hasTls: false, isTlsFirst: false, isDisabled: false },
    ...{ dialTimeoutMs: 1000, infoTimeoutMs: 2000 },
    webSocket: { compression: false, masks: true, messageMaxBytes: 1024 * 1024 },
  };
}
