/** Claims of accounts whose users are refused: each is wrong in one way. */
import { activationToken, HOUR_S, newAccount, newOperator, UNLIMITED } from "../support/operator-kit.ts";
import { exporter, keyed, now, open, other, roleOf, scope, user, type Fields } from "./operator-keys.ts";

export const ACCOUNT_CLAIMS: Readonly<Record<string, Fields>> = {
  "an expired account": { exp: now - 1 },
  "an account of tomorrow": { nbf: now + HOUR_S },
  "an account whose expiry is a text": { exp: "9" },
  "an account whose name is a list": { name: [] },
  "an account that another operator has signed": {
    iss: newOperator().publicKey,
  },
  "an account for another subject": { sub: open.publicKey },
};

const EXPORT = { name: "e", subject: "e.>", type: "stream" };
const SERVICE = { name: "r", subject: "r.>", type: "service" };
const IMPORT = {
  name: "i",
  subject: "s.x",
  account: exporter.publicKey,
  type: "stream",
};
const ASK = {
  name: "a",
  subject: "ask.x",
  account: exporter.publicKey,
  type: "service",
};
const exports = (...list: readonly unknown[]): Fields => ({ exports: list });
const imports = (...list: readonly unknown[]): Fields => ({ imports: list });

export const ACCOUNT_TERMS: Readonly<Record<string, Fields>> = {
  "the claims of a user": { type: "user" },
  "an account of no type": { type: undefined },
  "an account of version 3": { version: 3 },
  "an account of version 0": { version: 0 },
  "limits that are a list": { limits: [] },
  "a limit of connections that is a text": { limits: { ...UNLIMITED, conn: "1" } },
  "a limit of connections that is 0": { limits: { ...UNLIMITED, conn: 0 } },
  "no limits, which permit no connection": { limits: {} },
  "wildcards that are a number": { limits: { ...UNLIMITED, wildcards: 1 } },
  "more exports than allowed": {
    limits: { ...UNLIMITED, exports: 0 },
    ...exports(EXPORT),
  },
  "more imports than allowed": {
    limits: { ...UNLIMITED, imports: 0 },
    ...imports(IMPORT),
  },
  "wildcards that are not allowed": {
    limits: { ...UNLIMITED, exports: 5, wildcards: false },
    ...exports(EXPORT),
  },
  "a tier without a name": { limits: { ...UNLIMITED, tiered_limits: { "": {} } } },
  "tiers that are a list": { limits: { ...UNLIMITED, tiered_limits: [] } },
  "an export that is null": exports(null),
  "an export of no type": exports({ ...EXPORT, type: undefined }),
  "an export of another type": exports({ ...EXPORT, type: "mail" }),
  "an export of an empty subject": exports({ ...EXPORT, subject: "" }),
  "an export with a blank": exports({ ...EXPORT, subject: "a b" }),
  "an export with two dots": exports({ ...EXPORT, subject: "a..b" }),
  "exports that overlap": exports(EXPORT, { ...EXPORT, subject: "e.f" }),
  "services that overlap": exports(SERVICE, { ...SERVICE, subject: "r.*" }),
  "exports that are the same": exports(EXPORT, EXPORT),
  "a stream with a response type": exports({
    ...EXPORT,
    response_type: "Stream",
  }),
  "a service with another response type": exports({
    ...SERVICE,
    response_type: "Many",
  }),
  "a stream that is measured": exports({
    ...EXPORT,
    service_latency: { sampling: 1, results: "l" },
  }),
  "a sampling above 100": exports({
    ...SERVICE,
    service_latency: { sampling: 101, results: "l" },
  }),
  "a sampling in words": exports({
    ...SERVICE,
    service_latency: { sampling: "often", results: "l" },
  }),
  "results with a wildcard": exports({
    ...SERVICE,
    service_latency: { sampling: 1, results: "l.*" },
  }),
  "results without a subject": exports({
    ...SERVICE,
    service_latency: { sampling: 1 },
  }),
  "a threshold below 0": exports({ ...SERVICE, response_threshold: -1 }),
  "a stream with a threshold": exports({ ...EXPORT, response_threshold: 1 }),
  "a token position without a wildcard": exports({
    ...EXPORT,
    subject: "e.f",
    account_token_position: 1,
  }),
  "a token position beyond the subject": exports({
    ...EXPORT,
    subject: "e.*",
    account_token_position: 3,
  }),
  "a token position beside the wildcard": exports({
    ...EXPORT,
    subject: "e.*",
    account_token_position: 1,
  }),
  "a token position below 0": exports({
    ...EXPORT,
    subject: "e.*",
    account_token_position: -1,
  }),
  "a stream that permits traces": exports({ ...EXPORT, allow_trace: true }),
  "an export whose revocations are a list": exports({
    ...EXPORT,
    revocations: [],
  }),
  "an export with a URL that is none": exports({ ...EXPORT, info_url: "here" }),
  "an export with too long a description": exports({
    ...EXPORT,
    description: "x".repeat(9000),
  }),
  "an import that is null": imports(null),
  "an import of no type": imports({ ...IMPORT, type: undefined }),
  "an import without an account": imports({ ...IMPORT, account: "" }),
  "an import without a subject": imports({ ...IMPORT, subject: "" }),
  "an import with a blank": imports({ ...IMPORT, subject: "a b" }),
  "an import with two local subjects": imports({
    ...IMPORT,
    to: "p",
    local_subject: "q",
  }),
  "a local subject that lacks a wildcard": imports({
    ...IMPORT,
    subject: "s.*",
    local_subject: "q",
  }),
  "a local subject that names another wildcard": imports({
    ...IMPORT,
    subject: "s.*",
    local_subject: "q.$2",
  }),
  "a local subject that is open alone": imports({
    ...IMPORT,
    subject: "s.x",
    local_subject: "q.>",
  }),
  "services here that overlap": imports(ASK, { ...ASK, subject: "ask.*" }),
  "a service that permits traces": imports({ ...ASK, allow_trace: true }),
  "a stream that is shared": imports({ ...IMPORT, share: true }),
  "an import whose token is none": imports({ ...IMPORT, token: "x" }),
  "an import with a token for another account": imports({
    ...IMPORT,
    token: activationToken(newAccount(), exporter, {
      nats: { subject: "s.>", kind: "stream" },
    }),
  }),
  "an import with a token of another account": imports({
    ...IMPORT,
    token: activationToken(open, keyed, {
      nats: { subject: "s.>", kind: "stream" },
    }),
  }),
  "default permissions with an empty subject": {
    default_permissions: { pub: { allow: [""] } },
  },
  "default permissions that are a list": { default_permissions: [] },
  "a signing key that is a user": { signing_keys: [user.publicKey] },
  "a signing key that is no key": { signing_keys: ["x"] },
  "a scope of another kind": {
    signing_keys: [{ ...roleOf(scope, {}), kind: "all" }],
  },
  "a scope without a key": { signing_keys: [{ kind: "user_scope" }] },
  "signing keys that are a text": { signing_keys: scope.publicKey },
  "revocations that are a list": { revocations: [] },
  "a revocation at a text": { revocations: { "*": "1" } },
  "a mapping with a weight above 100": {
    mappings: { a: [{ subject: "b", weight: 101 }] },
  },
  "mappings above 100 in all": {
    mappings: {
      a: [
        { subject: "b", weight: 60 },
        { subject: "c", weight: 60 },
      ],
    },
  },
  "a mapping to nowhere": { mappings: { a: [{ subject: "" }] } },
  "a mapping from a subject with two dots": {
    mappings: { "a..b": [{ subject: "c" }] },
  },
  "a mapping whose weight is 300": {
    mappings: { a: [{ subject: "b", weight: 300 }] },
  },
  "a callout with accounts and no users": {
    authorization: { allowed_accounts: [open.publicKey] },
  },
  "a callout whose user is an account": {
    authorization: { auth_users: [open.publicKey] },
  },
  "a callout for all accounts and one": {
    authorization: {
      auth_users: [other.publicKey],
      allowed_accounts: ["*", open.publicKey],
    },
  },
  "a callout whose curve key is none": {
    authorization: { auth_users: [other.publicKey], xkey: "X" },
  },
  "a trace without a destination": { trace: {} },
  "a trace to a wildcard": { trace: { dest: "a.*" } },
  "a trace of 101 percent": { trace: { dest: "a", sampling: 101 } },
  "traffic that nobody knows": { cluster_traffic: "mine" },
  "tags of an account that are a text": { tags: "a" },
  "a URL of an account that is none": { info_url: "://" },
};
