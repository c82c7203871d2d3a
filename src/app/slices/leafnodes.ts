/** The port for leaf nodes and the hubs that this server connects to, as configured. */
import type { AuthenticationOptions } from "../../auth/authenticator.ts";
import type { KnownUser } from "../../auth/known-user.ts";
import type { Config } from "../../config/config.ts";
import type { LeafRemoteConfig } from "../../config/values/leaf-nodes.ts";
import type { LeafCredentials, LeafRemoteSettings, LeafSettings } from "../../ports/leaf/leaf-settings.ts";
import { toByteString } from "../../protocol/info.ts";
import { GLOBAL_ACCOUNT } from "../../subject/account-names.ts";

/** Least of what a compressed message of a hub may grow to: it tells all interest in one write. */
const WEBSOCKET_MESSAGE_MIN = 8 * 1024 * 1024;

export function leafSettings({ leafNodes, client, jetStream }: Config): LeafSettings {
  return {
    limits: {
      maxControlLineBytes: client.maxControlLineBytes,
      maxPayloadBytes: client.maxPayloadBytes,
      maxPendingBytes: client.maxPendingBytes,
      writeDeadlineMs: leafNodes.writeDeadlineMs,
      pingIntervalMs: leafNodes.pingIntervalMs,
      pingMax: leafNodes.pingMax,
      authTimeoutMs: leafNodes.authTimeoutMs,
      maxSubscriptions: client.maxSubscriptions,
    },
    isIsolated: leafNodes.isIsolated,
    versionMin: leafNodes.versionMin,
    sharingJetStream: Object.entries(jetStream.defaultDomains).flatMap(([account, domain]) =>
      domain === "" ? [account] : [],
    ),
    noAdvertise: leafNodes.noAdvertise,
    advertise: leafNodes.advertise,
    reconnectMs: leafNodes.reconnectMs,
    compression: leafNodes.compression,
    remotes: leafNodes.remotes.map((remote) =>
      remoteSettings(remote, {
        dialTimeoutMs: leafNodes.dialTimeoutMs,
        maxPayloadBytes: client.maxPayloadBytes,
      }),
    ),
  };
}

function remoteSettings(
  remote: LeafRemoteConfig,
  { dialTimeoutMs, maxPayloadBytes }: { readonly dialTimeoutMs: number; readonly maxPayloadBytes: number },
): LeafRemoteSettings {
  return {
    addresses: remote.urls.map(({ scheme, host, port, user, password, path }) => ({
      host,
      port,
      isSecured: scheme === "tls" || scheme === "wss",
      webSocketPath: scheme === "ws" || scheme === "wss" ? path : null,
      user,
      pass: password,
    })),
    account: remote.account ?? GLOBAL_ACCOUNT,
    credentials: credentialsOf(remote),
    isHub: remote.isHub,
    denyImports: remote.denyImports.map(toByteString),
    denyExports: remote.denyExports.map(toByteString),
    isIsolated: remote.isIsolated,
    asksForIsolation: remote.requestsIsolation,
    keepsOrder: remote.noRandomize,
    ignoresDiscovered: remote.ignoresDiscovered,
    hasTls: remote.tls !== null,
    isTlsFirst: remote.tls?.handshakeFirst ?? false,
    dialTimeoutMs: remote.dialTimeoutMs ?? dialTimeoutMs,
    infoTimeoutMs: remote.firstInfoTimeoutMs,
    isDisabled: remote.isDisabled,
    compression: remote.compression,
    webSocket: {
      compression: remote.webSocketCompression,
      masks: !remote.webSocketNoMasking,
      messageMaxBytes: Math.max(WEBSOCKET_MESSAGE_MIN, 4 * maxPayloadBytes),
    },
  };
}

function credentialsOf({ credentials, nkey }: LeafRemoteConfig): LeafCredentials {
  if (credentials !== null) return { kind: "file", path: credentials };
  return nkey === null ? { kind: "none" } : { kind: "nkey", seed: nkey };
}

/** The users that may connect as leaf nodes: those of the block take the place of all others, as in nats-server. null: nobody. */
export function leafAuthentication(
  { leafNodes }: Config,
  usual: AuthenticationOptions,
): AuthenticationOptions | null {
  if (leafNodes.port === null) return null;
  const { user, password, nkey, account, needsProxy, users: list, tls } = leafNodes;
  const mapsCertificates = tls?.map ?? false;
  const users = list.map((one) => leafUser(one.user, one.password, one.account, one.needsProxy));
  if (user !== null) users.push(leafUser(user, password ?? "", account, needsProxy));
  if (nkey !== null) users.push(leafUser(nkey, null, account, needsProxy));
  if (users.length === 0) return { ...usual, mapsCertificates };
  return {
    ...{ users, noAuthUser: null, token: undefined, mapsCertificates, proxies: usual.proxies ?? [] },
    isBesideOperator: true,
  };
}

function leafUser(
  name: string,
  password: string | null,
  account: string | null,
  needsProxy: boolean,
): KnownUser {
  return {
    ...{ name, password, needsProxy },
    account: account ?? GLOBAL_ACCOUNT,
    permissions: null,
    connectionTypes: [],
  };
}
