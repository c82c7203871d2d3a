/**
 * The claims of an account, read from its token into plain values. Reading throws BadJwt; account-problems.ts judges what was read.
 * A list or a subject is kept as it was written.
 */
import {
  asClaims,
  fieldOf,
  fields,
  fieldsList,
  flag,
  list,
  text,
  texts,
  whole,
} from "../../keys/claim-fields.ts";
import { withAccountHashes } from "../../subject/account-hash.ts";
import { BadJwt, type Claims } from "../../keys/jwt.ts";
import { decodeToken, type Token } from "../../keys/token.ts";
import { readPermissions, readTerms, type PermissionsClaims, type UserTerms } from "./user-terms.ts";

export type CrossingKind = "stream" | "service" | "unknown";

export interface ImportClaim {
  readonly name: string;
  readonly kind: CrossingKind;
  readonly account: string;
  readonly subject: string;
  /** Outdated; what `localSubject` is for. "": not said. */
  readonly to: string;
  readonly localSubject: string;
  /** "": none. */
  readonly token: string;
  readonly share: boolean;
  readonly allowTrace: boolean;
}

export interface ExportClaim {
  readonly name: string;
  readonly kind: CrossingKind;
  readonly subject: string;
  readonly needsToken: boolean;
  /** By public nkey of the importing account, or `*`: tokens issued until then do not count, in seconds since the epoch. */
  readonly revocations: ReadonlyMap<string, number>;
  readonly responseType: string;
  readonly responseThresholdNs: number;
  /** null: not measured. `sampling` 0: where headers ask for it. */
  readonly latency: { readonly sampling: number; readonly results: string } | null;
  /** Counted from 1; 0: no token of the subject names the importer. */
  readonly accountTokenPosition: number;
  readonly allowTrace: boolean;
  readonly description: string;
  readonly infoUrl: string;
}

interface JetStreamClaims {
  readonly memoryBytes: number;
  readonly fileBytes: number;
  readonly streams: number;
  readonly consumers: number;
  readonly maxAckPending: number;
  readonly memoryMaxStreamBytes: number;
  readonly fileMaxStreamBytes: number;
  readonly needsMaxBytes: boolean;
}

/** -1: no limit. */
export interface AccountLimitClaims {
  readonly subscriptions: number;
  readonly payloadBytes: number;
  readonly data: number;
  readonly imports: number;
  readonly exports: number;
  readonly wildcardExports: boolean;
  readonly disallowsBearer: boolean;
  readonly connections: number;
  readonly leafNodes: number;
  readonly jetStream: JetStreamClaims;
  readonly tiers: ReadonlyMap<string, JetStreamClaims>;
}

export interface MappingClaim {
  readonly source: string;
  readonly destinations: readonly {
    readonly subject: string;
    readonly weight: number;
    readonly cluster: string;
  }[];
}

/** A signing key that may only sign users who have these terms. */
export interface UserScope {
  readonly key: string;
  readonly role: string;
  readonly template: UserTerms;
}

export interface AccountClaims {
  /** The token itself. */
  readonly jwt: string;
  readonly token: Token;
  /** Public nkey of the account, which is its name. */
  readonly subject: string;
  readonly issuer: string;
  /** What people call it. */
  readonly name: string;
  readonly tags: readonly string[];
  readonly imports: readonly (ImportClaim | null)[];
  readonly exports: readonly (ExportClaim | null)[];
  readonly limits: AccountLimitClaims;
  /** null: it may sign users of any kind. */
  readonly signingKeys: ReadonlyMap<string, UserScope | null>;
  /** By public nkey of a user, or `*`: users issued until then are refused, in seconds since the epoch. */
  readonly revocations: ReadonlyMap<string, number>;
  readonly defaultPermissions: PermissionsClaims;
  readonly mappings: readonly MappingClaim[];
  readonly authorization: {
    readonly authUsers: readonly string[];
    readonly allowedAccounts: readonly string[];
    /** "": none. */
    readonly xkey: string;
  };
  readonly trace: { readonly destination: string; readonly sampling: number } | null;
  readonly clusterTraffic: string;
  readonly description: string;
  readonly infoUrl: string;
}

/** Throws BadJwt. */
export function readAccountClaims(jwt: string): AccountClaims {
  const token = decodeToken(jwt, "account");
  const { nats } = token;
  const authorization = fields(nats, "authorization");
  return {
    jwt,
    token,
    subject: token.subject,
    issuer: token.issuer,
    name: token.name,
    tags: token.tags,
    imports: fieldsList(nats, "imports").map((one) => (one === null ? null : readImport(one, token.subject))),
    exports: fieldsList(nats, "exports").map((one) => (one === null ? null : readExport(one, token.subject))),
    limits: readLimits(fields(nats, "limits"), token.version),
    signingKeys: readSigningKeys(nats, token.version),
    revocations: readRevocations(nats),
    defaultPermissions: readPermissions(fields(nats, "default_permissions")),
    mappings: readMappings(nats, token.subject),
    authorization: {
      authUsers: texts(authorization, "auth_users"),
      allowedAccounts: texts(authorization, "allowed_accounts"),
      xkey: text(authorization, "xkey"),
    },
    trace: readTrace(nats),
    clusterTraffic: text(nats, "cluster_traffic"),
    description: text(nats, "description"),
    infoUrl: text(nats, "info_url"),
  };
}

/** `owner`: the account, for functions in subjects. */
function readImport(claims: Claims, owner: string): ImportClaim {
  const account = text(claims, "account");
  const subject = (name: string): string => withAccountHashes(text(claims, name), owner, account);
  return {
    name: text(claims, "name"),
    kind: kindOf(claims, "type"),
    account,
    subject: subject("subject"),
    to: subject("to"),
    localSubject: subject("local_subject"),
    token: text(claims, "token"),
    share: flag(claims, "share"),
    allowTrace: flag(claims, "allow_trace"),
  };
}

/** "unknown" where the field is absent. */
export function kindOf(claims: Claims, name: string): CrossingKind {
  if (fieldOf(claims, name) === undefined) return "unknown";
  const kind = text(claims, name);
  if (kind !== "stream" && kind !== "service") throw new BadJwt(`unknown export type in ${name}`);
  return kind;
}

function readExport(claims: Claims, owner: string): ExportClaim {
  const latency = fieldOf(claims, "service_latency") === undefined ? null : fields(claims, "service_latency");
  const position = whole(claims, "account_token_position");
  if (position < 0) throw new BadJwt("account_token_position is below 0");
  return {
    name: text(claims, "name"),
    kind: kindOf(claims, "type"),
    subject: withAccountHashes(text(claims, "subject"), owner),
    needsToken: flag(claims, "token_req"),
    revocations: readRevocations(claims),
    responseType: text(claims, "response_type"),
    responseThresholdNs: whole(claims, "response_threshold"),
    latency: latency === null ? null : { sampling: samplingOf(latency), results: text(latency, "results") },
    accountTokenPosition: position,
    allowTrace: flag(claims, "allow_trace"),
    description: text(claims, "description"),
    infoUrl: text(claims, "info_url"),
  };
}

function samplingOf(latency: Claims): number {
  const value = fieldOf(latency, "sampling");
  return typeof value === "string" && value.toLowerCase() === "headers" ? 0 : whole(latency, "sampling");
}

function readRevocations(claims: Claims): ReadonlyMap<string, number> {
  const entries = fields(claims, "revocations");
  return new Map(Object.keys(entries).map((key) => [key, whole({ at: entries[key] }, "at")]));
}

function readLimits(claims: Claims, version: 1 | 2): AccountLimitClaims {
  const tiers = version === 1 ? {} : fields(claims, "tiered_limits");
  const hasTiers = Object.keys(tiers).length > 0;
  return {
    subscriptions: limitOf(claims, "subs"),
    payloadBytes: limitOf(claims, "payload"),
    data: limitOf(claims, "data"),
    imports: whole(claims, "imports"),
    exports: whole(claims, "exports"),
    wildcardExports: flag(claims, "wildcards"),
    disallowsBearer: flag(claims, "disallow_bearer"),
    connections: limitOf(claims, "conn"),
    leafNodes: limitOf(claims, "leaf"),
    // Tiers take the place of the one limit, as in nats-server.
    jetStream: readJetStream(version === 1 || hasTiers ? {} : claims),
    tiers: new Map(
      Object.entries(tiers).map(([tier, one]) => [tier, readJetStream(asClaims(one ?? {}, "tiered_limits"))]),
    ),
  };
}

function limitOf(claims: Claims, name: string): number {
  return Math.max(-1, whole(claims, name));
}

function readJetStream(claims: Claims): JetStreamClaims {
  return {
    memoryBytes: whole(claims, "mem_storage"),
    fileBytes: whole(claims, "disk_storage"),
    streams: whole(claims, "streams"),
    consumers: whole(claims, "consumer"),
    maxAckPending: whole(claims, "max_ack_pending"),
    memoryMaxStreamBytes: whole(claims, "mem_max_stream_bytes"),
    fileMaxStreamBytes: whole(claims, "disk_max_stream_bytes"),
    needsMaxBytes: flag(claims, "max_bytes_required"),
  };
}

function readSigningKeys(nats: Claims, version: 1 | 2): ReadonlyMap<string, UserScope | null> {
  const keys = new Map<string, UserScope | null>();
  if (version === 1) for (const key of texts(nats, "signing_keys")) keys.set(key, null);
  else
    for (const one of list(nats, "signing_keys")) {
      if (typeof one === "string") keys.set(one, null);
      else if (typeof one === "object" && one !== null && !Array.isArray(one)) {
        const scope = readScope(one as Claims);
        keys.set(scope.key, scope);
      }
    }
  return keys;
}

function readScope(claims: Claims): UserScope {
  if (claims["kind"] !== "user_scope") throw new BadJwt("unknown signing key scope");
  text(claims, "description");
  return {
    key: text(claims, "key"),
    role: text(claims, "role"),
    template: readTerms(fields(claims, "template"), -1),
  };
}

function readMappings(nats: Claims, owner: string): readonly MappingClaim[] {
  const mappings = fields(nats, "mappings");
  return Object.keys(mappings).map((source) => ({
    source: withAccountHashes(source, owner),
    destinations: fieldsList({ all: mappings[source] }, "all").map((one) => {
      const weight = whole(one ?? {}, "weight");
      if (weight < 0 || weight > 255) throw new BadJwt("the weight of a mapping is out of range");
      return {
        subject: withAccountHashes(text(one ?? {}, "subject"), owner),
        weight: weight || 100,
        cluster: text(one ?? {}, "cluster"),
      };
    }),
  }));
}

function readTrace(nats: Claims): AccountClaims["trace"] {
  if (fieldOf(nats, "trace") === undefined) return null;
  const trace = fields(nats, "trace");
  return { destination: text(trace, "dest"), sampling: whole(trace, "sampling") };
}

/** Whether its clients may use JetStream. */
export function usesJetStream({ limits }: AccountClaims): boolean {
  const all = limits.tiers.size > 0 ? [...limits.tiers.values()] : [limits.jetStream];
  return all.some(({ memoryBytes, fileBytes }) => memoryBytes !== 0 || fileBytes !== 0);
}
