/** What the log of a running process shows: tracing at run time, the file opened again, secrets, a syslog server that is away. */
import { spawnSync } from "node:child_process";
import { renameSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { waitFor } from "../support/cluster-wait.ts";
import { Exposition } from "../support/exposition.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { LoggingServer, shoalProgram } from "./logging-server.ts";

const toFile = ({ logFile }: LoggingServer): string => `log_file: "${logFile}"`;

/** The server has taken part in all that the connection sent before. */
async function settled(connection: RawConnection): Promise<void> {
  const pongs = (): number => connection.text.split("PONG\r\n").length;
  const before = pongs();
  connection.send("PING\r\n");
  await connection.until("a PONG", () => pongs() > before);
}

describe("debug and trace", () => {
  it("are switched by a reload, each for itself, for connections old and new", async () => {
    await using server = await LoggingServer.start(toFile);
    const old = await RawConnection.greeted(server.port);
    let count = 0;
    /** Which of the two kinds of lines, of which of the two connections, are new in the log after each has done something. */
    const written = async (): Promise<object> => {
      const subjects = [`old.${++count}`, `new.${count}`] as const;
      const from = server.log().length;
      const young = await RawConnection.greeted(server.port);
      for (const [index, connection] of [old, young].entries()) {
        connection.send(`PUB ${subjects[index]} 0\r\n\r\n`);
        await settled(connection);
      }
      young.socket.destroy();
      const log = server.log().slice(from);
      return {
        debug: log.includes('"level":"debug"'),
        old: log.includes(`<<- [PUB ${subjects[0]} 0]`),
        young: log.includes(`<<- [PUB ${subjects[1]} 0]`),
      };
    };
    expect(await written()).toEqual({ debug: false, old: false, young: false });
    await server.reload(`${toFile(server)}\ntrace: true`);
    expect(await written()).toEqual({ debug: false, old: true, young: true });
    await server.reload(`${toFile(server)}\ndebug: true`);
    expect(await written()).toEqual({ debug: true, old: false, young: false });
    await server.reload(toFile(server));
    expect(await written()).toEqual({ debug: false, old: false, young: false });
    old.socket.destroy();
  });
});

describe("a log file that another program has moved", () => {
  it.each([
    ["SIGUSR1", (server: LoggingServer) => server.signal("SIGUSR1")],
    [
      "-sl reopen=PID",
      (server: LoggingServer) =>
        expect(spawnSync(shoalProgram, ["-sl", `reopen=${server.pid}`]).status).toBe(0),
    ],
  ])("is opened again on %s", async (_, ask) => {
    await using server = await LoggingServer.start((it) => `${toFile(it)}\ntrace: true`);
    const client = await RawConnection.greeted(server.port);
    const moved = `${server.logFile}.1`;
    renameSync(server.logFile, moved);
    client.send("PUB before 0\r\n\r\n");
    await settled(client);
    ask(server);
    await waitFor("the file", () => server.log().includes("File log re-opened"));
    client.send("PUB after 0\r\n\r\n");
    await settled(client);
    expect([server.log(moved).includes("PUB before"), server.log(moved).includes("PUB after")]).toEqual([
      true,
      false,
    ]);
    expect([server.log().includes("PUB before"), server.log().includes("PUB after")]).toEqual([false, true]);
    client.socket.destroy();
  });
});

describe("secrets", () => {
  const JWT = `eyJ0eXAiOiJKV1QifQ.eyJqdGkiOiJzZWNyZXQtand0In0.${"c2ln".repeat(20)}`;
  const users = (first: string, second: string): string =>
    `authorization { users: [{user: alice, password: "${first}"}, {user: bob, password: "${second}"}] }`;

  it("are not in traces, complaints and reloads", async () => {
    const traced = (it: LoggingServer): string => `${toFile(it)}\ntrace: true\ndebug: true`;
    await using server = await LoggingServer.start((it) => `${traced(it)}\n${users("secret-a", "secret-b")}`);
    const alice = await RawConnection.greeted(server.port, {
      user: "alice",
      pass: "secret-a",
      headers: true,
    });
    alice.send("SUB foo 1\r\nSUB foo group 2\r\n");
    alice.send("HPUB h 27 41\r\nNATS/1.0\r\nX: secret-hdr\r\n\r\nsecret-payload\r\n");
    await settled(alice);
    for (const credentials of [
      { user: "alice", pass: "secret-wrong" },
      { auth_token: "secret-token" },
      { jwt: JWT, sig: "secret-signature", nkey: "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4" },
      { user: "alice", password: "secret-other-name", token: "secret-other-token" },
    ]) {
      const refused = await RawConnection.open(server.port);
      refused.send(`CONNECT ${JSON.stringify(credentials)}\r\nPING\r\n`);
      await refused.closed();
    }
    for (const json of [
      '{"user":"alice","p\\u0061ss":"secret-escaped"}',
      '{"user":"alice","pass":["secret-listed"]}',
    ]) {
      const odd = await RawConnection.open(server.port);
      odd.send(`CONNECT ${json}\r\nPING\r\n`);
      await odd.closed();
    }
    // Cut off by the end of the line, and in the place of another operation.
    const broken = await RawConnection.open(server.port);
    broken.send('CONNECT {"user":"alice","pass":"secret-cut\r\n');
    await broken.closed();
    await server.reload(`${traced(server)}\n${users("secret-c", "secret-b")}`);
    await server.reload(`${traced(server)}\nauthorization { user: carol, password: "secret-d" }`);
    await server.reload(`${traced(server)}\nauthorization { token: "secret-e" }`);
    await server.reload(
      `${traced(server)}\ncluster { listen: "127.0.0.1:-1", authorization { user: r, password: "secret-f" } }`,
    );
    server.configure(`${traced(server)}\nauthorization { token: "secret-g", pasword: "secret-h" }`);
    server.signal("SIGHUP");
    await waitFor("the refusal", () => server.log().includes('"event":"reload_refused"'));
    const log = server.log();
    expect(log.match(/.*(secret-|eyJ|c2lnc2ln).*/g)).toBeNull();
    // The lines in which they would be are there.
    expect(log.split("<<- [CONNECT ").length - 1).toBeGreaterThanOrEqual(5);
    expect(log).toContain("<<- [SUB foo 1]");
    expect(log).toContain("<<- [SUB foo group 2]");
    expect(log).toContain("<<- [HPUB h 27 41]");
    for (const option of ["authorization.users", "authorization.password", "authorization.token"])
      expect(log).toContain(`"option":"${option}"`);
    expect(server.stderr).toBe("");
  });
});

describe("a syslog server", () => {
  it("that is away or ends does not keep the server from serving, and is told of once", async () => {
    const gone = createServer().listen(0, "127.0.0.1");
    await once(gone, "listening");
    const { port } = gone.address() as AddressInfo;
    gone.close();
    await once(gone, "close");
    await using server = await LoggingServer.start(
      () => `remote_syslog: "tcp://127.0.0.1:${port}"\ntrace: true`,
    );
    const client = await RawConnection.greeted(server.port);
    await waitFor("the complaint", () => server.stderr.includes("\n"));
    let text = "";
    const receiver = createServer((socket) => socket.on("data", (chunk) => (text += chunk.toString())));
    receiver.listen(port, "127.0.0.1");
    await waitFor("the lines", () => text.includes("<<- [CONNECT"));
    client.send("PUB x 0\r\n\r\n");
    await waitFor("a line of the moment", () => text.includes("<<- [PUB x 0]"));
    expect(text.split("\n")[0]).toMatch(
      /^<29>1 \S+Z \S+ shoal \d+ - - \{"level":"info",.*"msg":"Starting shoal"\}$/,
    );
    server.signal("SIGQUIT");
    await waitFor("the last line", () => text.includes("Server Exiting.."));
    receiver.close();
    expect(server.stderr.trim().split("\n")).toEqual([
      expect.stringContaining("Syslog server cannot be reached"),
    ]);
  });

  it("that takes nothing costs lines in the end: metrics count them", async () => {
    const deaf = createServer((socket) => socket.pause()).listen(0, "127.0.0.1");
    await once(deaf, "listening");
    const { port } = deaf.address() as AddressInfo;
    await using server = await LoggingServer.start(
      () => `remote_syslog: "tcp://127.0.0.1:${port}"\ntrace: true\nhttp: "127.0.0.1:-1"`,
    );
    const lost = async (): Promise<number> =>
      (await Exposition.scrape(`${server.monitorUrl}/metrics`)).value("nats_log_lines_lost_total");
    expect(await lost()).toBe(0);
    const client = await RawConnection.greeted(server.port);
    const lines = `PUB ${"x".repeat(2000)} 0\r\n\r\n`.repeat(500);
    // more than fits into the buffers of both sockets, too
    await waitFor("lines to be lost", async () => {
      client.send(lines);
      await settled(client);
      return (await lost()) > 0;
    });
    client.destroy();
    deaf.close();
  });

  it("is not all that learns why a server cannot start", () => {
    const { stderr, status } = spawnSync(shoalProgram, ["-s", "-a", "192.0.2.1", "-p", "-1"], {
      encoding: "utf8",
    });
    expect([status, stderr]).toEqual([1, expect.stringContaining("Error listening on port: 192.0.2.1")]);
  });
});
