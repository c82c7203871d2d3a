/** What a reload does to connections: the same changes made to shoal and to the real nats-server, told as it is seen by clients. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { startServer, type ServerProcess } from "../support/nats-server.ts";
import { RawConnection } from "../support/raw-connection.ts";

const ann = { user: "ann", pass: "a" };
const bob = { user: "bob", pass: "b" };
const annLine = "{user: ann, password: a}";
const bobLine = "{user: bob, password: b}";
const users = (...lines: string[]): string => `authorization { users: [ ${lines.join(", ")} ], timeout: 60 }`;
const accounts = (x: string, y: string): string => `accounts { X { ${x} }, Y { ${y} } }`;

requireNatsServer();

describe.each(bothServers)("a reload of $name", ({ name, command }) => {
  const isShoal = name === "shoal";
  let server: ServerProcess;
  const open: RawConnection[] = [];

  beforeAll(async () => {
    server = await startServer(command, "");
  });
  afterEach(() => {
    for (const connection of open.splice(0)) connection.destroy();
  });
  afterAll(() => server.stop());

  async function client(credentials: object = {}, first = ""): Promise<RawConnection> {
    const connection = await RawConnection.greeted(server.port, credentials);
    open.push(connection);
    connection.send(`${first}PING\r\n`);
    await connection.until("the second PONG", () => connection.text.split("PONG\r\n").length > 2);
    connection.text = "";
    return connection;
  }

  async function becomes(config: string): Promise<void> {
    expect(await server.reload(config)).toBe("reloaded");
  }

  /** What it is told until it is answered; it stays connected. */
  async function hears(connection: RawConnection, says = ""): Promise<string> {
    connection.send(`${says}PING\r\n`);
    await connection.has("PONG\r\n");
    const { replies } = connection;
    connection.text = "";
    return replies.slice(0, replies.lastIndexOf("PONG\r\n"));
  }

  /** What it was told before it was closed. */
  async function ends(connection: RawConnection): Promise<string> {
    await connection.closed();
    return connection.replies;
  }

  const violation = "-ERR 'Authorization Violation'\r\n";

  it("closes who is no longer a user without a word, and nobody else", async () => {
    await becomes(users(annLine, bobLine));
    const [stays, goes] = [await client(ann), await client(bob)];
    await becomes(users(annLine));
    expect(await ends(goes)).toBe("");
    expect(await hears(stays)).toBe("");
  });

  it("closes who has another password", async () => {
    await becomes(users(annLine, bobLine));
    const [stays, goes] = [await client(ann), await client(bob)];
    await becomes(users(annLine, "{user: bob, password: c}"));
    expect(await ends(goes)).toBe(violation);
    expect(await hears(stays)).toBe("");
  });

  it("closes who is in another account, or whose account is gone", async () => {
    await becomes(accounts(`users: [${annLine}, ${bobLine}]`, ""));
    const [stays, moves] = [await client(ann), await client(bob)];
    await becomes(accounts(`users: [${annLine}]`, `users: [${bobLine}]`));
    expect(await ends(moves)).toBe("");
    expect(await hears(stays)).toBe("");
    const goes = await client(bob);
    await becomes(`accounts { X { users: [${annLine}] } }`);
    expect(await ends(goes)).toBe("");
    expect(await hears(stays)).toBe("");
  });

  it("ends subscriptions that are no longer allowed, and keeps the others", async () => {
    await becomes(users(annLine));
    const connection = await client(ann, "SUB foo 1\r\nSUB bar.* 2\r\nSUB foo q 3\r\n");
    const deny = "permissions: {subscribe: {deny: [foo, bar.x]}, publish: {deny: foo}}";
    await becomes(users(`{user: ann, password: a, ${deny}}`));
    expect((await hears(connection)).split("\r\n").toSorted()).toEqual([
      "",
      `-ERR 'Permissions Violation for Subscription to "foo" (sid "1")'`,
      `-ERR 'Permissions Violation for Subscription to "foo" using queue "q" (sid "3")'`,
    ]);
    expect(await hears(connection, "PUB foo 0\r\n\r\nPUB bar.x 0\r\n\r\nPUB bar.y 1\r\ny\r\n")).toBe(
      `-ERR 'Permissions Violation for Publish to "foo"'\r\nMSG bar.y 2 1\r\ny\r\n`,
    );
    await becomes(users(annLine));
    expect(await hears(connection, "SUB foo 5\r\nPUB foo 1\r\nx\r\nPUB bar.x 1\r\nx\r\n")).toBe(
      "MSG foo 5 1\r\nx\r\nMSG bar.x 2 1\r\nx\r\n",
    );
  });

  it("counts on what a subscription with a maximum has had", async () => {
    await becomes(users(annLine));
    const connection = await client(ann, "SUB foo 1\r\nUNSUB 1 2\r\nPUB foo 0\r\n\r\n");
    await becomes(users("{user: ann, password: a, permissions: {publish: foo, subscribe: foo}}"));
    expect(await hears(connection, "PUB foo 0\r\n\r\nPUB foo 0\r\n\r\n")).toBe("MSG foo 1 0\r\n\r\n");
  });

  it("closes who has another token, or none where one is needed now", async () => {
    await becomes("authorization {token: old, timeout: 60}");
    const holder = await client({ auth_token: "old" });
    await becomes("authorization {token: new, timeout: 60}");
    expect(await ends(holder)).toBe(violation);
    await becomes("");
    const anybody = await client();
    await becomes(users(annLine));
    expect(await ends(anybody)).toBe(violation);
  });

  it("keeps who is the same user in another place of the configuration", async () => {
    await becomes("authorization {user: ann, password: a, timeout: 60}");
    const stays = await client(ann);
    await becomes(users(bobLine, annLine));
    expect(await hears(stays)).toBe("");
  });

  it("brings new mappings and imports to those who are there", async () => {
    const exporter = `users: [${annLine}], exports: [{stream: foo}]`;
    await becomes(accounts(exporter, `users: [${bobLine}]`));
    const [exports, imports] = [await client(ann), await client(bob, "SUB foo 1\r\nSUB bar 2\r\n")];
    await becomes(
      accounts(
        exporter,
        `users: [${bobLine}], imports: [{stream: {account: X, subject: foo}}], mappings { a: bar }`,
      ),
    );
    exports.send("PUB foo 1\r\nx\r\n");
    expect(await hears(exports)).toBe("");
    await imports.has("MSG foo 1 1\r\nx\r\n");
    imports.text = "";
    expect(await hears(imports, "PUB a 1\r\ny\r\n")).toBe("MSG bar 2 1\r\ny\r\n");
    await becomes(accounts(exporter, `users: [${bobLine}]`));
    exports.send("PUB foo 1\r\nz\r\n");
    expect(await hears(exports)).toBe("");
    expect(await hears(imports, "PUB a 1\r\ny\r\n")).toBe("");
  });

  it("applies limits to those who are there", async () => {
    await becomes("");
    const connection = await client({ protocol: 0 });
    await becomes("max_payload: 4");
    connection.send("PUB foo 5\r\nhello\r\n");
    expect(await ends(connection)).toBe("-ERR 'Maximum Payload Violation'\r\n");
    await becomes("");
    const lengthy = await client();
    await becomes("max_control_line: 20");
    lengthy.send(`PUB ${"a".repeat(30)} 0\r\n\r\n`);
    expect(await ends(lengthy)).toBe("-ERR 'maximum control line exceeded'\r\n");
    await becomes("");
  });

  it("closes connections beyond the limits of server and account", async () => {
    await becomes("");
    const two = [await client(), await client()];
    await becomes("max_connections: 1");
    const closed = await firstClosed(two);
    expect(closed.replies).toBe("-ERR 'maximum connections exceeded'\r\n");
    expect(await hears(two.find((each) => each !== closed)!)).toBe("");
    for (const each of two) each.destroy();
    await becomes(accounts(`users: [${annLine}]`, ""));
    const anns = [await client(ann), await client(ann)];
    await becomes(accounts(`users: [${annLine}], limits {max_connections: 1}`, ""));
    const surplus = await firstClosed(anns);
    expect(surplus.replies).toBe("-ERR 'maximum account active connections exceeded'\r\n");
    expect(await hears(anns.find((each) => each !== surplus)!)).toBe("");
  });

  function firstClosed(connections: readonly RawConnection[]): Promise<RawConnection> {
    return Promise.race(
      connections.map(
        (each) =>
          new Promise<RawConnection>((resolve) => {
            each.socket.once("close", () => resolve(each));
            if (each.isClosed) resolve(each);
          }),
      ),
    );
  }

  it("changes nothing for a bad file", async () => {
    await becomes(users(annLine, bobLine));
    const stays = await client(bob, "SUB foo 1\r\n");
    expect(await server.reload(`${users(annLine)}\nmax_payload: [`)).toBe("refused");
    expect(await hears(stays, "PUB foo 1\r\nx\r\n")).toBe("MSG foo 1 1\r\nx\r\n");
    expect(
      await server.reload(
        `${users(annLine)}\ntls { cert_file: "/nowhere.pem", key_file: "/nowhere-key.pem" }`,
      ),
    ).toBe("refused");
    expect(await hears(stays, "PUB foo 1\r\nx\r\n")).toBe("MSG foo 1 1\r\nx\r\n");
    expect(await hears(await client(bob))).toBe("");
  });

  it("with an option that cannot change is refused by nats-server, and applied but for that by shoal", async () => {
    await becomes(users(annLine, bobLine));
    const stays = await client(bob);
    const next = `${users(annLine)}\nserver_name: another`;
    expect(await server.reload(next)).toBe(isShoal ? "reloaded" : "refused");
    expect(server.log()).toContain(isShoal ? '"options":["server_name"]' : "not supported for ServerName");
    expect(isShoal ? await ends(stays) : await hears(stays)).toBe("");
  });

  // From here on what shoal does otherwise: docs/reload.md says why.

  it.runIf(isShoal)("changes limits that nats-server cannot change", async () => {
    await becomes("");
    const connection = await client({}, "SUB a 1\r\n");
    await becomes("max_subscriptions: 1\nmax_sub_tokens: 2\nmax_pending: 20MB\nlame_duck_duration: 40s");
    expect(await hears(connection, "SUB b 2\r\n")).toBe("-ERR 'maximum subscriptions exceeded'\r\n");
    expect(await hears(connection, "UNSUB 1\r\nSUB a.b.c 3\r\n")).toMatch(
      /^-ERR '.*Permissions Violation for Subscription to.*too many tokens/s,
    );
  });

  it.runIf(isShoal)("takes the place of the no_auth_user", async () => {
    await becomes(`${users(annLine, bobLine)}\nno_auth_user: ann`);
    const [unasked, asked] = [await client(), await client(ann)];
    await becomes(`${users(annLine, bobLine)}\nno_auth_user: bob`);
    expect(await ends(unasked)).toBe(violation);
    expect(await hears(asked)).toBe("");
  });

  it.runIf(isShoal)("keeps who needs no credentials any more, and tells of a new max_payload", async () => {
    await becomes(users(annLine));
    const stays = await client({ ...ann, protocol: 1 }, "SUB foo 1\r\n");
    await becomes("max_payload: 2000");
    expect(await hears(stays, "PUB foo 1\r\nx\r\n")).toMatch(
      /^INFO \{.*"max_payload":2000.*\} \r\nMSG foo 1 1\r\nx\r\n$/,
    );
  });
});
