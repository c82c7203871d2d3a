/**
 * What a callout does beside what test/client/auth-callout.test.ts compares with nats-server: limits, addresses, reloads,
 * and what happens without a service. The service is the official client.
 */
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { createAccount } from "@nats-io/nkeys";
import { once } from "node:events";
import { createConnection } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { ConfigOverrides } from "../../../src/config/config.ts";
import { answerTo, CalloutService, type Decide } from "../../support/callout-service.ts";
import { waitFor } from "../../support/cluster-wait.ts";
import { PATIENCE_MS } from "../../support/patience.ts";
import { startInProcess, type InProcessServer } from "../../support/in-process-server.ts";

const issuer = createAccount();
const stack: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of stack.splice(0).toReversed()) await one[Symbol.asyncDispose]();
});

const NO_LIMITS = { maxConnections: null, maxLeafNodes: null, maxSubscriptions: null, maxPayloadBytes: null };
const accountOf = (
  name: string,
  user: string,
): NonNullable<NonNullable<ConfigOverrides["accounts"]>["list"]>[0] => ({
  name,
  users: [{ user, password: user }],
  limits: NO_LIMITS,
  mappings: [],
  exports: [],
  imports: [],
  jetStream: null,
  trace: null,
});

function configOf(change: object = {}, accounts = ["AUTH", "APP"]): ConfigOverrides {
  const callout = { issuer: issuer.getPublicKey(), account: "AUTH", authUsers: ["auth"], xkey: null };
  return {
    accounts: { list: accounts.map((name) => accountOf(name, name.toLowerCase())) },
    authorization: { timeoutMs: PATIENCE_MS, callout: { ...callout, allowedAccounts: [], ...change } },
  };
}

async function start(config: ConfigOverrides): Promise<InProcessServer> {
  const server = await startInProcess(config);
  stack.push(server);
  return server;
}

async function serve(server: InProcessServer, decide: Decide): Promise<CalloutService> {
  const service = await CalloutService.start({ servers: server.url, decide });
  stack.push(service);
  return service;
}

async function login(server: InProcessServer, user: string, pass = "x"): Promise<NatsConnection> {
  const client = await connect({ servers: server.url, user, pass, reconnect: false });
  stack.push({ [Symbol.asyncDispose]: () => client.close() });
  return client;
}

/** All that the server says to a client by hand, until it ends the connection. */
async function saidTo(server: InProcessServer, lines: string): Promise<string> {
  const socket = createConnection(server.port, "127.0.0.1");
  let said = "";
  socket.on("data", (bytes: Buffer) => void (said += bytes.toString()));
  socket.write(lines);
  await once(socket, "close");
  return said;
}

const CONNECT = 'CONNECT {"user":"alice","pass":"x","verbose":false,"protocol":1}\r\n';
const VIOLATION = "-ERR 'Authorization Violation'\r\n";

describe("a user whom a service has let in", () => {
  it("has no more subscriptions than its token says", async () => {
    const server = await start(configOf());
    await serve(server, (request) => answerTo(request, issuer, { grants: { subs: 1 } }));
    const said = await saidTo(server, `${CONNECT}SUB a 1\r\nSUB b 2\r\nPING\r\nnonsense\r\n`);
    expect(said).toContain("-ERR 'maximum subscriptions exceeded'\r\nPONG");
  });

  it("sends no larger messages than its token says", async () => {
    const server = await start(configOf());
    await serve(server, (request) => answerTo(request, issuer, { grants: { payload: 3 } }));
    expect(await saidTo(server, `${CONNECT}PUB a 3\r\nabc\r\nPUB a 4\r\nabcd\r\n`)).toContain(
      "-ERR 'Maximum Payload Violation'",
    );
  });

  it.each([
    [["10.0.0.0/8", "127.0.0.0/30"], true],
    [["10.0.0.0/8", "::/0"], false],
    [["127.0.0.1"], false],
  ])("comes from where its token says: %j", async (src, isAdmitted) => {
    const server = await start(configOf());
    await serve(server, (request) => answerTo(request, issuer, { grants: { src } }));
    const said = await saidTo(server, `${CONNECT}PING\r\nnonsense\r\n`);
    expect([said.includes("PONG"), said.includes(VIOLATION)]).toEqual([isAdmitted, !isAdmitted]);
  });

  it("stays at a reload of something else, and is sent to come again when the callout changes", async () => {
    const server = await start(configOf());
    const service = await serve(server, (request) => answerTo(request, issuer));
    const client = await login(server, "alice");
    const { authorization } = configOf();
    await server.reload({
      ...configOf(),
      authorization: { ...authorization!, timeoutMs: PATIENCE_MS + 1000 },
    });
    await client.flush();
    expect(service.requests.length).toBe(1);
    await server.reload(configOf({ authUsers: ["auth", "more"] }));
    await client.closed();
    await login(server, "alice");
    expect(service.requests.length).toBe(2);
  });

  it("does not stay when its account is gone", async () => {
    const server = await start(configOf());
    await serve(server, (request) => answerTo(request, issuer));
    const client = await login(server, "alice");
    await server.reload(configOf({}, ["AUTH"]));
    await client.closed();
    await expect(login(server, "alice")).rejects.toThrow("Authorization Violation");
  });
});

describe("without an answer", () => {
  it("a client is refused once the time is over", async () => {
    const config = configOf();
    const server = await start({ ...config, authorization: { ...config.authorization!, timeoutMs: 500 } });
    expect(await saidTo(server, `${CONNECT}PING\r\n`)).toContain(VIOLATION);
  });

  it("a client that waits is refused when there are to be no callouts", async () => {
    const server = await start(configOf());
    let asked = 0;
    await serve(server, () => {
      asked++;
      return null;
    });
    await server.reload({
      ...configOf(),
      authorization: { ...configOf().authorization!, timeoutMs: PATIENCE_MS + 1000 },
    });
    const said = saidTo(server, `${CONNECT}PING\r\n`);
    await waitFor("the question", () => asked > 0);
    await server.reload({ ...configOf(), authorization: {} });
    expect(await said).toContain(VIOLATION);
  });

  it("a client is refused where there is no such account", async () => {
    const server = await start(configOf({ account: "MISSING" }));
    expect(await saidTo(server, `${CONNECT}PING\r\n`)).toContain(VIOLATION);
  });
});

describe("allowed_accounts", () => {
  it("leave users of other accounts to the configuration, unless they are refused there", async () => {
    const server = await start(configOf({ allowedAccounts: ["APP"] }, ["AUTH", "APP", "OTHER"]));
    const service = await serve(server, (request) => answerTo(request, issuer));
    await login(server, "other", "other");
    expect(service.requests.length).toBe(0);
    await login(server, "app", "app");
    await login(server, "other", "wrong");
    expect(service.requests.map(({ nats }) => nats.connect_opts.user)).toEqual(["app", "other"]);
  });
});
