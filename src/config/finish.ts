/** From the sheet to the configuration: fills in defaults, then checks what holds between options. */

import { isDeepStrictEqual } from "node:util";

import type { Config, ConfigOverrides, Field } from "./config.ts";
import type { ConfError } from "./formats/nats-conf/node.ts";
import { Sheet, type FieldInitial } from "./option.ts";
import { OPTIONS } from "./schema.ts";

const MB = 1024 * 1024;
/** Of a message, where max_payload is -1, if max_pending is not less. */
const PAYLOAD_MAX_BYTES = 64 * MB;
const PAYLOAD_DISCOURAGED_BYTES = 8 * MB;

/** The configuration that the sheet describes; derived defaults see the plain ones. */
export function finish(sheet: Sheet): Config {
  const draft: Record<string, Record<string, unknown>> = {};
  const config = draft as unknown as Config;
  const initials = OPTIONS.flatMap((option) => option.initials);
  const isDerived = (field: Field, initial: object): boolean =>
    "derive" in initial && sheet.get(field) === undefined;
  for (const [field, initial] of initials) {
    if (isDerived(field, initial)) continue;
    const written = sheet.get(field);
    // null is a value: no limit.
    if (written !== undefined) put(draft, field, written.value);
    else put(draft, field, "value" in initial ? initial.value : null);
  }
  for (const [field, initial] of initials) {
    if (isDerived(field, initial) && "derive" in initial) put(draft, field, initial.derive(config));
  }
  const { maxPayloadBytes, maxPendingBytes } = config.client;
  if (maxPayloadBytes < 0) put(draft, "client.maxPayloadBytes", Math.min(PAYLOAD_MAX_BYTES, maxPendingBytes));
  return config;
}

function put(draft: Record<string, Record<string, unknown>>, field: Field, value: unknown): void {
  const [section = "", name = ""] = field.split(".");
  (draft[section] ??= {})[name] = value;
}

/** What cannot work, as errors at the option that was written. */
export function contradictions(config: Config, sheet: Sheet): ConfError[] {
  return [
    ...limitContradictions(config, sheet),
    ...userContradictions(config, sheet),
    ...accountContradictions(config, sheet),
    ...clusterContradictions(config, sheet),
    ...monitorContradictions(config, sheet),
    ...tlsContradictions(config, sheet),
    ...jetStreamContradictions(config, sheet),
  ];
}

function jetStreamContradictions({ jetStream, cluster }: Config, sheet: Sheet): ConfError[] {
  if (!jetStream.isEnabled || cluster.port === null) return [];
  const reason = "jetstream on a server of a cluster is not supported by shoal yet: leave out one of them";
  return [sheet.errorAt(["jetStream.isEnabled", "cluster.port"], reason)];
}

/** nats-server takes a tls block without a certificate, and then refuses every connection that needs one. */
function tlsContradictions({ client, cluster, monitor }: Config, sheet: Sheet): ConfError[] {
  const errors: ConfError[] = [];
  const reason = "missing cert_file in TLS configuration";
  const isBare = client.tls !== null && client.tls.certificates.length === 0;
  if (isBare && (!client.allowNonTls || monitor.httpsPort !== null))
    errors.push(sheet.errorAt(["client.tls"], `tls: ${reason}; only with allow_non_tls there may be none`));
  if (cluster.tls !== null && cluster.tls.certificates.length === 0)
    errors.push(sheet.errorAt(["cluster.tls"], `cluster.tls: ${reason}`));
  return errors;
}

function limitContradictions({ server, client }: Config, sheet: Sheet): ConfError[] {
  const errors: ConfError[] = [];
  if (client.maxPayloadBytes > client.maxPendingBytes) {
    const reason = `max_payload (${client.maxPayloadBytes}) cannot be higher than max_pending (${client.maxPendingBytes})`;
    errors.push(sheet.errorAt(["client.maxPayloadBytes", "client.maxPendingBytes"], reason));
  }
  if (server.lameDuckGracePeriodMs >= server.lameDuckDurationMs) {
    const reason = "lame_duck_grace_period must be less than lame_duck_duration";
    errors.push(sheet.errorAt(["server.lameDuckGracePeriodMs", "server.lameDuckDurationMs"], reason));
  }
  return errors;
}

function userContradictions({ authorization, accounts }: Config, sheet: Sheet): ConfError[] {
  const { user, password, token, users, usersDir, noAuthUser } = authorization;
  const known = [...users, ...accounts.list.flatMap((account) => account.users)];
  const errors: ConfError[] = [];
  const hasUser = user !== null || password !== null;
  if (hasUser && token !== null) {
    errors.push(
      sheet.errorAt(["authorization.token"], "a token excludes a user with password: keep one of them"),
    );
  }
  if (user === null && password !== null) {
    // nats-server takes this and lets everybody in.
    errors.push(sheet.errorAt(["authorization.password"], "a password needs a user"));
  }
  const hasUsers = sheet.get("authorization.users") !== undefined || usersDir !== null;
  if (hasUsers && (hasUser || token !== null)) {
    const reason = "a list of users excludes a single user and a token: keep one of them";
    errors.push(sheet.errorAt(["authorization.users", "authorization.usersDir"], reason));
  }
  // Who is in the directory of users changes while the server runs.
  const mayBeKnown = usersDir !== null || !sheet.knows("accounts.list", "authorization.users");
  if (noAuthUser !== null && !mayBeKnown && !known.some((each) => each.user === noAuthUser)) {
    const reason = "no_auth_user must be one of authorization.users or of the users of an account";
    errors.push(sheet.errorAt(["authorization.noAuthUser"], reason));
  }
  return errors;
}

function accountContradictions({ authorization, accounts }: Config, sheet: Sheet): ConfError[] {
  const errors: ConfError[] = [];
  const users = accounts.list.flatMap((account) => account.users);
  const tell = (reason: string): void => void errors.push(sheet.errorAt(["accounts.list"], reason));
  if (users.length > 0 && authorization.user !== null) tell("Can not have a single user/pass and accounts");
  if (users.length > 0 && authorization.token !== null) tell("Can not have a token and accounts");
  const twice = users.find(({ user }) => authorization.users.some((other) => other.user === user));
  if (twice !== undefined) tell(`Duplicate user "${twice.user}" detected`);
  const { system, list } = accounts;
  const { allowedAccounts = [] } = authorization.callout ?? {};
  const missing = allowedAccounts.find((name) => !list.some((account) => account.name === name));
  if (!sheet.knows("accounts.list")) return errors;
  if (missing !== undefined) {
    const reason = `auth_callout allowed account "${missing}" not found in configured accounts`;
    errors.push(sheet.errorAt(["authorization.callout"], reason));
  }
  if (system !== null && !system.startsWith("$") && !list.some(({ name }) => name === system)) {
    const reason = `error resolving system account: account missing: "${system}" is not among accounts`;
    errors.push(sheet.errorAt(["accounts.system"], reason));
  }
  return errors;
}

function clusterContradictions({ cluster }: Config, sheet: Sheet): ConfError[] {
  const errors: ConfError[] = [];
  const routes = sheet.get("cluster.routes");
  // In a file, nats-server lets this pass and never dials: see advice() below.
  if (
    cluster.port === null &&
    cluster.routes.length > 0 &&
    routes !== undefined &&
    routes.at.kind !== "file"
  ) {
    const reason = "solicited routes require cluster capabilities, e.g. --cluster";
    errors.push(sheet.errorAt(["cluster.routes"], reason));
  }
  if (cluster.user === null && cluster.password !== null) {
    errors.push(sheet.errorAt(["cluster.password"], "a password needs a user"));
  }
  if (cluster.rebalances && cluster.noAdvertise) {
    const reason = "clients that are not told of other servers (no_advertise) cannot be asked to move there";
    errors.push(sheet.errorAt(["cluster.rebalances", "cluster.noAdvertise"], reason));
  }
  if (cluster.accounts.length > 0 && cluster.poolSize < 0) {
    const reason = "pool_size cannot be negative if accounts have routes of their own";
    errors.push(sheet.errorAt(["cluster.poolSize", "cluster.accounts"], reason));
  }
  if (new Set(cluster.accounts).size < cluster.accounts.length) {
    errors.push(sheet.errorAt(["cluster.accounts"], "an account is twice in the list"));
  }
  return errors;
}

function monitorContradictions({ monitor, client }: Config, sheet: Sheet): ConfError[] {
  const errors: ConfError[] = [];
  if (monitor.httpsPort !== null) {
    const at = ["monitor.httpsPort"] as const;
    if (monitor.port !== null)
      errors.push(sheet.errorAt(at, "http and https exclude each other: keep one of them"));
    else if (client.tls === null && sheet.knows("client.tls"))
      errors.push(sheet.errorAt(at, "https needs a tls block: its certificate is that of the clients' port"));
  }
  if ((monitor.user === null) !== (monitor.password === null)) {
    const reason = "monitor.authorization needs both user and password, or a token";
    errors.push(sheet.errorAt(["monitor.user", "monitor.password"], reason));
  }
  return errors;
}

/** What works but is hardly meant. */
export function advice(config: Config, sheet: Sheet): string[] {
  const texts: string[] = [];
  const tell = (field: Field, text: string): void => void texts.push(sheet.errorAt([field], text).message);
  if (config.client.maxPayloadBytes > PAYLOAD_DISCOURAGED_BYTES) {
    tell("client.maxPayloadBytes", "maximum payloads over 8MB are discouraged, they slow all others down");
  }
  if (config.cluster.port === null && config.cluster.routes.length > 0) {
    tell("cluster.routes", "routes are not dialled, since cluster.listen or cluster.port is missing");
  }
  if (config.client.allowNonTls && config.client.tls === null) {
    tell("client.allowNonTls", "allow_non_tls has no effect without a tls block");
  }
  if (config.cluster.tls?.insecure === true) {
    tell(
      "cluster.tls",
      "certificates of servers that are dialled are not verified (insecure): not for production",
    );
  }
  for (const { status, key, initials } of OPTIONS) {
    const field = status === "parsed" ? initials.find((each) => differs(each, sheet))?.[0] : undefined;
    if (field !== undefined) tell(field, `${key} has no effect yet`);
  }
  return texts;
}

function differs([field, initial]: FieldInitial, sheet: Sheet): boolean {
  const assigned = sheet.get(field);
  return assigned !== undefined && !("value" in initial && isDeepStrictEqual(assigned.value, initial.value));
}

/** The configuration of a server that a program starts itself. Throws ConfError where overrides contradict each other. */
export function defaultConfig(overrides: ConfigOverrides = {}): Config {
  const sheet = new Sheet();
  for (const [section, fields] of Object.entries(overrides)) {
    for (const [name, value] of Object.entries(fields ?? {})) {
      if (value !== undefined) sheet.set(`${section}.${name}` as Field, value, { kind: "flag", name });
    }
  }
  const config = finish(sheet);
  const error = contradictions(config, sheet)[0];
  if (error !== undefined) throw error;
  return config;
}
