/**
 * The official client and the `nats` tool with every way to say who one is, on shoal and on the real nats-server with the
 * same configuration: both decide alike.
 */
import {
  connect,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
  type Authenticator,
  type ConnectionOptions,
  type NatsConnection,
} from "@nats-io/transport-node";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { waitFor } from "../support/cluster-wait.ts";
import { findNatsCli, NatsCommand } from "../support/nats-cli.ts";
import { bothServers } from "../support/both-servers.ts";
import { startServer, type ServerProcess } from "../support/nats-server.ts";

/** Of this test alone. */
const SEED = "SUAGE2KHGTMMF7KKKXWFIDRBEUBAIYSHEFUM4GB2GM5AVCPSYY7AAQGOQU";
const NKEY = "UC6GEDIUAWGQZ3BNTMGX3KA26TC7V4INT2GMQEXJSAAPQO2LK4CU4RUY";
const HASH_OF_WONDER = "$2b$04$abcdefghijklmnopqrstuuetGRvO6QNMBbbIoo5tpQkbPXg26U9Qu";

const USERS = `authorization { users: [
  { user: "plain", password: "p" }
  { user: "hashed", password: "${HASH_OF_WONDER}" }
  { nkey: "${NKEY}" }
  { user: "web", password: "w", connection_types: ["WEBSOCKET"] }
  { user: "some", password: "s", permissions: {
    publish: "some.>", subscribe: { allow: ["some.>", "_INBOX.>", "jobs workers"], deny: "some.secret" } } }
  { user: "service", password: "x", permissions: { subscribe: "svc", allow_responses: true } }
], timeout: 60 }
no_auth_user: "plain"`;

const cli = findNatsCli();
const seed = new TextEncoder().encode(SEED);

describe.each(bothServers)("credentials on $name", ({ command }) => {
  const servers: ServerProcess[] = [];
  const open: NatsConnection[] = [];
  const folder = mkdtempSync(join(tmpdir(), "shoal-nkey-"));
  const seedFile = join(folder, "user.nk");

  beforeAll(async () => {
    writeFileSync(seedFile, SEED);
    servers.push(await startServer(command, USERS));
    servers.push(await startServer(command, 'authorization { token: "s3cret", timeout: 60 }'));
    servers.push(await startServer(command, `authorization { token: "${HASH_OF_WONDER}", timeout: 60 }`));
  });
  afterAll(async () => {
    await Promise.all(open.map((client) => client.close()));
    await Promise.all(servers.map((server) => server.stop()));
    rmSync(folder, { recursive: true });
  });

  const urlOf = (at: number): string => `nats://${servers[at]!.host}:${servers[at]!.port}`;

  async function login(at: number, options: ConnectionOptions): Promise<NatsConnection> {
    const client = await connect({ servers: urlOf(at), reconnect: false, ...options });
    open.push(client);
    return client;
  }

  const asUser = (name: string, password: string): ConnectionOptions => ({
    authenticator: usernamePasswordAuthenticator(name, password),
  });

  it.each<[string, number, ConnectionOptions]>([
    ["user and password", 0, asUser("plain", "p")],
    ["user and hashed password", 0, asUser("hashed", "wonder")],
    ["nkey", 0, { authenticator: nkeyAuthenticator(seed) }],
    ["nothing, for the no_auth_user", 0, {}],
    ["token", 1, { authenticator: tokenAuthenticator("s3cret") }],
    ["hashed token", 2, { authenticator: tokenAuthenticator("wonder") }],
  ])("admit the official client by %s", async (_how, at, options) => {
    const client = await login(at, options);
    await client.flush();
  });

  it.each<[string, number, ConnectionOptions]>([
    ["a wrong password", 0, asUser("plain", "x")],
    ["a wrong password for a hash", 0, asUser("hashed", "wander")],
    ["the hash itself", 0, asUser("hashed", HASH_OF_WONDER)],
    ["an unknown user", 0, asUser("nobody", "p")],
    ["another kind of connection", 0, asUser("web", "w")],
    ["an nkey that signs something else", 0, { authenticator: forged() }],
    ["a wrong token", 1, { authenticator: tokenAuthenticator("x") }],
    ["nothing where a token is wanted", 1, {}],
    ["the hash of the token", 2, { authenticator: tokenAuthenticator(HASH_OF_WONDER) }],
  ])("refuse the official client with %s", async (_how, at, options) => {
    await expect(login(at, options)).rejects.toThrow(/Authorization Violation/i);
  });

  it("bound what the official client publishes and subscribes", async () => {
    const some = await login(0, asUser("some", "s"));
    const all = await login(0, asUser("plain", "p"));
    const seen: string[] = [];
    const problems: string[] = [];
    const note = (subject: string, queue?: string): void => {
      const options = queue === undefined ? {} : { queue };
      some.subscribe(subject, {
        ...options,
        callback: (error, message) =>
          void (error ? problems.push(error.message) : seen.push(message.subject)),
      });
    };
    note("some.*");
    note("other");
    note("jobs", "workers");
    note("jobs", "others");
    await some.flush();
    for (const subject of ["some.secret", "some.thing", "other", "jobs"]) all.publish(subject);
    await all.flush();
    await waitFor("two deliveries", () => seen.length === 2);
    expect(seen.toSorted()).toEqual(["jobs", "some.thing"]);
    expect(problems).toHaveLength(2);
    const statuses = some.status()[Symbol.asyncIterator]();
    some.publish("other");
    const { value: status } = await statuses.next();
    expect(JSON.stringify(status)).toContain("error");
  });

  it("let a service answer, once", async () => {
    const service = await login(0, asUser("service", "x"));
    const asker = await login(0, asUser("plain", "p"));
    service.subscribe("svc", {
      callback: (_error, message) => void (message.respond("one"), message.respond("two")),
    });
    await service.flush();
    const answers: string[] = [];
    asker.subscribe("inbox", { callback: (_error, message) => void answers.push(message.string()) });
    asker.publish("svc", "?", { reply: "inbox" });
    await waitFor("the first answer", () => answers.length > 0);
    // by now the second one has been sent, and what these bring comes after it
    await service.flush();
    await asker.flush();
    expect(answers).toEqual(["one"]);
  });

  it.skipIf(cli === undefined).each<[string, number, () => string[]]>([
    ["--user and --password", 0, () => ["--user", "plain", "--password", "p"]],
    ["a hashed password", 0, () => ["--user", "hashed", "--password", "wonder"]],
    ["--nkey", 0, () => ["--nkey", seedFile]],
    ["nothing", 0, () => []],
    ["--token", 1, () => ["--token", "s3cret"]],
    ["a hashed token", 2, () => ["--token", "wonder"]],
  ])("admit the nats tool by %s", async (_how, at, options) => {
    expect(await new NatsCommand(cli!, urlOf(at), ["rtt", "1", ...options()]).done()).toMatch(/nats:\/\//);
  });

  it.skipIf(cli === undefined).each<[string, number, () => string[]]>([
    ["a wrong password", 0, () => ["--user", "plain", "--password", "x"]],
    ["a wrong hashed password", 0, () => ["--user", "hashed", "--password", "x"]],
    ["a wrong token", 1, () => ["--token", "x"]],
  ])("refuse the nats tool with %s", async (_how, at, options) => {
    await using command = new NatsCommand(cli!, urlOf(at), ["pub", "a", "b", ...options()]);
    await waitFor("the tool to say so", () => /Authorization Violation/.test(command.output));
  });
});

/** Presents the known nkey, and signs something else. */
function forged(): Authenticator {
  const honest = nkeyAuthenticator(seed);
  return (nonce) => honest(`${nonce}x`);
}
