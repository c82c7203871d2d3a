/**
 * Callouts of accounts that an operator has signed: the service is asked about all users of its account but its own, and places them in
 * its account or in others that its claims allow. shoal and nats-server ask the same and judge the same answers.
 */
import { createCurve } from "@nats-io/nkeys";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { CalloutService, type CalloutRequest } from "../support/callout-service.ts";
import { startServer, type ServerProcess } from "../support/nats-server.ts";
import {
  accountToken,
  calloutResponse,
  connectWith,
  HOUR_S,
  newAccount,
  newUser,
  OperatorKit,
  outcomeOf,
  scopedToken,
  userToken,
} from "../support/operator-kit.ts";
import type { RawConnection } from "../support/raw-connection.ts";

requireNatsServer();

type Fields = Readonly<Record<string, unknown>>;
type Answer = (request: CalloutRequest) => string;

const now = Math.floor(Date.now() / 1000);
const kit = new OperatorKit();
const [asking, sealed, app, elsewhere] = [newAccount(), newAccount(), newAccount(), newAccount()];
const [signing, appSigning, appScope] = [newAccount(), newAccount(), newAccount()];
const [service, user, sentinel] = [newUser(), newUser(), newUser()];
const curve = createCurve();

const role = {
  kind: "user_scope",
  key: appScope.publicKey,
  role: "r",
  template: { ...{ subs: -1, data: -1, payload: -1 }, pub: { allow: ["own.{{name()}}", "$SYS.REQ.>"] } },
};
const authorization = (more: Fields = {}): Fields => ({
  authorization: { auth_users: [service.publicKey], allowed_accounts: [app.publicKey], ...more },
  signing_keys: [signing.publicKey],
});
const lent = userToken(sentinel, asking, { name: "lent", nats: { bearer_token: true } });
const accounts = new Map([
  [asking, accountToken(asking, kit.operator, { name: "asking", nats: authorization() })],
  [
    sealed,
    accountToken(sealed, kit.operator, {
      name: "sealed",
      nats: authorization({ xkey: curve.getPublicKey(), allowed_accounts: ["*"] }),
    }),
  ],
  [
    app,
    accountToken(app, kit.operator, {
      name: "app",
      nats: { signing_keys: [appSigning.publicKey, role] },
    }),
  ],
  [elsewhere, accountToken(elsewhere, kit.operator, { name: "elsewhere" })],
]);

const of = ({ nats }: CalloutRequest): { readonly publicKey: string } => ({ publicKey: nats.user_nkey });
const answer = (
  jwt: (request: CalloutRequest) => string,
  { nats = {}, ...claims }: { nats?: Fields } & Fields = {},
  signer = asking,
): Answer => {
  return (request) =>
    calloutResponse(request.nats, signer, { ...claims, nats: { jwt: jwt(request), ...nats } });
};
const inApp = { nats: { issuer_account: app.publicKey } };
const own = (more: Fields = {}) => answer((request) => userToken(of(request), asking, more));

/** By the name that the client presents: who the service says it is, and the account that it is in then. */
const ADMITTED: Readonly<Record<string, readonly [Answer, string, string?]>> = {
  "its own account": [own(), asking.publicKey],
  "its own account, by a name": [own({ name: "ann" }), asking.publicKey, "ann"],
  "its own account, signed by a signing key": [
    answer((request) => userToken(of(request), signing, { nats: { issuer_account: asking.publicKey } })),
    asking.publicKey,
  ],
  "its own account, answered with a signing key": [
    answer(
      (request) => userToken(of(request), asking),
      { nats: { issuer_account: asking.publicKey } },
      signing,
    ),
    asking.publicKey,
  ],
  "another account": [answer((request) => userToken(of(request), app)), app.publicKey],
  "another account, signed by a signing key": [
    answer((request) => userToken(of(request), appSigning, inApp)),
    app.publicKey,
  ],
  "another account, in a role": [
    answer((request) => scopedToken(of(request), appScope, app, { name: "bob" })),
    app.publicKey,
    "bob",
  ],
};

const REFUSED: Readonly<Record<string, Answer>> = {
  "an error": (request) => calloutResponse(request.nats, asking, { nats: { error: "no" } }),
  "an answer of a stranger": answer((request) => userToken(of(request), asking), {}, elsewhere),
  "an answer for another server": answer((request) => userToken(of(request), asking), {
    aud: kit.operator.publicKey,
  }),
  "an answer for another user": answer((request) => userToken(of(request), asking), {
    sub: user.publicKey,
  }),
  "an answer on behalf of another account": answer((request) => userToken(of(request), asking), {
    nats: { issuer_account: app.publicKey },
  }),
  "a user who was not asked about": answer(() => userToken(user, asking)),
  "a user of an account that is not allowed": answer((request) => userToken(of(request), elsewhere)),
  "a user on behalf of an account that is not allowed": answer((request) =>
    userToken(of(request), asking, { nats: { issuer_account: elsewhere.publicKey } }),
  ),
  "a user whom the account has not signed": answer((request) => userToken(of(request), signing, inApp)),
  "a user whose time is over": own({ exp: now - HOUR_S }),
  "a user from elsewhere": own({ nats: { src: ["10.0.0.0/8"] } }),
  "a user of another kind of connection": own({ nats: { allowed_connection_types: ["WEBSOCKET"] } }),
  "a user in a role with terms of its own": answer((request) =>
    scopedToken(of(request), appScope, app, { nats: { subs: 1 } }),
  ),
  "a user that is no token": answer(() => "x"),
};

const decide = (request: CalloutRequest): string => {
  const name = request.nats.connect_opts.user ?? "";
  const found = ADMITTED[name]?.[0] ?? REFUSED[name];
  return (found ?? REFUSED["an error"]!)(request);
};

for (const { name: kind, command } of bothServers) {
  describe(`callouts of signed accounts on ${kind}`, () => {
    let server: ServerProcess;
    const services: CalloutService[] = [];
    beforeAll(async () => {
      const config = kit.memoryConfig(accounts, `default_sentinel: ${lent}`);
      server = await startServer(command, config);
      for (const [account, key] of [
        [asking, undefined],
        [sealed, curve],
      ] as const)
        services.push(
          await CalloutService.start({
            servers: `127.0.0.1:${server.port}`,
            authenticator: (nonce) => ({ jwt: userToken(service, account), sig: service.sign(nonce ?? "") }),
            curve: key,
            decide: (request) =>
              account === asking
                ? decide(request)
                : calloutResponse(request.nats, sealed, {
                    nats: { jwt: userToken(of(request), elsewhere) },
                  }),
          }),
        );
    });
    afterAll(async () => {
      for (const each of services) await each[Symbol.asyncDispose]();
      await server.stop();
    });

    const connect = (name: string, more: Fields = {}): Promise<RawConnection> =>
      connectWith(server.port, userToken(user, asking, { name: "u", nats: { tags: ["t"] } }), user, {
        user: name,
        pass: "secret",
        ...more,
      });
    const infoOf = async (connection: RawConnection): Promise<Fields> => {
      await connection.has("PONG\r\n");
      connection.send("SUB inbox 1\r\nPUB $SYS.REQ.USER.INFO inbox 0\r\n\r\n");
      await connection.until("who it is", () => /MSG inbox 1 \d+\r\n\{.*\}\r\n/.test(connection.text));
      const [, body] = /MSG inbox 1 \d+\r\n(\{.*\})\r\n/.exec(connection.text)!;
      return (JSON.parse(body!) as { data: Fields }).data;
    };

    it.each(Object.entries(ADMITTED))("places users in %s", async (name, [, account, called = name]) => {
      const connection = await connect(name);
      expect(await infoOf(connection)).toMatchObject({ account, user: called });
      connection.destroy();
    });

    it.each(Object.keys(REFUSED))("refuses %s", async (name) => {
      expect(await outcomeOf(await connect(name))).toBe("Authorization Violation");
    });

    it("asks about the client as its token names it", async () => {
      const [before] = services;
      const count = before!.requests.length;
      expect(await outcomeOf(await connect("its own account", { name: "tool" }))).toBe("in");
      const { nats, sub, aud } = before!.requests[count]!;
      expect([sub, aud]).toEqual([asking.publicKey, "nats-authorization-request"]);
      expect(nats.client_info).toMatchObject({
        user: "its own account",
        name: "tool",
        name_tag: "u",
        tags: ["t"],
      });
      expect(nats.connect_opts).toMatchObject({ user: "its own account", pass: "secret" });
      expect(nats.connect_opts["jwt"]).toMatch(/^eyJ/);
      expect(nats.client_info["nonce"]).toMatch(/./);
    });

    it("names users without a name of their own by their keys", async () => {
      const [before] = services;
      const count = before!.requests.length;
      await outcomeOf(await connectWith(server.port, userToken(user, asking), user));
      expect(before!.requests[count]!.nats.client_info).toMatchObject({ user: user.publicKey });
    });

    it("lends its sentinel to clients without a token", async () => {
      const [before] = services;
      const count = before!.requests.length;
      const connection = await connectWith(server.port, "", null, { user: "another account", pass: "p" });
      expect(await infoOf(connection)).toMatchObject({ account: app.publicKey });
      expect(before!.requests[count]!.nats.connect_opts["jwt"]).toBe(lent);
      expect(before!.requests[count]!.nats.client_info).toMatchObject({ name_tag: "lent" });
      connection.destroy();
    });

    it("encrypts what it asks for the account's key, and places users anywhere where all accounts are allowed", async () => {
      const connection = await connectWith(server.port, userToken(user, sealed), user);
      expect(await infoOf(connection)).toMatchObject({ account: elsewhere.publicKey });
      expect(services[1]!.raw.at(-1)!.text).not.toMatch(/^eyJ/);
      connection.destroy();
    });

    it("does not ask about those whose token is refused", async () => {
      const count = services[0]!.requests.length;
      const token = userToken(user, asking, { exp: now - HOUR_S });
      expect(await outcomeOf(await connectWith(server.port, token, user, { user: "its own account" }))).toBe(
        "Authorization Violation",
      );
      expect(services[0]!.requests).toHaveLength(count);
    });

    it("keeps requests and answers from those whom it places in its own account", async () => {
      const connection = await connect("its own account");
      await connection.has("PONG\r\n");
      connection.text = "";
      connection.send(
        "SUB $SYS.REQ.USER.AUTH 1\r\nSUB $SYS._INBOX.> 2\r\nPUB $SYS.REQ.USER.AUTH 0\r\n\r\nPING\r\n",
      );
      await connection.has("PONG\r\n");
      expect(connection.text.match(/Permissions Violation for (\w+) \w*/g)).toHaveLength(3);
      connection.destroy();
    });
  });
}
