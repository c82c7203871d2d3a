/** What monitoring shows of accounts and users that were signed: shoal and nats-server show the same. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { freePort } from "../support/free-port.ts";
import { startServer, type ServerProcess } from "../support/nats-server.ts";
import {
  accountToken,
  activationToken,
  connectWith,
  HOUR_S,
  newAccount,
  newUser,
  OperatorKit,
  Requests,
  UNLIMITED,
  userToken,
} from "../support/operator-kit.ts";

requireNatsServer();

type Json = Readonly<Record<string, unknown>>;

const now = Math.floor(Date.now() / 1000);
const kit = new OperatorKit();
const [exporter, importer, user, gone] = [newAccount(), newAccount(), newUser(), newUser()];
const token = activationToken(importer, exporter, { name: "g", nats: { subject: "g.>", kind: "stream" } });
const exports = [
  { name: "g", subject: "g.>", type: "stream", token_req: true, revocations: { [gone.publicKey]: now } },
  { name: "s", subject: "s.*", type: "service", response_type: "Stream" },
];
const imports = [
  { name: "g", subject: "g.>", account: exporter.publicKey, token, type: "stream" },
  { name: "s", subject: "s.*", account: exporter.publicKey, type: "service", to: "x.*" },
];
const limits = {
  ...UNLIMITED,
  ...{ mem_storage: 1024, disk_storage: 4096, streams: 2, consumer: 1 },
};
const tokens = new Map([
  [
    exporter,
    accountToken(exporter, kit.operator, {
      name: "exporter",
      nats: { exports, limits, tags: ["region:eu"], revocations: { [gone.publicKey]: now } },
    }),
  ],
  [importer, accountToken(importer, kit.operator, { name: "importer", nats: { imports } })],
]);
const issuer = kit.operator.publicKey;
const zulu = new Date(now * 1000).toISOString().replace(".000", "");

/** The claims as the token says them; nats-server adds fields that are empty. */
const claimsOf = (jwt: string): Json =>
  JSON.parse(Buffer.from(jwt.split(".")[1]!, "base64url").toString()) as Json;

for (const { name: kind, command } of bothServers) {
  describe(`monitoring of signed accounts by ${kind}`, () => {
    const folder = mkdtempSync(join(tmpdir(), "shoal-shown-"));
    let server: ServerProcess;
    let port: number;
    let closers: (() => void)[] = [];
    const get = async (path: string): Promise<Json> =>
      (await (await fetch(`http://127.0.0.1:${port}${path}`)).json()) as Json;
    const detail = async (account: string): Promise<Json> =>
      (await get(`/accountz?acc=${account}`))["account_detail"] as Json;
    beforeAll(async () => {
      port = await freePort();
      const lines = [`http: "127.0.0.1:${port}"`, `jetstream { store_dir: ${JSON.stringify(folder)} }`];
      server = await startServer(command, kit.memoryConfig(tokens, lines.join("\n")));
      for (const [account, claims] of [
        [exporter, { name: "ann", nats: { tags: ["team:red"] } }],
        [importer, { name: "bob", exp: now + HOUR_S, nats: { bearer_token: true } }],
      ] as const) {
        const client = await connectWith(server.port, userToken(user, account, claims), user);
        await client.has("PONG\r\n");
        client.send("SUB shown 1\r\nPING\r\n");
        await client.until("the second answer", () => client.text.split("PONG").length === 3);
        closers.push(() => client.destroy());
      }
    });
    afterAll(async () => {
      for (const close of closers) close();
      closers = [];
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    it("shows whom it trusts", async () => {
      const varz = await get("/varz");
      expect(varz["system_account"]).toBe(kit.system.publicKey);
      expect(varz["trusted_operators_jwt"]).toEqual([kit.jwt]);
      expect(varz["trusted_operators_claim"]).toEqual([claimsOf(kit.jwt)]);
    });

    it("shows the token of an account, and what of it is in force", async () => {
      const shown = await detail(exporter.publicKey);
      const jwt = tokens.get(exporter)!;
      expect(shown).toMatchObject({
        account_name: exporter.publicKey,
        name_tag: "exporter",
        issuer_key: issuer,
        tags: ["region:eu"],
        jwt,
        decoded_jwt: claimsOf(jwt),
        revoked_user: { [gone.publicKey]: zulu },
        ...{ expired: false, complete: true, client_connections: 1 },
      });
      expect(shown["exports"]).toEqual(
        expect.arrayContaining([
          {
            subject: "g.>",
            type: "stream",
            token_req: true,
            revoked_activations: { [gone.publicKey]: zulu },
          },
          { subject: "s.*", type: "service", response_type: "Streamed" },
        ]),
      );
    });

    it("shows that an import is not in force, and what the claims should not say", async () => {
      const shown = await detail(importer.publicKey);
      expect(shown).toMatchObject({ name_tag: "importer", complete: false });
      expect(shown["validation_result_jwt"]).toEqual([
        {
          description: "the field to has been deprecated (use LocalSubject instead)",
          blocking: false,
          time_check: false,
        },
      ]);
    });

    it("shows users with their tokens, unless the token alone admits them", async () => {
      const { connections } = (await get("/connz?auth=1&sort=cid")) as { connections: readonly Json[] };
      expect(connections).toMatchObject([
        {
          authorized_user: user.publicKey,
          account: exporter.publicKey,
          name_tag: "exporter",
          issuer_key: exporter.publicKey,
          jwt: expect.stringMatching(/^eyJ/) as string,
          tags: ["team:red"],
        },
        {
          account: importer.publicKey,
          name_tag: "importer",
          issuer_key: importer.publicKey,
        },
      ]);
      expect(JSON.stringify(connections[1])).not.toContain("eyJ");
    });

    it("calls accounts by their names", async () => {
      const { account_statz: statistics } = (await get("/accstatz")) as { account_statz: readonly Json[] };
      const names = statistics.map((one) => [one["acc"], one["name"]]);
      expect(names).toContainEqual([exporter.publicKey, "exporter"]);
      const { subscriptions_list: list } = (await get("/subsz?subs=1&test=shown")) as {
        subscriptions_list: readonly Json[];
      };
      const tags = list.map((one) => [one["account"], one["account_tag"]]);
      expect(tags).toContainEqual([importer.publicKey, "importer"]);
      const { account_details: details } = (await get("/jsz?accounts=1")) as {
        account_details: readonly Json[];
      };
      expect(details).toMatchObject([{ name: "exporter", id: exporter.publicKey }]);
    });

    // nats-server has neither; the page shows accounts by what /memberz tells.
    it.skipIf(kind !== "shoal")("calls accounts by their names in metrics and on the page", async () => {
      const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      const labels = `account="${exporter.publicKey}",account_id="${exporter.publicKey}",account_name="exporter"`;
      expect(metrics).toContain(labels);
      expect(JSON.stringify(await get("/memberz"))).toContain(`"name_tag":"exporter"`);
    });

    it("tells users their names, and when their time is over", async () => {
      const client = await Requests.connectAs(
        server.port,
        userToken(user, importer, { name: "bob", exp: now + HOUR_S }),
        user,
      );
      const { data } = JSON.parse(await client.ask("$SYS.REQ.USER.INFO")) as { data: Json };
      expect(data).toMatchObject({
        user: user.publicKey,
        user_name: "bob",
        account: importer.publicKey,
        account_name: "importer",
      });
      expect(Number(data["expires"]) % 1e9).toBe(0);
      expect(Number(data["expires"])).toBeGreaterThan(0);
      client.close();
    });
  });
}
