/**
 * A service decides who may connect: the same configuration and the same service on shoal and on the real nats-server, which
 * both decide alike and say the same.
 */
import { connect, type ConnectionOptions, type NatsConnection } from "@nats-io/transport-node";
import { createAccount, createCurve } from "@nats-io/nkeys";
import { once } from "node:events";
import { createConnection } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  answerTo,
  CalloutService,
  claimsOf,
  strangersKey,
  type AnswerChange,
} from "../support/callout-service.ts";
import type { CalloutRequest } from "../support/callout-service.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { findNatsCli, NatsCommand } from "../support/nats-cli.ts";
import { PATIENCE_MS, PATIENT } from "../support/patience.ts";
import { bothServers } from "../support/both-servers.ts";
import { startServer, type ServerProcess } from "../support/nats-server.ts";

const issuer = createAccount();
const serviceKey = createCurve();
const ISSUER = issuer.getPublicKey();
const SECRET = "a-secret-of-the-client";

const configOf = (more: string): string => `
server_name: asking
server_tags: ["one", "two"]
accounts {
  AUTH { users: [{ user: auth, password: auth }, { user: second, password: s }] }
  APP { users: [{ user: fixed, password: f }] }
  OTHER { users: [{ user: other, password: o }] }
}
authorization { timeout: 6, auth_callout { issuer: ${ISSUER}, account: AUTH, auth_users: [auth] ${more} } }`;

/** Users whom the service refuses in some way, with the words for the log. */
const REFUSED: readonly [user: string, change: AnswerChange, words: string][] = [
  [
    "unknown",
    { error: "nobody of that name" },
    "Auth callout service returned an error: nobody of that name",
  ],
  ["user-of-stranger", { userKey: strangersKey }, 'Wrong issuer for auth callout response on account "AUTH"'],
  [
    "for-another-server",
    { response: { aud: "NCKK3FLMUH4HTFXM3PHN5CGTNTI3M5LGIHCQZE2AUGWOQQVXJXMWLYNB" } },
    "Authorization response had validation errors: Audience must be a server public key",
  ],
  [
    "another-user",
    { response: { sub: "UC6GEDIUAWGQZ3BNTMGX3KA26TC7V4INT2GMQEXJSAAPQO2LK4CU4RUY" } },
    "Auth callout violation: auth callout response is not for expected user",
  ],
  [
    "with-token-of-another",
    { user: { sub: "UC6GEDIUAWGQZ3BNTMGX3KA26TC7V4INT2GMQEXJSAAPQO2LK4CU4RUY" } },
    "Expected authorized user of",
  ],
  ["late", { response: { exp: 1000 } }, "Authorization response had validation errors: claim is expired"],
  ["expired", { user: { exp: 1000 } }, "claim is expired"],
  ["early", { user: { nbf: 4_000_000_000 } }, "claim is not yet valid"],
  [
    "nowhere",
    { user: { aud: "NOWHERE" } },
    'No valid account "NOWHERE" for auth callout response on account "AUTH"',
  ],
  ["homeless", { user: { aud: "" } }, 'No valid account "" for auth callout response on account "AUTH"'],
  [
    "of-a-signing-key",
    { grants: { issuer_account: strangersKey.getPublicKey() } },
    'Error non operator mode account "AUTH": attempted to use issuer_account',
  ],
  [
    "browser",
    { grants: { allowed_connection_types: ["WEBSOCKET"] } },
    'Authorized user on account "AUTH" not allowed to use connection type',
  ],
  [
    "pigeon",
    { grants: { allowed_connection_types: ["PIGEON"] } },
    'Authorized user on account "AUTH" using invalid connection type',
  ],
  [
    "nightly",
    { grants: { times: [{ start: "00:00:00", end: "00:00:01" }], times_location: "UTC" } },
    'Authorized user on account "AUTH" outside of valid connect times',
  ],
  [
    "in-no-time",
    { grants: { times: [{ start: "25:00:00", end: "26:00:00" }] } },
    "start in time range is invalid",
  ],
  ["behind-proxy", { grants: { proxy_required: true } }, ""],
  ["nonsense", { grants: { pub: { allow: ["a..b"] } } }, "Error validating user JWT"],
  ["wrong-type", { grants: { pub: { allow: "a" } } }, ""],
  ["of-future", { response: { nats: { type: "authorization_response", version: 3 } } }, "newer version"],
  [
    "of-another-kind",
    { response: { nats: { type: "user", version: 2 } } },
    "Not an authorization request claim",
  ],
];

/** Answers that are none. */
const GARBAGE: readonly [user: string, answer: string | Uint8Array, words: string][] = [
  ["empty", "", "Auth callout violation"],
  ["chunks", "eyJ.x", "Expected 3 chunks"],
  ["zeros", new Uint8Array(100), ""],
  [
    "unsigned",
    `${Buffer.from('{"typ":"JWT","alg":"none"}').toString("base64url")}.e30.e30`,
    'Unexpected "none" algorithm',
  ],
];

const ADMITTED: Readonly<Record<string, AnswerChange>> = {
  alice: {},
  global: { user: { aud: "$G" } },
  named: { user: { name: "somebody" } },
  limited: {
    grants: {
      pub: { allow: ["some.>"], deny: ["some.secret"] },
      sub: { allow: ["some.>", "_INBOX.>", "jobs workers"] },
    },
  },
  responder: {
    grants: { sub: { allow: ["svc", "_INBOX.>"] }, pub: { deny: ["never"] }, resp: { max: 1, ttl: 0 } },
  },
  brief: {},
  "all-day": {
    grants: {
      times: [
        { start: "00:00:00", end: "23:59:59" },
        { start: "12:00:00", end: "11:59:59" },
      ],
    },
  },
  insider: { user: { aud: "AUTH" } },
  standard: { grants: { allowed_connection_types: ["standard", "PIGEON"] } },
  fixed: {},
  other: { user: { aud: "OTHER" } },
};

function decide(request: CalloutRequest): string | Uint8Array | null {
  const user = request.nats.connect_opts.user ?? "alice";
  if (user === "silent") return null;
  if (user === "brief") {
    const exp = Math.floor(Date.now() / 1000) + 4;
    return answerTo(request, issuer, { user: { exp } });
  }
  const garbage = GARBAGE.find(([name]) => name === user);
  if (garbage !== undefined) return garbage[1];
  if (user === "response-of-stranger") return answerTo(request, issuer, { responseKey: strangersKey });
  const refused = REFUSED.find(([name]) => name === user);
  return answerTo(request, issuer, refused?.[1] ?? ADMITTED[user] ?? { error: `not ${user}` });
}

/** What the server says until it ends the connection. From an address of its own: repeated lines about one are not logged. */
async function saidTo(port: number, user: string, localAddress: string, until?: RegExp): Promise<string> {
  const socket = createConnection({ port, host: "127.0.0.1", localAddress });
  let said = "";
  socket.on("data", (bytes: Buffer) => {
    said += bytes.toString();
    if (until?.test(said) === true) socket.end();
  });
  socket.write(`CONNECT ${JSON.stringify({ user, pass: SECRET, verbose: false, protocol: 1 })}\r\nPING\r\n`);
  await once(socket, "close");
  return said;
}

const cli = findNatsCli();
const ways = bothServers.flatMap((target) => [
  { ...target, way: "in plaintext", curve: undefined },
  { ...target, way: "encrypted", curve: serviceKey },
]);

describe.each(ways)("auth callouts $way on $name", ({ command, curve }) => {
  let server: ServerProcess;
  let service: CalloutService;
  const open: NatsConnection[] = [];

  beforeAll(async () => {
    server = await startServer(
      command,
      configOf(curve === undefined ? "" : `, xkey: ${curve.getPublicKey()}`),
    );
    service = await CalloutService.start({ servers: urlOf(), curve, decide });
  });
  afterAll(async () => {
    await Promise.all(open.map((client) => client.close()));
    await service.connection.close();
    await server.stop();
  });

  const urlOf = (): string => `nats://${server.host}:${server.port}`;

  async function login(options: ConnectionOptions): Promise<NatsConnection> {
    const client = await connect({ servers: urlOf(), reconnect: false, reconnectTimeWait: 10, ...options });
    open.push(client);
    return client;
  }
  const loginAs = (user: string): Promise<NatsConnection> => login({ user, pass: SECRET });
  const whoIs = async (client: NatsConnection): Promise<{ user: string; account: string }> => {
    const answer = await client.request("$SYS.REQ.USER.INFO", "", { timeout: PATIENCE_MS });
    return answer.json<{ data: { user: string; account: string } }>().data;
  };
  const statusOf = async (client: NatsConnection): Promise<string> => {
    for await (const { type, ...rest } of client.status())
      if (type === "error") return "error" in rest ? String(rest.error) : "";
    return "";
  };

  it("asks about a client what there is to say, signed by the server", async () => {
    const client = await login({ user: "alice", pass: SECRET, name: "the client" });
    const request = service.requests.at(-1)!;
    const { nats, ...common } = request;
    const now = Date.now() / 1000;
    expect(common).toMatchObject({ aud: "nats-authorization-request", sub: ISSUER, iss: nats.server_id.id });
    expect(common.exp).toBeGreaterThan(now - 10);
    expect(common.exp).toBeLessThan(now + 10);
    const { id, xkey, version, ...about } = nats.server_id;
    expect({ id, xkey }).toEqual({
      id: client.info!.server_id,
      xkey: curve === undefined ? undefined : (client.info as { xkey?: string }).xkey,
    });
    expect(version).toBe(client.info!.version);
    expect(about).toEqual({ name: "asking", host: "127.0.0.1", tags: ["one", "two"] });
    expect(nats.user_nkey).toMatch(/^U[A-Z2-7]{55}$/);
    expect(nats.client_info).toEqual({
      host: "127.0.0.1",
      id: client.info!.client_id,
      user: "alice",
      name: "the client",
      kind: "Client",
      type: "nats",
    });
    expect(nats.connect_opts).toEqual({
      user: "alice",
      pass: SECRET,
      name: "the client",
      lang: "nats.js",
      version: expect.any(String),
      protocol: 1,
    });
    expect(nats).toMatchObject({ type: "authorization_request", version: 2 });
    expect(Object.keys(nats).toSorted()).toEqual([
      "client_info",
      "connect_opts",
      "server_id",
      "type",
      "user_nkey",
      "version",
    ]);
  });

  it("sends the request in plaintext or seals it for the service", async () => {
    await loginAs("alice");
    const { text, serverKey } = service.raw.at(-1)!;
    expect(serverKey === "").toBe(curve === undefined);
    expect(text.startsWith(curve === undefined ? "eyJ" : "xkv1")).toBe(true);
    if (curve === undefined) expect(claimsOf(text)).toMatchObject({ aud: "nats-authorization-request" });
  });

  it("tells of its key in INFO", async () => {
    const client = await loginAs("alice");
    expect((client.info as { xkey?: string }).xkey).toMatch(/^X[A-Z2-7]{55}$/);
  });

  it("hands on tokens and other credentials", async () => {
    await login({ token: "a.token" });
    const { client_info: info, connect_opts: said } = service.requests.at(-1)!.nats;
    expect(info["user"]).toBe("[REDACTED]");
    expect(said).toMatchObject({ auth_token: "a.token" });
    await login({});
    expect(service.requests.at(-1)!.nats.client_info["user"]).toBeUndefined();
  });

  it.each([
    ["alice", "APP", "alice"],
    ["global", "$G", "global"],
    ["named", "APP", "somebody"],
    ["standard", "APP", "standard"],
    ["all-day", "APP", "all-day"],
    ["insider", "AUTH", "insider"],
    // known by the configuration, with another password, and asked about anyway
    ["fixed", "APP", "fixed"],
    ["other", "OTHER", "other"],
  ])("admits %s to %s", async (user, account, name) => {
    expect(await whoIs(await loginAs(user))).toMatchObject({ account, user: name });
  });

  it("goes by the configuration for auth_users alone", async () => {
    const before = service.requests.length;
    const client = await login({ user: "auth", pass: "auth" });
    expect(await whoIs(client)).toMatchObject({ account: "AUTH", user: "auth" });
    await expect(login({ user: "auth", pass: "wrong" })).rejects.toThrow("Authorization Violation");
    expect(service.requests.length).toBe(before);
    await expect(login({ user: "second", pass: "s" })).rejects.toThrow("Authorization Violation");
    expect(service.requests.length).toBe(before + 1);
  });

  it.each(
    [...REFUSED, ...GARBAGE].map(([user, , words], at) => ({ user, words, address: `127.0.0.${at + 10}` })),
  )("refuses $user", async ({ user, words, address }) => {
    expect(await saidTo(server.port, user, address)).toContain("-ERR 'Authorization Violation'\r\n");
    const said = (): string => server.log().replaceAll('\\"', '"');
    await waitFor("the log to say why", () => said().includes(words), said);
  });

  it(`${curve === undefined ? "refuses" : "takes"} an answer that a stranger signed`, async () => {
    const isSealed = curve !== undefined; // by the service, which nobody else can
    const said = saidTo(server.port, "response-of-stranger", "127.0.0.9", /PONG/);
    expect(await said).toContain(isSealed ? "PONG" : "-ERR 'Authorization Violation'");
    expect(server.log().includes("Auth callout signing key is unknown")).toBe(!isSealed);
  });

  it("holds clients to their permissions", async () => {
    const [alice, client] = [await loginAs("alice"), await loginAs("limited")];
    const got: string[] = [];
    alice.subscribe("some.*", { callback: (_, { subject }) => void got.push(subject) });
    await alice.flush();
    for (const subject of ["some.secret", "none", "some.thing"]) client.publish(subject);
    await client.flush();
    await alice.flush();
    await waitFor("the message", () => got.length > 0);
    expect(got).toEqual(["some.thing"]);
    const refusal = new Promise<string>((resolve) => {
      client.subscribe("none", { callback: (error) => resolve(String(error)) });
    });
    expect(await refusal).toContain('Permissions Violation for Subscription to "none"');
  });

  it("lets who may answer answer", async () => {
    const [alice, client] = [await loginAs("alice"), await loginAs("responder")];
    client.subscribe("svc", { callback: (_, message) => void message.respond("here") });
    await client.flush();
    expect((await alice.request("svc", "", PATIENT)).string()).toBe("here");
  });

  // the next two wait for seconds to pass: they do so at once
  it.concurrent("waits for an answer no longer than the authorization timeout", async () => {
    await expect(loginAs("silent")).rejects.toThrow("Authorization Violation");
  });

  it.concurrent("ends connections whose user expires", async () => {
    const client = await loginAs("brief");
    const status = statusOf(client);
    await client.closed();
    expect(await status).toContain("User Authentication Expired");
  });

  it("lets nobody in the service's account send requests", async () => {
    const client = await loginAs("insider");
    const before = service.raw.length;
    const status = statusOf(client);
    client.publish("$SYS.REQ.USER.AUTH", "x");
    await client.flush();
    expect(await status).toContain('Permissions Violation for Publish to "$SYS.REQ.USER.AUTH"');
    expect(service.raw.length).toBe(before);
  });

  it("keeps secrets out of the log", () => {
    expect(server.log()).not.toContain(SECRET);
    expect(server.log()).not.toMatch(/eyJ[\w-]+\.[\w-]+\./);
  });

  it.skipIf(cli === undefined)("serve the nats command", async () => {
    const as = (user: string): string[] => ["rtt", "1", "--user", user, "--password", SECRET];
    expect(await new NatsCommand(cli!, urlOf(), as("alice")).done()).toMatch(/nats:\/\//);
    await using refused = new NatsCommand(cli!, urlOf(), as("unknown"));
    await refused.prints(/Authorization Violation/);
  });
});
