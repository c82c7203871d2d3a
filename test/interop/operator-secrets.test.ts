/**
 * Nothing of a seed, of a user's token or of a password appears in the log, with all that happens and traces traced, nor in errors and metrics;
 * monitoring shows tokens of users as nats-server does, but none that alone admits.
 */
import { createUser } from "@nats-io/nkeys";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { bothServers } from "../support/both-servers.ts";
import { answerToCookie } from "../support/cookie-login.ts";
import { freePort } from "../support/free-port.ts";
import { startServer, type ServerProcess } from "../support/nats-server.ts";
import {
  accountToken,
  activationToken,
  connectWith,
  newAccount,
  newUser,
  OperatorKit,
  SystemRequests,
  userToken,
} from "../support/operator-kit.ts";

const HOUR_S = 3600;
const nowS = Math.floor(Date.now() / 1000);
const kit = new OperatorKit();
const [account, gone, exporter, user, sentinel] = [
  newAccount(),
  newAccount(),
  newAccount(),
  newUser(),
  newUser(),
];
const bearer = { nats: { bearer_token: true } };

const USERS = {
  admitted: [userToken(user, account, { name: "ann" }), user],
  bearer: [userToken(user, account, bearer), null],
  "of the sentinel": [userToken(sentinel, account, bearer), null],
  "whose time is over": [userToken(user, account, { exp: nowS - HOUR_S }), user],
  "of no account": [userToken(user, gone), user],
  "without a signature": [userToken(user, account, { name: "unsigned" }), null],
  "with another's signature": [userToken(user, account, { name: "forged" }), newUser()],
  "that is changed": [`${userToken(user, account, { name: "changed" }).slice(0, -6)}AAAAAA`, user],
  "that is cut off": [userToken(user, account, { name: "cut" }).split(".").slice(0, 2).join("."), user],
  "from elsewhere": [userToken(user, account, { nats: { src: ["10.0.0.0/8"] } }), user],
  "with claims that make no sense": [userToken(user, account, { nats: { subs: "many" } }), user],
} as const;
const seed = Buffer.from(createUser().getSeed()).toString();
const ofLeaf = createUser();
const leafSeed = Buffer.from(ofLeaf.getSeed()).toString();
const leafToken = userToken({ publicKey: ofLeaf.getPublicKey() }, account, { name: "leaf" });
const cookie = userToken(user, account, { name: "cookie", ...bearer });
const activation = activationToken(account, exporter, { nats: { subject: "g.>", kind: "stream" } });

/** What may stand nowhere: the claims and the signature of each token, seeds and passwords. */
function parts(jwt: string): string[] {
  return jwt.split(".").slice(1);
}

/** Everything that monitoring shows, by path. */
async function shown(port: number): Promise<ReadonlyMap<string, string>> {
  const paths = [
    ...["/varz", "/connz?auth=1&subs=detail&state=all", "/accountz", "/accstatz", "/leafz?subs=1"],
    ...[`/accountz?acc=${account.publicKey}`, `/accountz?acc=${kit.system.publicKey}`, "/subsz?subs=1"],
    ...["/routez", "/memberz", "/clusterz", "/healthz", "/readyz", "/debug/vars", "/metrics", "/jsz", "/"],
  ];
  const all = new Map<string, string>();
  for (const path of paths) all.set(path, await (await fetch(`http://127.0.0.1:${port}${path}`)).text());
  return all;
}

async function tryAll(server: ServerProcess, web: number): Promise<string> {
  let errors = "";
  for (const [jwt, key] of Object.values(USERS)) {
    const client = await connectWith(server.port, jwt, key, { user: "seed", pass: seed });
    await client.until("an answer", () => client.text.includes("PONG\r\n") || client.isClosed);
    errors += client.errors.join();
    client.destroy();
  }
  const lent = await connectWith(server.port, "", null);
  await lent.has("PONG\r\n");
  lent.destroy();
  for (const jwt of [cookie, userToken(user, account, { name: "x" })]) await answerToCookie(web, jwt);
  const system = await SystemRequests.connectTo(server.port, kit);
  const imports = [{ subject: "g.>", account: exporter.publicKey, type: "stream", token: activation }];
  for (const jwt of [
    accountToken(account, kit.operator, { nats: { imports } }),
    accountToken(account, kit.operator, { nats: { imports: [...imports, null] } }),
    USERS.admitted[0],
    USERS.bearer[0],
  ])
    errors += JSON.stringify(await system.update(jwt));
  system.close();
  return errors;
}

it("shows no seed, token or password", async () => {
  const folder = mkdtempSync(join(tmpdir(), "shoal-secrets-"));
  const [http, web, hub] = [await freePort(), await freePort(), await freePort()];
  const block = (name: string, text: string): string =>
    `-----BEGIN ${name}-----\n${text}\n------END ${name}------\n`;
  writeFileSync(
    join(folder, "leaf.creds"),
    block("NATS USER JWT", leafToken) + block("USER NKEY SEED", leafSeed),
  );
  const remote = `url: "nats-leaf://127.0.0.1:${hub}", account: ${account.publicKey}, credentials: ${JSON.stringify(join(folder, "leaf.creds"))}`;
  const lines = [
    `debug: true, trace: true, trace_verbose: true`,
    `default_sentinel: ${USERS["of the sentinel"][0]}`,
    `http: "127.0.0.1:${http}"`,
    `websocket { listen: "127.0.0.1:${web}", no_tls: true, jwt_cookie: "jwt" }`,
    // It connects to itself, and is refused for that, once.
    `leafnodes { listen: "127.0.0.1:${hub}", reconnect: "10m", remotes: [{ ${remote} }] }`,
  ];
  const config = kit.directoryConfig(join(folder, "jwt"), "full", `timeout: "50ms"`, lines.join("\n"));
  const server = await startServer(bothServers[0]!.command, config);
  try {
    const system = await SystemRequests.connectTo(server.port, kit);
    await system.update(accountToken(account, kit.operator, { name: "orders" }));
    system.close();
    const open = await connectWith(server.port, ...USERS.bearer);
    await open.has("PONG\r\n");
    const errors = await tryAll(server, web);
    expect(await server.reload(`${config}\nmax_payload: 65536`)).toBe("reloaded");
    const texts = new Map([...(await shown(http)), ["the log", server.log()], ["errors", errors]]);
    expect(texts.get("the log")).toContain("Account claims are in force");
    expect(texts.get("the log"), "the protocol is traced").toContain("[REDACTED]");
    expect(texts.get("the log")!.length, "the whole log was kept").toBeLessThan(100_000);
    const alone = [USERS.bearer[0], USERS["of the sentinel"][0], cookie].flatMap(parts);
    const secrets = [...alone, seed, leafSeed];
    const tokens = [...Object.values(USERS).map(([jwt]) => jwt), leafToken, cookie, activation].flatMap(
      parts,
    );
    for (const [where, text] of texts) {
      for (const secret of secrets) expect(text.includes(secret), `a secret in ${where}`).toBe(false);
      if (where === "the log" || where === "errors" || where === "/metrics")
        for (const token of tokens) expect(text.includes(token), `a token in ${where}`).toBe(false);
    }
    expect(texts.get("/connz?auth=1&subs=detail&state=all")).toContain(USERS.admitted[0]);
    open.destroy();
  } finally {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});
