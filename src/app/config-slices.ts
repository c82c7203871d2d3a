/** What each room gets of the configuration, in its own words. */
import { randomBytes } from "node:crypto";
import type { AuthenticationOptions } from "../auth/authenticator.ts";
import type { Config } from "../config/config.ts";
import { GLOBAL_ACCOUNT } from "../core/account.ts";
import type { ClientLimits } from "../links/client/host.ts";
import type { ClusterPortOptions } from "./cluster-port-options.ts";

export function clientLimits(config: Config): ClientLimits {
  const { client } = config;
  return {
    maxPayloadBytes: client.maxPayloadBytes,
    maxControlLineBytes: client.maxControlLineBytes,
    maxPendingBytes: client.maxPendingBytes,
    writeDeadlineMs: client.writeDeadlineMs,
    maxSubscriptions: client.maxSubscriptions,
    maxSubscriptionTokens: client.maxSubscriptionTokens,
    pingIntervalMs: client.pingIntervalMs,
    pingMax: client.pingMax,
    authTimeoutMs: config.authorization.timeoutMs,
  };
}

/** Throws where a password is a bcrypt hash. */
export function authenticationOptions(config: Config): AuthenticationOptions {
  const { token, user, password, users, noAuthUser } = config.authorization;
  const single = user === null ? [] : [{ user, password: password ?? "" }];
  for (const secret of [password, token, ...users.map((known) => known.password)]) {
    if (secret === null || !BCRYPT.test(secret)) continue;
    throw new Error("authorization: bcrypt hashes are not supported by shoal yet, use a plain password");
  }
  const known = [...single, ...users].map((each) => ({
    name: each.user,
    password: each.password,
    account: GLOBAL_ACCOUNT,
    permissions: null,
    connectionTypes: [],
  }));
  return { token: token ?? undefined, users: known, noAuthUser };
}

const BCRYPT = /^\$2[abxy]\$\d{2}\$/;

type FromConfig =
  | "name"
  | "isNameDynamic"
  | "host"
  | "port"
  | "advertise"
  | "noAdvertise"
  | "credentials"
  | "routes"
  | "poolSize"
  | "pinnedAccounts"
  | "connectRetries"
  | "connectBackoff"
  | "permissions"
  | "maxPayloadBytes"
  | "authTimeoutMs"
  | "limits"
  | "zone"
  | "queuePreference";

export function clusterPortOptions(config: Config, port: number): Pick<ClusterPortOptions, FromConfig> {
  const { cluster, client } = config;
  return {
    name: cluster.name ?? randomBytes(16).toString("base64url"),
    isNameDynamic: cluster.name === null,
    host: cluster.host,
    port,
    advertise: cluster.advertise,
    noAdvertise: cluster.noAdvertise,
    credentials: cluster.user === null ? null : { user: cluster.user, pass: cluster.password ?? "" },
    routes: cluster.routes.map(({ host, port: at, user, password }) => ({
      host,
      port: at,
      credentials: user === null ? null : { user, pass: password ?? "" },
    })),
    poolSize: cluster.poolSize,
    pinnedAccounts: cluster.accounts,
    connectRetries: cluster.connectRetries,
    connectBackoff: cluster.connectBackoff,
    permissions: cluster.permissions ?? { import: null, export: null },
    maxPayloadBytes: client.maxPayloadBytes,
    authTimeoutMs: cluster.authTimeoutMs,
    zone: cluster.zone ?? "",
    queuePreference: cluster.queuePreference,
    limits: {
      maxControlLineBytes: client.maxControlLineBytes,
      maxPendingBytes: client.maxPendingBytes,
      writeDeadlineMs: cluster.writeDeadlineMs,
      pingIntervalMs: cluster.pingIntervalMs,
      pingMax: cluster.pingMax,
    },
  };
}
