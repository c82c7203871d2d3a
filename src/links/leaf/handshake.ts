/** Decides by CONNECT and INFO of a leaf connection whether the peer is accepted, and what may cross. The session acts on it. */
import type { Permissions, SubjectRules } from "../../core/permissions.ts";
import * as errors from "../../protocol/errors.ts";
import type { PeerError } from "../../protocol/errors.ts";
import type { LeafConnect, LeafInfo } from "../../protocol/leaf-info.ts";
import type { LeafFacts, LeafRemote } from "./host.ts";
import { LeafRules, type LeafRulesOptions } from "./rules.ts";

/** The server at the other end, as it has introduced itself; "" for what it has not said. */
export interface LeafPeer {
  readonly serverId: string;
  readonly name: string;
  readonly version: string;
  readonly cluster: string;
  readonly domain: string;
  /** The account of the connection there. */
  readonly account: string;
  readonly takesHeaders: boolean;
}

export function peerOf(
  { serverId, name, version, cluster, domain, account }: Omit<LeafPeer, "takesHeaders">,
  takesHeaders: boolean,
): LeafPeer {
  return { serverId, name, version, cluster, domain, account, takesHeaders };
}

/** How long a server that dialled waits after a loop or a breach of rules, as in nats-server. */
export const LOOP_DELAY_MS = 30_000;
const VERSION_DELAY_MS = 5_000;
/** Errors of peers after which this server does not dial again soon. */
const DELAYS: readonly (readonly [part: string, delayMs: number])[] = [
  ["Loop detected", LOOP_DELAY_MS],
  ["same cluster name", LOOP_DELAY_MS],
  ["Permissions Violation", LOOP_DELAY_MS],
  ["minimum version required", VERSION_DELAY_MS],
];

/** The cluster that nats-server names on routes for leaf nodes without one. */
const RESERVED_CLUSTER = "_";

type Connect = LeafConnect & { readonly lang: string; readonly gateway: string };

/** Why a peer with valid credentials is refused, in nats-server's order; null: it is not. `versionMin` "": any. */
export function connectProblem(connect: Connect, facts: LeafFacts, versionMin: string): PeerError | null {
  const { lang, cluster, gateway, version } = connect;
  if (lang !== "") return errors.clientOnLeafPort;
  if (cluster.includes(" ")) return errors.clusterNameHasSpaces;
  if (cluster === RESERVED_CLUSTER) return errors.clusterNameReserved;
  if (cluster !== "" && cluster === facts.cluster) return errors.sameClusterName;
  if (gateway !== "") return errors.gatewayOnLeafPort(gateway);
  return versionMin === "" || isAtLeast(version, versionMin) ? null : errors.leafVersionTooOld(versionMin);
}

export function infoProblem(info: LeafInfo): PeerError | null {
  if (!info.isOfLeafPort) return errors.notALeafPort;
  if (info.cluster.includes(" ")) return errors.clusterNameHasSpaces;
  return info.cluster === RESERVED_CLUSTER ? errors.clusterNameReserved : null;
}

/** The rights of the user are the peer's: what it may publish comes, what it may subscribe to goes. */
export function rulesForConnect(
  connect: LeafConnect,
  permissions: Permissions | null,
  facts: LeafFacts,
  account: LeafRulesOptions["account"],
): LeafRules {
  return new LeafRules({
    role: connect.isHub ? "spoke" : "hub",
    comes: publishable(permissions),
    goes: permissions?.rules.subscribe ?? null,
    denyComing: [],
    denyGoing: connect.denyPublish,
    account,
    ownDomain: ownDomain(facts),
  });
}

/** Users that may only answer requests may publish nothing else. */
function publishable(permissions: Permissions | null): SubjectRules | null {
  if (permissions === null) return null;
  const { publish, responses } = permissions.rules;
  return responses === null || publish?.allow ? publish : { allow: [], deny: publish?.deny ?? [] };
}

export function rulesForInfo(
  info: LeafInfo,
  remote: LeafRemote,
  facts: LeafFacts,
  account: LeafRulesOptions["account"],
): LeafRules {
  return new LeafRules({
    role: remote.isHub ? "hub" : "spoke",
    comes: info.import,
    goes: info.export,
    denyComing: remote.denyImports,
    denyGoing: remote.denyExports,
    account,
    ownDomain: ownDomain(facts),
  });
}

function ownDomain({ hasJetStream, domain }: LeafFacts): string {
  return hasJetStream ? domain : "";
}

/** By the first three numbers. */
function isAtLeast(version: string, least: string): boolean {
  const [own, other] = [numbersOf(version), numbersOf(least)];
  for (let i = 0; i < 3; i++) if (own[i] !== other[i]) return (own[i] ?? 0) > (other[i] ?? 0);
  return true;
}

function numbersOf(version: string): readonly number[] {
  const match = /^v?(\d+)\.(\d+)\.(\d+)/.exec(version);
  return match === null ? [0, 0, 0] : match.slice(1).map(Number);
}

/** How long to wait before dialling again after an error that the peer has told; undefined: as usual. */
export function redialDelayAfter(said: string): number | undefined {
  return DELAYS.find(([part]) => said.includes(part))?.[1];
}

/** Names of clusters are words in lines between servers. */
export function onOneToken(name: string): string {
  // oxlint-disable-next-line no-control-regex
  return name.replace(/[\x00-\x20]/g, "_");
}
