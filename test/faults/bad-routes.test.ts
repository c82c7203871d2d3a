/**
 * What can come in at the route port, or answer where a member was expected: each is told what nats-server would tell it,
 * or cut off; the routes between two members, and what two witnesses say over them, go on as if nothing were.
 */
import { createServer, type Server as Listener, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { newNkey } from "../../src/keys/nkey.ts";
import { randomInt, seededRandom } from "../../src/base/random.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { startInProcess, type InProcessServer } from "../support/in-process-server.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { Witnesses } from "../support/witnesses.ts";

let seed: InProcessServer;
let joiner: InProcessServer;
let witnesses: Witnesses;

async function startPair(credentials: { user?: string; password?: string } = {}): Promise<void> {
  const client = { maxPendingBytes: 8 * 1024 * 1024 };
  seed = await startInProcess({ server: { name: "seed" }, cluster: { name: "c", ...credentials }, client });
  const route = { host: "127.0.0.1", port: seed.routePort };
  const routes = [{ ...route, user: credentials.user ?? null, password: credentials.password ?? null }];
  joiner = await startInProcess({
    server: { name: "joiner" },
    cluster: { name: "c", routes, ...credentials },
  });
  await waitFor("the mesh", () => routesOf(seed) === routesOf(joiner) && routesOf(seed) === 4);
  witnesses = await Witnesses.watch(seed.url, joiner.url);
  await witnesses.exchangeMore();
}

/** Registered or not. */
function routesOf(member: InProcessServer): number {
  return member.server.cluster!.sessions.size;
}

async function expectUnharmed(): Promise<void> {
  await witnesses.exchangeMore();
  await witnesses.unharmed();
  await waitFor("only the members' routes to be left", () => routesOf(seed) === 4 && routesOf(joiner) === 4);
}

afterEach(async () => {
  await witnesses?.[Symbol.asyncDispose]();
  await joiner?.[Symbol.asyncDispose]();
  await seed?.[Symbol.asyncDispose]();
});

/** What a server says first when it dials. */
function hello(
  fields: { id?: string; name?: string; cluster?: string; connect?: object; info?: object } = {},
): string {
  const { id = newNkey("server").publicKey, cluster = "c", connect = {}, info = {} } = fields;
  const connectJson = { verbose: false, pedantic: false, name: id, cluster, headers: true, ...connect };
  const infoJson = {
    server_id: id,
    server_name: fields.name ?? id,
    version: "2.14.0",
    proto: 1,
    host: "127.0.0.1",
    port: 1,
    headers: true,
    max_payload: 1048576,
    cluster,
    ...info,
  };
  return `CONNECT ${JSON.stringify(connectJson)}\r\nINFO ${JSON.stringify(infoJson)}\r\n`;
}

async function intruder(text: string | Uint8Array): Promise<RawConnection> {
  const connection = await RawConnection.open(seed.routePort);
  connection.send(text);
  return connection;
}

describe("at the route port", () => {
  beforeEach(() => startPair());

  it.each([
    ["a client", 'CONNECT {"lang":"node","version":"3.0"}\r\n', "attempted to connect to route port"],
    ["a gateway", 'CONNECT {"gateway":"x"}\r\n', 'Rejecting connection from gateway "x" on the Route port'],
    [
      "a member of another cluster",
      hello({ cluster: "other" }),
      'Rejecting connection, cluster name "other" does not match "c"',
    ],
    ["HTTP", "GET / HTTP/1.1\r\n\r\n", "Unknown Protocol Operation"],
    ["TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n", "Unknown Protocol Operation"],
    ["an empty line", "\r\n", "Unknown Protocol Operation"],
    ["interest before registration", "RS+ $G witness.run\r\n", "Unknown Protocol Operation"],
    ["a message before registration", "RMSG $G witness.run 2\r\n-1\r\n", "Unknown Protocol Operation"],
    [
      "interest between CONNECT and INFO",
      `CONNECT {"name":"x","cluster":"c"}\r\nRS+ $G witness.run\r\n`,
      "Unknown Protocol Operation",
    ],
    ["a line without an end", `INFO {"server_id":"${"x".repeat(100_000)}`, "maximum control line exceeded"],
    ["a payload without its end", `${hello()}RMSG $G a 2\r\nhixx\r\n`, "Unknown Protocol Operation"],
    ["a payload beyond all limits", `${hello()}RMSG $G a 999999999\r\n`, "Maximum Payload Violation"],
    [
      "a slot that no pool has",
      hello({ info: { route_pool_size: 3, route_pool_idx: 7 } }),
      "Invalid route pool index: 7 - pool size is 3",
    ],
    [
      "an account without routes of its own",
      hello({ info: { route_pool_size: 3, route_account: "ACC" } }),
      'No route for account "ACC"',
    ],
  ])("%s is told so", async (_name, text, error) => {
    const connection = await intruder(text);
    await connection.closed();
    expect(connection.errors).toEqual([error]);
    await expectUnharmed();
  });

  it.each([
    ["CONNECT that is no JSON", "CONNECT {\r\n"],
    ["INFO that is no JSON", 'CONNECT {"name":"x","cluster":"c"}\r\nINFO {\r\n'],
    ["INFO without a server", 'CONNECT {"name":"x","cluster":"c"}\r\nINFO {"host":"x"}\r\n'],
    ["a queue without a weight", `${hello()}RS+ $G foo bar\r\n`],
    ["a message without a size", `${hello()}RMSG $G foo\r\n\r\n`],
    ["a member with the name of this one", hello({ name: "seed" })],
    ["an error of its own", `${hello()}-ERR 'I do not like you'\r\n`],
  ])("%s gets the end without a word", async (_name, text) => {
    const connection = await intruder(text);
    await connection.closed();
    expect(connection.errors).toEqual([]);
    await expectUnharmed();
  });

  it("the same member twice in one slot: the first stays", async () => {
    const id = newNkey("server").publicKey;
    const first = await intruder(`${hello({ id })}PING\r\n`);
    await first.has("PONG");
    const second = await intruder(hello({ id }));
    await second.closed();
    first.send("PING\r\n");
    await first.until("a second PONG", () => first.text.match(/PONG\r\n/g)?.length === 2);
    first.destroy();
    await expectUnharmed();
  });

  it("one that says it is this very server is sent away", async () => {
    const connection = await intruder(hello({ id: seed.server.identity.id }));
    await connection.closed();
    await expectUnharmed();
  });

  it("random bytes never do harm, whatever they are, in front of the handshake or behind it", async () => {
    for (let number = 1; number <= 100; number++) {
      const random = seededRandom(number);
      const bytes = Uint8Array.from({ length: 1 + randomInt(random, 3000) }, () => randomInt(random, 256));
      const connection = await intruder(number % 2 === 0 ? hello() : "");
      connection.send(bytes);
      connection.send("\r\n\r\n\r\n");
      await connection.until(`the end of random bytes of seed ${number}`, () => connection.isClosed);
    }
    await expectUnharmed();
  });

  it("words of the protocol thrown together never do harm", async () => {
    const words =
      "RS+ RS- RMSG HMSG INFO CONNECT PING PONG -ERR $G $SYS a.b > * a..b + | 1 2 0 99999 {} q".split(" ");
    const joints = [" ", " ", " ", " ", "\r\n", "\r\n", "\n", "\t", "", "\r"];
    for (let number = 1; number <= 200; number++) {
      const random = seededRandom(number);
      const pick = (from: readonly string[]): string => from[randomInt(random, from.length)]!;
      const length = 1 + randomInt(random, 200);
      const text = Array.from({ length }, () => pick(words) + pick(joints)).join("");
      const connection = await intruder(hello() + text);
      connection.socket.end();
      await connection.until(`the end of random words of seed ${number}`, () => connection.isClosed);
    }
    await expectUnharmed();
  });

  it("interest of a member that is gone is gone", async () => {
    const client = await RawConnection.greeted(seed.port, { headers: true, no_responders: true });
    client.send("SUB reply.* 1\r\n");
    const request = async (): Promise<void> => client.send("PUB ghost.town reply.1 0\r\n\r\nPING\r\n");
    const pongs = (count: number): Promise<void> =>
      client.until(`PONG ${count}`, () => client.text.match(/PONG\r\n/g)?.length === count);
    const ghost = await intruder(
      `${hello()}RS+ $G ghost.>\r\nRS+ $G ghost.town q 3\r\nRS+ $G ghost.>\r\nPING\r\n`,
    );
    await ghost.has("PONG");
    await request();
    await ghost.until("the request", () => /RMSG \$G ghost\.town (\+ )?reply\.1 (q )?0\r\n/.test(ghost.text));
    await pongs(2);
    expect(client.text).not.toContain("503");
    ghost.reset();
    await waitFor("the ghost to be gone", () => routesOf(seed) === 4);
    await request();
    await pongs(3);
    expect(client.text).toContain("NATS/1.0 503");
    client.destroy();
    await expectUnharmed();
  });

  it("hundreds of half-open connections time out, and a new member still joins", async () => {
    const crowd = await Promise.all(Array.from({ length: 900 }, () => RawConnection.open(seed.routePort)));
    for (const connection of crowd) connection.send('CONNECT {"name":"x","cluster":"c"}\r\n');
    const routes = [{ host: "127.0.0.1", port: seed.routePort, user: null, password: null }];
    await using late = await startInProcess({ server: { name: "late" }, cluster: { name: "c", routes } });
    await waitFor("the late member to be in the mesh", () => routesOf(late) === 8);
    for (const connection of crowd) await connection.closed();
    expect(new Set(crowd.flatMap(({ errors }) => errors))).toEqual(new Set(["Authentication Timeout"]));
    await late[Symbol.asyncDispose]();
    await expectUnharmed();
  });

  it("a member that does not read is cut off, and the other goes on", async () => {
    const dead = await intruder(`${hello()}RS+ $G >\r\nPING\r\n`);
    await dead.has("PONG");
    dead.stopReading();
    const writer = await RawConnection.greeted(seed.port);
    const frame = Buffer.from(`PUB load 60000\r\n${"x".repeat(60_000)}\r\n`);
    const { counters } = seed.server.cluster!;
    while (counters.slowConsumers === 0) await new Promise((resolve) => writer.socket.write(frame, resolve));
    await expectUnharmed();
    expect(writer.isClosed).toBe(false);
    writer.destroy();
    dead.destroy();
  });
});

describe("with a password", () => {
  beforeEach(() => startPair({ user: "route", password: "s3cret" }));

  it.each([
    ["none", {}],
    ["a wrong password", { user: "route", pass: "s3cre" }],
    ["a wrong user", { user: "rout", pass: "s3cret" }],
  ])("a member with %s is refused", async (_name, connect) => {
    const connection = await intruder(hello({ connect }));
    await connection.closed();
    expect(connection.errors).toEqual(["Authorization Violation"]);
    await expectUnharmed();
  });

  it("a member that leaves CONNECT out is refused", async () => {
    const [, info] = hello().split("\r\n");
    const connection = await intruder(`${info}\r\n`);
    await connection.closed();
    expect(connection.errors).toEqual(["Authorization Violation"]);
    await expectUnharmed();
  });

  it("a member with the right ones is in", async () => {
    const connection = await intruder(`${hello({ connect: { user: "route", pass: "s3cret" } })}PING\r\n`);
    await connection.has("PONG");
    expect(connection.errors).toEqual([]);
    connection.destroy();
    await expectUnharmed();
  });
});

describe("where a member was expected", () => {
  const listeners: Listener[] = [];
  const sockets = new Set<Socket>();

  afterEach(() => {
    for (const listener of listeners.splice(0)) listener.close();
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  });

  /** Something that listens and is no member; counts who comes. */
  async function impostor(act: (socket: Socket) => void): Promise<{ port: number; calls: () => number }> {
    let calls = 0;
    const listener = createServer((socket) => {
      calls++;
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => sockets.delete(socket));
      act(socket);
    });
    listeners.push(listener);
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    return { port: (listener.address() as { port: number }).port, calls: () => calls };
  }

  const answers: Record<string, (socket: Socket) => void> = {
    "somebody who hangs up": (socket) => socket.destroy(),
    "somebody who resets": (socket) => socket.resetAndDestroy(),
    "a web server": (socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"),
    "a mail server": (socket) => socket.write("220 mail.example ESMTP\r\n"),
    "somebody who says nothing": () => undefined,
    "INFO that is no JSON": (socket) => socket.write("INFO {{{\r\n"),
    "an INFO without an end": (socket) => socket.write(`INFO {"server_id":"${"x".repeat(200_000)}`),
    "somebody who refuses": (socket) => socket.write("-ERR 'Authorization Violation'\r\n"),
    "a member of another cluster": (socket) =>
      socket.write(`${hello({ cluster: "other" }).split("\r\n")[1]}\r\n`),
  };

  it("others answer: each is tried again later, nobody notices, and real members are joined", async () => {
    await startPair();
    const impostors = await Promise.all(Object.values(answers).map(impostor));
    const routes = [...impostors.map(({ port }) => port), seed.routePort].map((port) => ({
      host: "127.0.0.1",
      port,
      user: null,
      password: null,
    }));
    await using third = await startInProcess({ server: { name: "third" }, cluster: { name: "c", routes } });
    await waitFor("the third member to be in the mesh", () => routesOf(joiner) === 8);
    for (const [index, name] of Object.keys(answers).entries()) {
      await waitFor(`another try of ${name}`, () => impostors[index]!.calls() >= 2);
    }
    await third[Symbol.asyncDispose]();
    await expectUnharmed();
  });

  it("the server itself answers: no route comes of it", async () => {
    await startPair();
    const routes = [joiner.routePort, seed.routePort].map((port) => ({
      host: "127.0.0.1",
      port,
      user: null,
      password: null,
    }));
    const listens = await startInProcess({ server: { name: "own" }, cluster: { name: "c", routes } });
    const own = [...routes, { host: "localhost", port: listens.routePort, user: null, password: null }];
    const port = listens.routePort;
    await listens[Symbol.asyncDispose]();
    await using third = await startInProcess({
      server: { name: "own" },
      cluster: { name: "c", routes: own, port },
    });
    await waitFor("the third member to be in the mesh", () => routesOf(third) === 8);
    await third[Symbol.asyncDispose]();
    await expectUnharmed();
  });
});
