/** Tokens of users: each that is refused is wrong in one way, in its header, signature, claims or terms. */
import {
  accountToken,
  activationToken,
  HOUR_S,
  newAccount,
  newServer,
  scopedToken,
  userToken,
  type Forgery,
} from "../support/operator-kit.ts";
import {
  closed,
  exporter,
  keyed,
  kit,
  now,
  odd,
  open,
  other,
  scope,
  signing,
  tagged,
  user,
  type Fields,
  type Token,
} from "./operator-keys.ts";

const DEEP = 70;

/** A user of the open account with something changed. */
const changed = (claims: Fields): Token => [userToken(user, open, claims), user];
const terms = (nats: Fields): Token => changed({ nats });
const forged = (forgery: Forgery): Token => changed({ forgery });
const tampered = (change: (body: string) => string): Token => {
  const [header = "", body = "", signature = ""] = userToken(user, open).split(".");
  const text = change(Buffer.from(body, "base64url").toString());
  return [`${header}.${Buffer.from(text).toString("base64url")}.${signature}`, user];
};
const deep = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);

const HEADERS: Readonly<Record<string, Fields | string>> = {
  "no algorithm": { typ: "JWT" },
  "the algorithm none": { typ: "JWT", alg: "none" },
  "another algorithm": { typ: "JWT", alg: "HS256" },
  "another elliptic curve": { typ: "JWT", alg: "EdDSA" },
  "an algorithm that is a number": { typ: "JWT", alg: 1 },
  "no type": { alg: "ed25519-nkey" },
  "another type": { typ: "JWE", alg: "ed25519-nkey" },
  "a type that is a list": { typ: ["JWT"], alg: "ed25519-nkey" },
  "a header that is a list": "[]",
  "a header that is a text": '"JWT"',
  "a header that is no JSON": "{typ: JWT}",
  "an empty header": "",
};

const FORGERIES: Readonly<Record<string, Forgery>> = {
  "no signature": { signature: () => "" },
  "a short signature": { signature: (right) => right.slice(0, 40) },
  "a long signature": { signature: (right) => `${right}AAAA` },
  "another signature": {
    signature: (right) => `${right[0] === "A" ? "B" : "A"}${right.slice(1)}`,
  },
  "a signature of another key": { signature: () => other.sign("x") },
  "a signature with letters of no base64": {
    signature: (right) => `!${right.slice(1)}`,
  },
  "a signature of the body alone": { signs: "body" },
  "a fourth chunk": { signature: (right) => `${right}.x` },
  "claims that are a list": { body: () => "[]" },
  "claims that are no JSON": { body: (right) => right.slice(1) },
  "claims with something behind": { body: (right) => `${right}{}` },
  "claims that are null": { body: () => "null" },
  "no claims": { body: () => "{}" },
};

const CLAIMS: Readonly<Record<string, Fields>> = {
  "an expired user": { exp: now - 1 },
  "a user expired long ago": { exp: 1 },
  "a user of tomorrow": { nbf: now + HOUR_S },
  "an expiry that is a text": { exp: String(now + HOUR_S) },
  "an expiry that is a fraction": { exp: now + HOUR_S + 0.5 },
  "a beginning that is a text": { nbf: "1" },
  "a time of issue that is a text": { iat: "1" },
  "a time of issue that is an object": { iat: {} },
  "a name that is a number": { name: 1 },
  "a subject that is a number": { sub: 7 },
  "another user as its subject": { sub: other.publicKey },
  "no subject": { sub: undefined },
  "an account as its subject": { sub: open.publicKey },
  "a subject with a letter changed": {
    sub: `${user.publicKey.slice(0, -1)}${user.publicKey.endsWith("A") ? "B" : "A"}`,
  },
  "no issuer": { iss: undefined },
  "another account as its issuer": { iss: keyed.publicKey },
  "the operator as its issuer": { iss: kit.operator.publicKey },
  "a user as its issuer": { iss: user.publicKey },
  "an issuer that is a list": { iss: [open.publicKey] },
  "an issuer in lower case": { iss: open.publicKey.toLowerCase() },
  "an audience that is a number": { aud: 4 },
  "an id that is a list": { jti: [] },
};

const TERMS: Readonly<Record<string, Fields>> = {
  "the claims of an account": { type: "account" },
  "the claims of an operator": { type: "operator" },
  "the claims of an activation": { type: "activation" },
  "claims of no type": { type: undefined },
  "claims of another type": { type: "generic" },
  "claims of a cluster": { type: "cluster" },
  "claims of a server": { type: "server" },
  "a type that is a number": { type: 2 },
  "version 3": { version: 3 },
  "version 0": { version: 0 },
  "no version": { version: undefined },
  "version -1": { version: -1 },
  "a version that is a text": { version: "2" },
  "a version that is a fraction": { version: 2.5 },
  "an issuer account that is none": { issuer_account: "A" },
  "an issuer account that is a user": { issuer_account: user.publicKey },
  "an issuer account that does not know the key": {
    issuer_account: keyed.publicKey,
  },
  "an issuer account that is not there": {
    issuer_account: newAccount().publicKey,
  },
  "an issuer account that is a number": { issuer_account: 1 },
  "a source that is not here": { src: ["10.0.0.0/8"] },
  "a source that is a name": { src: ["localhost"] },
  "a source without a length": { src: ["127.0.0.1"] },
  "a source that is too long": { src: ["127.0.0.1/33"] },
  "a source that is an empty text in a list": { src: [""] },
  "a source in IPv6": { src: ["::1/128"] },
  "a source that is a number": { src: 7 },
  "sources that are numbers": { src: [1] },
  "a time that is over": {
    times: [
      { start: "00:00:00", end: "00:00:01" },
      { start: "00:00:01", end: "00:00:02" },
    ],
    times_location: "UTC",
  },
  "a time without an end": { times: [{ start: "00:00:00" }] },
  "a time without a start": { times: [{ end: "23:59:59" }] },
  "a time of hour 25": { times: [{ start: "25:00:00", end: "26:00:00" }] },
  "a time with minute 60": { times: [{ start: "00:60:00", end: "23:59:59" }] },
  "a time with second 60": { times: [{ start: "00:00:00", end: "23:59:60" }] },
  "a time in words": { times: [{ start: "noon", end: "night" }] },
  "a time that is null": { times: [null] },
  "times that are an object": { times: {} },
  "a zone that is none": { times_location: "Atlantis/Capital" },
  "a zone that is a number": { times_location: 1 },
  "a zone that is a path": { times_location: "../../etc/passwd" },
  "another connection type": { allowed_connection_types: ["WEBSOCKET"] },
  "a connection type that is none": {
    allowed_connection_types: ["CARRIER_PIGEON"],
  },
  "an empty connection type": { allowed_connection_types: [""] },
  "connection types that are a text": { allowed_connection_types: "STANDARD" },
  "a bearer that is a text": { bearer_token: "true" },
  "a bearer that is a number": { bearer_token: 1 },
  "a proxy that is required": { proxy_required: true },
  "permissions that are a list": { pub: [] },
  "permissions that are a text": { sub: "a" },
  "an allowed subject that is a text": { pub: { allow: "a" } },
  "an allowed subject that is a number": { pub: { allow: [1] } },
  "an empty subject": { pub: { allow: [""] } },
  "a subject that begins with a dot": { pub: { allow: [".a"] } },
  "a subject that ends with a dot": { sub: { deny: ["a."] } },
  "a subject with two dots": { sub: { allow: ["a..b"] } },
  "a queue group to publish": { pub: { allow: ["a q"] } },
  "a subject with two queue groups": { sub: { allow: ["a q r"] } },
  "a queue group that ends with a dot": { sub: { allow: ["a q."] } },
  "a denied subject that is empty": { pub: { deny: ["a", ""] } },
  "responses that are a number": { resp: 1 },
  "a number of responses that is a text": { resp: { max: "1" } },
  "a time for responses that is a text": { resp: { ttl: "1s" } },
  "a limit of subscriptions that is a text": { subs: "1" },
  "a limit of subscriptions that is a fraction": { subs: 1.5 },
  "a limit of data that is an object": { data: {} },
  "a payload that is true": { payload: true },
  "a payload beyond 64 bits": { payload: 1e30 },
  "tags that are a text": { tags: "a" },
  "tags that are numbers": { tags: [1] },
};

export const REFUSED: readonly (readonly [string, Token])[] = [
  ["no token", ["", null]],
  ["a text that is no token", ["x", user]],
  ["two dots", ["..", user]],
  ["two chunks", [userToken(user, open).split(".").slice(0, 2).join("."), user]],
  ["a token with a blank before it", [` ${userToken(user, open)}`, user]],
  ["a token with padding", [userToken(user, open).replace(".", "=."), user]],
  ["the token of an account", [accountToken(open, kit.operator), user]],
  ["the token of the operator", [kit.jwt, user]],
  [
    "the token of an activation",
    [
      activationToken(open, exporter, {
        nats: { subject: "s.>", kind: "stream" },
      }),
      user,
    ],
  ],
  ["no signature of the nonce", [userToken(user, open), null]],
  ["a signature of the nonce by another user", [userToken(user, open), other]],
  [
    "a user that another account has signed for this one",
    [userToken(user, keyed, { nats: { issuer_account: open.publicKey } }), user],
  ],
  ["a user that a server has signed", [userToken(user, newServer()), user]],
  ["a user that the operator has signed", [userToken(user, kit.operator), user]],
  ["a user that has signed itself", [userToken(user, user), user]],
  ["a user of an account that is not there", [userToken(user, newAccount()), user]],
  ["a user of a signing key that does not name its account", [userToken(user, signing), user]],
  ["a bearer that is not allowed", [userToken(user, closed, { nats: { bearer_token: true } }), null]],
  ["a revoked user", [userToken(other, closed), other]],
  ["a name that was changed", tampered((body) => body.replace('"sub"', '"name":"x","sub"'))],
  ["a permission that was added", tampered((body) => body.replace('"subs":-1', '"subs":-2'))],
  [
    "a scoped user with permissions",
    [scopedToken(user, scope, keyed, { nats: { pub: { allow: ["a"] } } }), user],
  ],
  ["a scoped user with limits", [scopedToken(user, scope, keyed, { nats: { subs: -1 } }), user]],
  [
    "a scoped user that is a bearer",
    [scopedToken(user, scope, keyed, { nats: { bearer_token: true } }), null],
  ],
  [
    "a scoped user with an empty list of sources",
    [scopedToken(user, scope, keyed, { nats: { src: [] } }), user],
  ],
  ["a scoped user outside of the template's sources", [scopedToken(user, scope, keyed, { name: "n" }), user]],
  ["a scoped user without the tag that is denied", [scopedToken(user, tagged, keyed, {}), user]],
  ["a scoped user of a template that makes no sense", [scopedToken(user, odd, keyed, {}), user]],
  ["nesting that is too deep", forged({ body: (right) => right.replace("{", `{"x":${deep(10_001)},`) })],
  ...Object.entries(HEADERS).map(([name, header]) => [name, forged({ header })] as const),
  ...Object.entries(FORGERIES).map(([name, forgery]) => [name, forged(forgery)] as const),
  ...Object.entries(CLAIMS).map(([name, claims]) => [name, changed(claims)] as const),
  ...Object.entries(TERMS).map(([name, nats]) => [name, terms(nats)] as const),
];

/** Stricter than nats-server, which reads on or takes the last. */
export const REFUSED_HERE_ALONE: readonly (readonly [string, Token])[] = [
  ["a field that is named twice", forged({ body: (right) => right.replace("{", '{"exp":1,"exp":0,') })],
  ["nesting beyond 64 levels", forged({ body: (right) => right.replace("{", `{"x":${deep(DEEP)},`) })],
];

export const ADMITTED: readonly (readonly [string, Token])[] = [
  ["a type in lower case", forged({ header: { typ: "jwt", alg: "ed25519-nkey" } })],
  ["an algorithm in upper case", forged({ header: { typ: "JWT", alg: "ED25519-NKEY" } })],
  ["the older algorithm", forged({ header: { typ: "JWT", alg: "ed25519" } })],
  ["a field that nobody knows", changed({ colour: { of: ["money", 1.5] } })],
  ["a name of a field in other letters", forged({ body: (right) => right.replace('"sub"', '"SUB"') })],
  ["fields that are null", terms({ src: null, times: null, pub: null, tags: null })],
  [
    "a limit of 64 bits",
    forged({
      body: (right) => right.replace('"payload":-1', '"payload":9223372036854775807'),
    }),
  ],
  ["a user that expires in an hour", changed({ exp: now + HOUR_S, nbf: now - HOUR_S })],
  ["an empty list of sources", terms({ src: [] })],
  ["a connection type beside one that is none", terms({ allowed_connection_types: ["PIGEON", "STANDARD"] })],
  [
    "a user of a signing key",
    [userToken(user, signing, { nats: { issuer_account: keyed.publicKey } }), user],
  ],
];

/** Version 1: the kind stands outside of `nats`, and the body alone is signed. */
export const old = (claims: Fields, nats: Fields = {}): Token => [
  userToken(user, open, {
    type: "user",
    ...claims,
    nats: { type: undefined, version: undefined, ...nats },
    forgery: { header: { typ: "jwt", alg: "ed25519" }, signs: "body" },
  }),
  user,
];
