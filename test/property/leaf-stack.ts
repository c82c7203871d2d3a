/** Leaf connections on memory wires beside the clients and routes of a stack: both ends may be played by a test. */
import { liveCell } from "../../src/base/live.ts";
import { Authenticator } from "../../src/auth/authenticator.ts";
import type { KnownUser } from "../../src/auth/known-user.ts";
import { silentLogger } from "../../src/base/logger.ts";
import { LeafFeeds } from "../../src/links/leaf/feed.ts";
import type { LeafFacts, LeafHost, LeafLimits, LeafRemote } from "../../src/links/leaf/host.ts";
import type { CompressionTerms } from "../../src/links/trunk/compression.ts";
import { LeafSession } from "../../src/links/leaf/session.ts";
import type { InterestChange } from "../../src/core/local-interest.ts";
import { leafConnectLine, leafInfoLine } from "../../src/protocol/leaf-info.ts";
import { MemoryWire } from "../../src/transport/memory.ts";
import type { Wire } from "../../src/transport/wire.ts";
import { Stack, type Link, type StackOptions } from "./stack.ts";

const LIMITS: LeafLimits = {
  maxControlLineBytes: 4096,
  maxPayloadBytes: 1024 * 1024,
  maxPendingBytes: 64 * 1024 * 1024,
  writeDeadlineMs: 10_000,
  pingIntervalMs: 120_000,
  pingMax: 2,
  authTimeoutMs: 2000,
  maxSubscriptions: null,
};

export interface LeafStackOptions extends StackOptions {
  readonly users?: readonly KnownUser[];
  readonly leafLimits?: Partial<LeafLimits>;
  readonly facts?: Partial<LeafFacts>;
  readonly isIsolated?: boolean;
  readonly versionMin?: string;
  readonly compression?: CompressionTerms;
}

export class LeafStack extends Stack {
  readonly feeds: LeafFeeds;
  /** Interest of spokes, as the other servers of the cluster are told of it. */
  readonly toldRoutes: (InterestChange & { readonly leafCluster: string })[] = [];
  private readonly leafHost: LeafHost;
  private nextLid = 1000;

  constructor(options: LeafStackOptions = {}) {
    super(options);
    const { accounts, turn, clock, counters } = this;
    let loops = 0;
    this.feeds = new LeafFeeds({
      chores: turn.chores,
      newLoopSubject: () => `$LDS.own${++loops}`,
      tellRoutes: (_, change, leafCluster) => void this.toldRoutes.push({ ...change, leafCluster }),
    });
    const tell = accounts.onInterest;
    accounts.onInterest = (account, change) => {
      tell?.(account, change);
      this.feeds.localChanged(account, change);
    };
    accounts.onRemoteInterest = (account, interest, members) =>
      this.feeds.remoteChanged(account, interest, members);
    const facts: LeafFacts = {
      ...{ serverId: "NSELF", serverName: "self", cluster: "here", domain: "", hasJetStream: false },
      takesHeaders: true,
      ...options.facts,
    };
    this.leafHost = {
      ...{ accounts, turn, clock, counters, feeds: this.feeds },
      logger: options.logger ?? silentLogger,
      faults: options.faults ?? {
        contain: (error) => {
          throw error;
        },
      },
      authenticator: new Authenticator({ users: options.users ?? [], noAuthUser: null }),
      limits: liveCell({ ...LIMITS, ...options.leafLimits }),
      newNonce: () => "nonce",
      isIsolated: () => options.isIsolated ?? false,
      versionMin: () => options.versionMin ?? "",
      facts: () => facts,
      sharesJetStream: () => false,
      compression: () => options.compression ?? OFF,
      infoLine: ({ lid, nonce }, admission, compression) =>
        leafInfoLine({
          identity: { id: "NSELF", name: "self" },
          ...{ host: "127.0.0.1", port: 7422, headers: true, tls: { isRequired: false, verifies: false } },
          ...{ maxPayloadBytes: 1024 * 1024, cluster: "here", domain: "", hasJetStream: false },
          ...{ cid: lid, nonce, compression, leafUrls: [], webSocketUrls: [] },
          admission: admission === null ? null : { ...admission, isSystemAccount: false },
        }),
      connectionType: () => "LEAFNODE",
      hasAccount: () => true,
      isAccountOver: () => false,
      onRefused: () => undefined,
      onOpen: () => undefined,
      onAddresses: () => undefined,
      onClosed: () => undefined,
    };
  }

  /** A connection to the port for leaf nodes that has said nothing yet. */
  knock(wire = new MemoryWire(), through: Wire = wire): Link<LeafSession> {
    const session = new LeafSession(this.leafHost, through, this.nextLid++, null);
    session.greet();
    session.outbox.flush();
    wire.take();
    return { wire, session };
  }

  /** A spoke after CONNECT, which has been told of all interest; `fields` as JSON. */
  spoke(name = "spoke", fields = ""): Link<LeafSession> {
    const link = this.knock();
    const more = fields === "" ? "" : `,${fields}`;
    const connect = `{"version":"2.15.3","name":"${name}","cluster":"${name}","headers":true,"remote_account":"$G"${more}}`;
    link.wire.receiveText(`CONNECT ${connect}\r\n`);
    link.wire.take();
    return link;
  }

  /** A hub that was dialled, has greeted and answered. */
  hub(remote: Partial<LeafRemote> = {}, info = ""): Link<LeafSession> {
    const wire = new MemoryWire();
    const session = new LeafSession(this.leafHost, wire, this.nextLid++, {
      ...{ account: "$G", isHub: false, denyImports: [], denyExports: [] },
      ...{ isIsolated: false, asksForIsolation: false, compression: OFF },
      connectLine: () => leafConnectLine(CONNECT),
      ...remote,
    });
    const more = info === "" ? "" : `,${info}`;
    const common = `"server_id":"NHUB","server_name":"hub","version":"2.15.3","headers":true,"client_id":7,"info_on_connect":true`;
    session.introduce(`{${common},"nonce":"n"}`, 1000);
    wire.receiveText(`INFO {${common},"connect_info":true,"remote_account":"UP"${more}}\r\n`);
    session.outbox.flush();
    wire.take();
    return { wire, session };
  }
}

const OFF: CompressionTerms = { mode: "off", rttThresholdsMs: [] };
const CONNECT: Parameters<typeof leafConnectLine>[0] = {
  ...{ serverId: "NSELF", name: "self", cluster: "here", domain: "", isHub: false, headers: true },
  ...{ jetStream: false, denyPublish: [], isolate: false, compression: "off", account: "$G" },
  ...{ user: "", pass: "", authToken: "", nkey: "", jwt: "", sig: "" },
};
