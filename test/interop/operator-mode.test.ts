/** Users and accounts by token: shoal and nats-server, with the same configuration, judge the same tokens and connect the same accounts. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { SigningNkey } from "../../src/keys/nkey.ts";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { startServer, type ServerProcess } from "../support/nats-server.ts";
import {
  accountToken,
  activationToken,
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

const now = Math.floor(Date.now() / 1000);

requireNatsServer();

const kit = new OperatorKit();
const user = newUser();
const other = newUser();
const [open, strict, limited, scoped, exporter, importer, stranger] = Array.from(
  { length: 7 },
  newAccount,
) as [SigningNkey, SigningNkey, SigningNkey, SigningNkey, SigningNkey, SigningNkey, SigningNkey];
const signing = newAccount();
const scope = newAccount();
const ROLE = {
  kind: "user_scope",
  key: scope.publicKey,
  role: "worker",
  template: {
    subs: -1,
    data: -1,
    payload: -1,
    pub: {
      allow: ["own.{{name()}}.>", "team.{{tag(team)}}.>", "acc.{{account-tag(region)}}.{{account-name()}}"],
    },
    sub: {
      allow: ["own.{{name()}}.>", "_INBOX.>"],
      deny: ["own.{{name()}}.secret"],
    },
  },
};
const stream = { name: "s", subject: "s.>", type: "stream" };
const guarded = { name: "g", subject: "g.>", type: "stream", token_req: true };
const service = { name: "r", subject: "r.*", type: "service" };
const positioned = {
  name: "p",
  subject: "p.*.x",
  type: "stream",
  account_token_position: 2,
};

const activation = activationToken(importer, exporter, {
  name: "g",
  nats: { subject: "g.>", kind: "stream" },
});

const accounts = new Map<SigningNkey, string>([
  [open, accountToken(open, kit.operator, { name: "open" })],
  [
    strict,
    accountToken(strict, kit.operator, {
      name: "strict",
      nats: {
        limits: {
          subs: 2,
          data: -1,
          payload: 10,
          imports: -1,
          exports: -1,
          conn: 1,
          leaf: -1,
          disallow_bearer: true,
        },
      },
    }),
  ],
  [
    limited,
    accountToken(limited, kit.operator, {
      name: "limited",
      nats: {
        default_permissions: {
          pub: { allow: ["a.>"] },
          sub: { allow: ["b.>", "_INBOX.>"] },
        },
        revocations: { [other.publicKey]: now + HOUR_S },
        signing_keys: [signing.publicKey],
      },
    }),
  ],
  [
    scoped,
    accountToken(scoped, kit.operator, {
      name: "scoped",
      nats: { signing_keys: [ROLE], tags: ["region:eu"] },
    }),
  ],
  [
    exporter,
    accountToken(exporter, kit.operator, {
      name: "exporter",
      nats: { exports: [stream, guarded, service, positioned] },
    }),
  ],
  [
    importer,
    accountToken(importer, kit.operator, {
      name: "importer",
      nats: {
        imports: [
          {
            name: "s",
            subject: "s.>",
            account: exporter.publicKey,
            local_subject: "from.s.>",
            type: "stream",
          },
          {
            name: "g",
            subject: "g.>",
            account: exporter.publicKey,
            token: activation,
            type: "stream",
          },
          {
            name: "r",
            subject: "r.*",
            account: exporter.publicKey,
            local_subject: "ask.*",
            type: "service",
          },
          {
            name: "p",
            subject: `p.${importer.publicKey}.x`,
            account: exporter.publicKey,
            type: "stream",
          },
        ],
        mappings: { "map.*": [{ subject: "mapped.$1" }] },
      },
    }),
  ],
  [
    stranger,
    accountToken(stranger, kit.operator, {
      name: "stranger",
      nats: {
        imports: [
          {
            name: "g",
            subject: "g.>",
            account: exporter.publicKey,
            type: "stream",
          },
          {
            name: "p",
            subject: `p.${importer.publicKey}.x`,
            account: exporter.publicKey,
            type: "stream",
          },
        ],
      },
    }),
  ],
]);

const ADMITTED: readonly (readonly [name: string, jwt: string, signer: SigningNkey | null])[] = [
  ["a user of the account", userToken(user, open), user],
  [
    "a user of a signing key",
    userToken(user, signing, { nats: { issuer_account: limited.publicKey } }),
    user,
  ],
  ["a bearer without a signature", userToken(user, open, { nats: { bearer_token: true } }), null],
  ["a user that expires later", userToken(user, open, { exp: now + HOUR_S }), user],
  ["a user from here", userToken(user, open, { nats: { src: ["127.0.0.0/8"] } }), user],
  ["a user from here, in a text", userToken(user, open, { nats: { src: "10.0.0.0/8,127.0.0.1/32" } }), user],
  [
    "a user at all times",
    userToken(user, open, {
      nats: {
        times: [{ start: "00:00:00", end: "23:59:59" }],
        times_location: "UTC",
      },
    }),
    user,
  ],
  [
    "a user of a connection type",
    userToken(user, open, {
      nats: { allowed_connection_types: ["mqtt", "standard"] },
    }),
    user,
  ],
  ["a scoped user", scopedToken(user, scope, scoped, { name: "ann" }), user],
];

for (const { name: kind, command } of bothServers) {
  describe(`operator mode with ${kind}`, () => {
    let server: ServerProcess;
    beforeAll(async () => {
      server = await startServer(command, kit.memoryConfig(accounts));
    });
    afterAll(async () => server.stop());

    const connect = (jwt: string, signer: SigningNkey | null = user, more = {}): Promise<RawConnection> =>
      connectWith(server.port, jwt, signer, more);
    const admitted = async (jwt: string, more = {}): Promise<RawConnection> => {
      const connection = await connect(jwt, user, more);
      await connection.has("PONG\r\n");
      connection.text = "";
      return connection;
    };
    /** After this, what was sent before has been dealt with. */
    const settled = async (connection: RawConnection): Promise<string> => {
      connection.send("PING\r\n");
      await connection.has("PONG\r\n");
      const { text } = connection;
      connection.text = "";
      return text.replaceAll(/PONG\r\n|PING\r\n|INFO [^\r]*\r\n/g, "");
    };

    it.each(ADMITTED)("admits %s", async (_name, jwt, signer) => {
      expect(await outcomeOf(await connect(jwt, signer))).toBe("in");
    });

    it("gives users the default permissions of their account, or their own", async () => {
      const byDefault = await admitted(userToken(user, limited));
      byDefault.send("PUB a.b 0\r\n\r\nPUB x 0\r\n\r\nSUB b.> 1\r\nSUB c 2\r\n");
      expect(await settled(byDefault)).toBe(
        `-ERR 'Permissions Violation for Publish to "x"'\r\n-ERR 'Permissions Violation for Subscription to "c"'\r\n`,
      );
      const own = await admitted(userToken(user, limited, { nats: { pub: { allow: ["x"] } } }));
      own.send("PUB a.b 0\r\n\r\nPUB x 0\r\n\r\nSUB c 2\r\n");
      expect(await settled(own)).toBe(`-ERR 'Permissions Violation for Publish to "a.b"'\r\n`);
      byDefault.destroy();
      own.destroy();
    });

    it("fills in the template of a scoped key", async () => {
      const ann = await admitted(
        scopedToken(user, scope, scoped, {
          name: "ann",
          nats: { tags: ["team:red", "team:blue"] },
        }),
      );
      ann.send("SUB own.ann.> 1\r\nSUB own.bob.> 2\r\n");
      for (const subject of [
        "own.ann.x",
        "own.bob.x",
        "team.red.x",
        "team.green.x",
        "acc.eu.scoped",
        "own.ann.secret",
      ])
        ann.send(`PUB ${subject} 0\r\n\r\n`);
      expect(await settled(ann)).toBe(
        [
          `-ERR 'Permissions Violation for Subscription to "own.bob.>"'`,
          "MSG own.ann.x 1 0\r\n",
          `-ERR 'Permissions Violation for Publish to "own.bob.x"'`,
          `-ERR 'Permissions Violation for Publish to "team.green.x"'`,
          "",
        ].join("\r\n"),
      );
      ann.destroy();
    });

    it("holds users to the limits of their account and their own", async () => {
      const first = await admitted(userToken(user, strict));
      expect(await outcomeOf(await connect(userToken(user, strict)))).toBe(
        "maximum account active connections exceeded",
      );
      first.send("SUB a 1\r\nSUB b 2\r\nSUB c 3\r\n");
      expect(await settled(first)).toBe("-ERR 'maximum subscriptions exceeded'\r\n");
      first.send("PUB a 11\r\n12345678901\r\n");
      await first.closed();
      expect(first.errors).toEqual(["Maximum Payload Violation"]);
      const own = await admitted(userToken(user, open, { nats: { subs: 1, payload: 3 } }));
      own.send("SUB a 1\r\nSUB b 2\r\nPUB a 4\r\n1234\r\n");
      await own.closed();
      expect(own.errors).toEqual(["maximum subscriptions exceeded", "Maximum Payload Violation"]);
    });

    it("carries messages between accounts by exports, imports and tokens alone", async () => {
      const there = await admitted(userToken(user, exporter));
      const here = await admitted(userToken(user, importer));
      const outside = await admitted(userToken(user, stranger));
      there.send("SUB r.* 1\r\n");
      here.send("SUB from.s.> 1\r\nSUB g.> 2\r\nSUB p.> 3\r\nSUB answer 4\r\nSUB mapped.* 5\r\n");
      outside.send("SUB > 1\r\n");
      for (const one of [there, here, outside]) await settled(one);
      there.send(`PUB s.1 1\r\na\r\nPUB g.1 1\r\nb\r\nPUB p.${importer.publicKey}.x 1\r\nc\r\n`);
      here.send("PUB ask.me answer 1\r\nq\r\nPUB map.me 1\r\nm\r\n");
      await there.has("MSG r.me 1 ");
      const reply = /MSG r\.me 1 (\S+) /.exec(there.text)![1]!;
      there.send(`PUB ${reply} 1\r\nr\r\n`);
      await here.has("MSG answer 4 1\r\nr\r\n");
      for (const part of ["MSG from.s.1 1 1\r\na", "MSG g.1 2 1\r\nb", ` 3 1\r\nc`, "MSG mapped.me 5 1\r\nm"])
        await here.has(part);
      expect(await settled(outside)).toBe("");
      for (const one of [there, here, outside]) one.destroy();
    });

    it("closes the connection when the user's time is over", async () => {
      // On a slow machine the time may be over before the token is presented.
      let errors: readonly string[] = [];
      for (const seconds of [2, 8, 30]) {
        const exp = Math.floor(Date.now() / 1000) + seconds;
        const brief = await connect(userToken(user, open, { exp }));
        await brief.closed();
        ({ errors } = brief);
        if (brief.text.includes("PONG")) break;
      }
      expect(errors).toEqual(["User Authentication Expired"]);
    });
  });
}
