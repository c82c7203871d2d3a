/** Clients that come through trusted proxies: the same configuration and the same clients on shoal and on the real nats-server. */
import { createAccount, createServer, createUser, type KeyPair } from "@nats-io/nkeys";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { startServer, type ServerProcess } from "../support/nats-server.ts";
import { RawConnection } from "../support/raw-connection.ts";

const [first, second, stranger] = [createUser(), createAccount(), createServer()];
const nkeyUser = createUser();
const trusting = (...keys: readonly KeyPair[]): string =>
  `proxies { trusted: [ ${keys.map((key) => `{key: ${key.getPublicKey()}}`).join(", ")} ] }`;
const admin = "SYS { users: [{user: admin, password: adm}] }";
const usersOf = (...users: readonly string[]): string =>
  `accounts { A { users: [ ${users.join(", ")} ] }, ${admin} }\nsystem_account: SYS`;
const directUser = "{user: direct, password: d}";
const viaUser = "{user: via, password: v, proxy_required: true}";
const direct = { user: "direct", pass: "d" };
const via = { user: "via", pass: "v" };
const violation = "-ERR 'Authorization Violation'\r\n";

requireNatsServer();

describe.each(bothServers)("trusted proxies on $name", ({ command }) => {
  let server: ServerProcess;
  const open: RawConnection[] = [];

  beforeAll(async () => {
    server = await startServer(command, `${trusting(first, second)}\n${usersOf(directUser)}`);
  });
  afterEach(() => {
    for (const connection of open.splice(0)) connection.destroy();
  });
  afterAll(() => server.stop());

  async function becomes(config: string, proxies = trusting(first, second)): Promise<void> {
    expect(await server.reload(`${proxies}\n${config}`)).toBe("reloaded");
  }

  /** With a server of its own, for what nats-server cannot change while it runs. */
  async function startedWith(config: string, act: () => Promise<void>): Promise<void> {
    const shared = server;
    server = await startServer(command, `${trusting(first, second)}\n${config}`);
    try {
      await act();
    } finally {
      await server.stop();
      server = shared;
    }
  }

  /** Connected, with the nonce of its INFO. */
  async function arrive(): Promise<{ connection: RawConnection; nonce: string }> {
    const connection = await RawConnection.open(server.port);
    open.push(connection);
    await connection.has("\r\n");
    const info = JSON.parse(connection.text.slice("INFO ".length)) as { nonce?: string };
    connection.text = "";
    return { connection, nonce: info.nonce ?? "" };
  }

  const signed = (key: KeyPair, nonce: string): string =>
    Buffer.from(key.sign(Buffer.from(nonce))).toString("base64url");

  /** What it presents, with the signature of its proxy; null: it comes through none. */
  async function come(says: object, proxy: KeyPair | null): Promise<RawConnection> {
    const { connection, nonce } = await arrive();
    const proxySig = proxy === null ? {} : { proxy_sig: signed(proxy, nonce) };
    return present(connection, { ...says, ...proxySig });
  }

  async function present(connection: RawConnection, says: object): Promise<RawConnection> {
    const connect = { verbose: false, pedantic: false, ...says };
    connection.send(`CONNECT ${JSON.stringify(connect)}\r\nPING\r\n`);
    await connection.until("an answer", () => connection.isClosed || connection.text.includes("PONG"));
    return connection;
  }

  /** "PONG" for who is let in. */
  async function outcome(says: object, proxy: KeyPair | null): Promise<string> {
    const { replies } = await come(says, proxy);
    return replies === "PONG\r\n" ? "PONG" : replies;
  }

  interface Row {
    authorized_user?: string;
    reason?: string;
    proxy?: { key: string };
  }

  /** What an operator sees of the latest connections, open and closed. */
  async function seen(state: "open" | "closed"): Promise<Row[]> {
    const watcher = await RawConnection.greeted(server.port, { user: "admin", pass: "adm" });
    open.push(watcher);
    const question = JSON.stringify({ auth: true, state: state === "open" ? 0 : 1, sort: "cid" });
    watcher.send(
      `SUB answers 1\r\nPUB $SYS.REQ.SERVER.PING.CONNZ answers ${question.length}\r\n${question}\r\n`,
    );
    const answer = /^MSG answers 1 .*\r\n(\{.*\})\r\n/m;
    await watcher.until("the answer", () => answer.test(watcher.text));
    const { data } = JSON.parse(answer.exec(watcher.text)![1]!) as { data: { connections: Row[] } };
    return data.connections.filter(({ authorized_user: user }) => user !== "admin");
  }

  async function lastClosed(): Promise<Row | undefined> {
    return (await seen("closed")).at(-1);
  }

  it("lets in who comes through one, by the key of whatever kind that signed", async () => {
    await becomes(usersOf(directUser, viaUser));
    for (const proxy of [first, second]) {
      expect(await outcome(via, proxy)).toBe("PONG");
      expect(await seen("open")).toMatchObject([{ proxy: { key: proxy.getPublicKey() } }]);
      for (const connection of open.splice(0)) connection.destroy();
    }
    expect(await outcome(direct, first)).toBe("PONG");
    expect(await outcome(direct, null)).toBe("PONG");
  });

  it("refuses a signature of another key, of another nonce, or in another spelling", async () => {
    await becomes(usersOf(directUser, viaUser));
    expect(await outcome(direct, stranger)).toBe(violation);
    expect(await lastClosed()).toMatchObject({ reason: "Proxy Not Trusted" });
    expect((await lastClosed())?.proxy).toBeUndefined();
    const { connection, nonce } = await arrive();
    expect((await present(connection, { ...direct, proxy_sig: signed(first, `${nonce}x`) })).replies).toBe(
      violation,
    );
    const padded = await arrive();
    const proxySig = `${signed(first, padded.nonce)}==`;
    expect((await present(padded.connection, { ...direct, proxy_sig: proxySig })).replies).toBe(violation);
    expect((await present((await arrive()).connection, { ...direct, proxy_sig: "!" })).replies).toBe(
      violation,
    );
    expect((await present((await arrive()).connection, { ...direct, proxy_sig: "" })).replies).toBe(
      "PONG\r\n",
    );
    expect((await present((await arrive()).connection, { ...direct, proxy_sig: 7 })).replies).toBe("");
  });

  it("refuses who needs one and comes without, before looking at the password", async () => {
    await becomes(usersOf(directUser, viaUser));
    expect(await outcome(via, null)).toBe(violation);
    expect(await lastClosed()).toMatchObject({ reason: "Proxy Required" });
    expect(await outcome({ ...via, pass: "wrong" }, null)).toBe(violation);
    expect(await lastClosed()).toMatchObject({ reason: "Proxy Required" });
    expect(await outcome({ ...via, pass: "wrong" }, first)).toBe(violation);
    expect(await lastClosed()).toMatchObject({
      reason: "Authentication Failure",
      proxy: { key: first.getPublicKey() },
    });
    expect(await outcome({ user: "nobody", pass: "v" }, null)).toBe(violation);
    expect(await lastClosed()).toMatchObject({ reason: "Authentication Failure" });
  });

  it("tells operators why in the event of the refusal", async () => {
    await becomes(usersOf(viaUser));
    const watcher = await RawConnection.greeted(server.port, { user: "admin", pass: "adm" });
    open.push(watcher);
    watcher.send("SUB $SYS.SERVER.*.CLIENT.AUTH.ERR 1\r\nPING\r\n");
    await watcher.until("the second PONG", () => watcher.text.split("PONG").length > 2);
    expect(await outcome(via, null)).toBe(violation);
    await watcher.has('"reason":"Proxy Required"');
    expect(await outcome(via, stranger)).toBe(violation);
    await watcher.has('"reason":"Proxy Not Trusted"');
  });

  it("asks users with an nkey for both signatures", async () => {
    await becomes(usersOf(`{nkey: ${nkeyUser.getPublicKey()}, proxy_required: true}`));
    const says = (nonce: string): object => ({
      nkey: nkeyUser.getPublicKey(),
      sig: signed(nkeyUser, nonce),
    });
    const { connection, nonce } = await arrive();
    expect((await present(connection, says(nonce))).replies).toBe(violation);
    const proxied = await arrive();
    const both = { ...says(proxied.nonce), proxy_sig: signed(second, proxied.nonce) };
    expect((await present(proxied.connection, both)).replies).toBe("PONG\r\n");
  });

  it("asks for one by authorization.proxy_required of a single user", async () => {
    await startedWith(
      "authorization { user: one, password: o, proxy_required: true, timeout: 60 }",
      async () => {
        expect(await outcome({ user: "one", pass: "o" }, null)).toBe(violation);
        expect(await outcome({ user: "one", pass: "o" }, first)).toBe("PONG");
      },
    );
  });

  it("asks for one by authorization.proxy_required of a token", async () => {
    await startedWith("authorization { token: t, proxy_required: true, timeout: 60 }", async () => {
      expect(await outcome({ auth_token: "t" }, null)).toBe(violation);
      expect(await outcome({ auth_token: "t" }, first)).toBe("PONG");
    });
  });

  it("asks nobody for one by authorization.proxy_required beside a list of users, or alone", async () => {
    await startedWith(
      `authorization { users: [${directUser}], proxy_required: true, timeout: 60 }`,
      async () => {
        expect(await outcome(direct, null)).toBe("PONG");
      },
    );
    await startedWith("authorization { proxy_required: true, timeout: 60 }", async () => {
      expect(await outcome({}, null)).toBe("PONG");
      expect(await outcome({}, stranger)).toBe(violation);
    });
  });

  it("asks the no_auth_user for one, also who begins without CONNECT", async () => {
    await startedWith(`${usersOf(viaUser)}\nno_auth_user: via`, async () => {
      expect(await outcome({}, null)).toBe(violation);
      expect(await lastClosed()).toMatchObject({ reason: "Proxy Required" });
      expect(await outcome({}, first)).toBe("PONG");
      const { connection } = await arrive();
      connection.send("PING\r\n");
      await connection.until("an answer", () => connection.isClosed || connection.text.includes("PONG"));
      expect(connection.replies).toBe(violation);
      expect(await lastClosed()).toMatchObject({ reason: "Authentication Failure" });
    });
  });

  it("remembers the signature for a second CONNECT", async () => {
    await becomes(usersOf(directUser, viaUser));
    const connection = await come(via, first);
    connection.text = "";
    expect((await present(connection, via)).replies).toBe("PONG\r\n");
    connection.text = "";
    expect((await present(connection, { proxy_sig: "AAAA" })).replies).toBe(violation);
  });

  it("closes those who came through one that a reload takes away, and nobody else", async () => {
    await becomes(usersOf(directUser, viaUser));
    const [goes, stays, other] = [
      await come(direct, first),
      await come(via, second),
      await come(direct, null),
    ];
    for (const each of [goes, stays, other]) each.text = "";
    await becomes(usersOf(directUser, viaUser), trusting(second));
    await goes.closed();
    expect(goes.replies).toBe(violation);
    expect(await lastClosed()).toMatchObject({
      reason: "Proxy Not Trusted",
      proxy: { key: first.getPublicKey() },
    });
    for (const each of [stays, other]) {
      each.send("PING\r\n");
      await each.has("PONG\r\n");
      expect(each.replies).toBe("PONG\r\n");
    }
    expect(await outcome(direct, first)).toBe(violation);
  });

  it("closes those who came without when their user comes to need one", async () => {
    await becomes(usersOf(directUser));
    const [goes, stays] = [await come(direct, null), await come(direct, first)];
    for (const each of [goes, stays]) each.text = "";
    await becomes(usersOf("{user: direct, password: d, proxy_required: true}"));
    await goes.closed();
    expect(goes.replies).toBe(violation);
    expect(await lastClosed()).toMatchObject({ reason: "Proxy Required" });
    stays.send("PING\r\n");
    await stays.has("PONG\r\n");
    expect(stays.replies).toBe("PONG\r\n");
  });

  it("does not look at signatures while there are no proxies", async () => {
    await becomes(usersOf(directUser, viaUser), "proxies { trusted: [] }");
    const { connection, nonce } = await arrive();
    expect(nonce).toBe("");
    expect((await present(connection, { ...direct, proxy_sig: "!" })).replies).toBe("PONG\r\n");
    expect((await present((await arrive()).connection, { ...via, proxy_sig: "AAAA" })).replies).toBe(
      violation,
    );
    expect(await lastClosed()).toMatchObject({ reason: "Proxy Required" });
  });
});
