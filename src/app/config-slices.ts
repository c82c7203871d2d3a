/** What each room gets of the configuration, in its own words. */
import { randomBytes } from "node:crypto";
import type { AuthenticationOptions, KnownUser } from "../auth/authenticator.ts";
import type { Config, User } from "../config/config.ts";
import { GLOBAL_ACCOUNT, SYSTEM_ACCOUNT } from "../core/account.ts";
import type { AccountsDefinition } from "../core/definitions.ts";
import { toByteString } from "../protocol/info.ts";
import type { ClientLimits } from "../links/client/host.ts";
import type { CertificateRule, ClusterPortOptions } from "./cluster-port-options.ts";
import type { PortTlsConfig } from "./port-tls.ts";

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
  const { token, user, password, noAuthUser } = config.authorization;
  const single = user === null ? [] : [{ user, password: password ?? "" }];
  const users = [
    ...[...single, ...config.authorization.users].map((each) => knownUser(each, GLOBAL_ACCOUNT)),
    ...config.accounts.list.flatMap(({ name, users: own }) => own.map((each) => knownUser(each, name))),
  ];
  for (const secret of [token, ...users.map((known) => known.password)]) {
    if (secret === null || !BCRYPT.test(secret)) continue;
    throw new Error("authorization: bcrypt hashes are not supported by shoal yet, use a plain password");
  }
  const mapsCertificates = config.client.tls?.map ?? false;
  if (noAuthUser === null && hasOnlySystemUsers(config)) {
    // Nobody can present this one: it is for clients without credentials.
    const anybody = knownUser({ user: `nats-${newSecret()}`, password: newSecret() }, GLOBAL_ACCOUNT);
    return { token: undefined, users: [...users, anybody], noAuthUser: anybody.name, mapsCertificates };
  }
  return { token: token ?? undefined, users, noAuthUser, mapsCertificates };
}

function knownUser({ user, password }: User, account: string): KnownUser {
  return { name: user, password, account, permissions: null, connectionTypes: [] };
}

/** Users of the system account alone do not close the global account, as with nats-server. */
function hasOnlySystemUsers({ accounts, authorization }: Config): boolean {
  const { user, token, users } = authorization;
  const isOpen = user === null && token === null && users.length === 0;
  const [only, ...others] = accounts.list;
  return isOpen && only !== undefined && others.length === 0 && only.name === systemAccountOf(accounts);
}

function newSecret(): string {
  return randomBytes(12).toString("base64url");
}

export function accountsDefinition({ accounts }: Config): AccountsDefinition {
  return {
    accounts: accounts.list.map(({ name, limits, exports, imports }) => ({
      name,
      limits,
      serviceExports: exports
        .filter((one) => one.kind === "service")
        .map((one) => ({
          ...inBytes(one),
          latency: one.latency === null ? null : inBytes(one.latency),
        })),
      streamImports: imports.filter((one) => one.kind === "stream").map(importInBytes),
      serviceImports: imports.filter((one) => one.kind === "service").map(importInBytes),
    })),
    systemAccount: systemAccountOf(accounts),
  };
}

/** Subjects in the configuration are text, inside the server they are bytes. */
function inBytes<T extends { readonly subject: string }>(one: T): T {
  return { ...one, subject: toByteString(one.subject) };
}

function importInBytes<T extends { readonly subject: string; readonly to: string }>(one: T): T {
  return { ...inBytes(one), to: toByteString(one.to) };
}

function systemAccountOf({ system, list, noSystem }: Config["accounts"]): string | null {
  if (system !== null) return system;
  return noSystem && !list.some(({ name }) => name === SYSTEM_ACCOUNT) ? null : SYSTEM_ACCOUNT;
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
  | "discoveryIntervalMs"
  | "poolSize"
  | "pinnedAccounts"
  | "connectRetries"
  | "connectBackoff"
  | "permissions"
  | "maxPayloadBytes"
  | "authTimeoutMs"
  | "certificateRule"
  | "limits"
  | "zone"
  | "queuePreference";

export function tlsSlice({ client, cluster }: Config): PortTlsConfig {
  return { client: client.tls, cluster: cluster.tls, allowsPlain: client.allowNonTls };
}

function certificateRule({ cluster: { tls } }: Config): CertificateRule | null {
  if (tls === null || !(tls.map || tls.checksKnownUrls)) return null;
  return { mapsToUser: tls.map, checksKnownUrls: tls.checksKnownUrls };
}

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
    routes: cluster.routes.map(({ host, port: at, records, user, password }) => ({
      host,
      port: at,
      records,
      credentials: user === null ? null : { user, pass: password ?? "" },
    })),
    discoveryIntervalMs: cluster.discoveryIntervalMs,
    poolSize: cluster.poolSize,
    pinnedAccounts: cluster.accounts,
    connectRetries: cluster.connectRetries,
    connectBackoff: cluster.connectBackoff,
    permissions: cluster.permissions ?? { import: null, export: null },
    maxPayloadBytes: client.maxPayloadBytes,
    authTimeoutMs: cluster.authTimeoutMs,
    zone: cluster.zone ?? "",
    queuePreference: cluster.queuePreference,
    certificateRule: certificateRule(config),
    limits: {
      maxControlLineBytes: client.maxControlLineBytes,
      maxPendingBytes: client.maxPendingBytes,
      writeDeadlineMs: cluster.writeDeadlineMs,
      pingIntervalMs: cluster.pingIntervalMs,
      pingMax: cluster.pingMax,
    },
  };
}
