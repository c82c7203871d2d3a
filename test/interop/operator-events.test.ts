/** Events about users by token: shoal and nats-server publish the same about those who connect, leave and are refused. */
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SigningNkey } from "../../src/keys/nkey.ts";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { startServer, type ServerProcess } from "../support/nats-server.ts";
import {
  accountToken,
  connectWith,
  newAccount,
  newUser,
  OperatorKit,
  scopedToken,
  userToken,
} from "../support/operator-kit.ts";
import { listen, type Event, type Json } from "../support/system-account.ts";

requireNatsServer();

const HOUR_S = 3600;
const kit = new OperatorKit();
const [account, signing, scope, user, admin] = [
  newAccount(),
  newAccount(),
  newAccount(),
  newUser(),
  newUser(),
];
const role = { kind: "user_scope", key: scope.publicKey, role: "r", template: { subs: -1, payload: -1 } };
const accounts = new Map([
  [
    account,
    accountToken(account, kit.operator, {
      name: "orders",
      nats: { signing_keys: [signing.publicKey, role] },
    }),
  ],
]);
const inAccount = { issuer_account: account.publicKey };
const nowS = Math.floor(Date.now() / 1000);

const USERS: Readonly<Record<string, readonly [jwt: string, key: SigningNkey | null]>> = {
  "a user of the account": [userToken(user, account, { name: "ann" }), user],
  "a user of a signing key, with tags": [
    userToken(user, signing, { name: "bob", nats: { ...inAccount, tags: ["team:red", "shift:late"] } }),
    user,
  ],
  "a user of a scoped key": [scopedToken(user, scope, account, { name: "wes" }), user],
};

/** Without what differs from run to run. */
function steady({ subject, body }: Event): Json {
  const { id: _id, timestamp: _time, server: _server, client, ...rest } = body;
  const { id: _cid, start: _start, stop: _stop, rtt: _rtt, ...about } = (client ?? {}) as Json;
  // A client that goes may leave something unread, and then its connection is reset.
  if (rest["reason"] === "Read Error") rest["reason"] = "Client Closed";
  return { subject: subject.replace(/\bN[A-Z2-7]{55}\b/, "SERVER"), ...rest, client: about };
}

const said = new Map<string, Record<string, readonly Json[]>>();

describe.each(bothServers)("$name", ({ name: kind, command }) => {
  let server: ServerProcess;
  let system: NatsConnection;
  let heard: Event[];
  beforeAll(async () => {
    server = await startServer(command, kit.memoryConfig(accounts));
    const authenticator = (nonce?: string) => ({
      jwt: userToken(admin, kit.system),
      sig: admin.sign(nonce ?? ""),
    });
    system = await connect({ servers: `127.0.0.1:${server.port}`, authenticator, reconnect: false });
    heard = listen(
      system,
      `$SYS.ACCOUNT.${account.publicKey}.CONNECT`,
      `$SYS.ACCOUNT.${account.publicKey}.DISCONNECT`,
      "$SYS.SERVER.*.CLIENT.AUTH.ERR",
    );
    await system.flush();
  });
  afterAll(async () => {
    await system.close();
    await server.stop();
  });
  const note = (name: string, events: readonly Event[]): void => {
    said.set(kind, { ...said.get(kind), [name]: events.map(steady) });
  };

  it.each(Object.entries(USERS))("tells of %s", async (name, [jwt, key]) => {
    heard.length = 0;
    const client = await connectWith(server.port, jwt, key, { name: "tool", lang: "raw", version: "1" });
    await client.has("PONG\r\n");
    client.destroy();
    await waitFor("both events", () => heard.length >= 2);
    expect(heard.map(({ subject }) => subject.split(".").at(-1))).toEqual(["CONNECT", "DISCONNECT"]);
    expect(heard[0]!.body["client"]).toMatchObject({ acc: account.publicKey, name_tag: "orders", jwt });
    note(name, heard);
  });

  it("tells of those who are refused", async () => {
    heard.length = 0;
    const client = await connectWith(server.port, userToken(user, account, { exp: nowS - HOUR_S }), user);
    await client.closed();
    await waitFor("the event", () => heard.length >= 1);
    const { jwt: _jwt, ...client_ } = steady(heard[0]!)["client"] as Json;
    note("refused", [{ ...heard[0]!, body: { ...heard[0]!.body, client: client_ } }]);
  });

  // nats-server shows the token, which admits whoever reads it.
  it.skipIf(kind !== "shoal")("does not show tokens that alone admit", async () => {
    heard.length = 0;
    const bearer = userToken(user, account, { nats: { bearer_token: true } });
    const client = await connectWith(server.port, bearer, null);
    await client.has("PONG\r\n");
    client.destroy();
    await waitFor("both events", () => heard.length >= 2);
    expect(JSON.stringify(heard)).not.toContain(bearer.split(".")[1]);
  });
});

it("tells the same from both", () => {
  const [first, ...others] = [...said.values()];
  for (const other of others) expect(other).toEqual(first);
  expect(Object.keys(first ?? {}).length).toBe(Object.keys(USERS).length + 1);
});
