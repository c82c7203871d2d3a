/** The server as a library: how it starts, fails to start, lives beside others, and that nothing of it stays when it ends. */
import { spawn } from "node:child_process";
import { createConnection } from "node:net";
import { join } from "node:path";
import { connect } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import { startServer, type RunningServer, type StartOptions } from "../../src/index.ts";
import { reaches } from "../support/cluster-clients.ts";
import { PATIENCE_MS } from "../support/patience.ts";

const root = join(import.meta.dirname, "../..");

describe("a server in this process", () => {
  it("listens on any free port by default, on the loopback address", async () => {
    await using server = await startServer();
    expect(server.port).toBeGreaterThan(0);
    expect(server.url).toBe(`nats://127.0.0.1:${server.port}`);
    expect(server.clusterUrl).toBeUndefined();
    expect(server.id).toMatch(/^N[A-Z2-7]{55}$/);
    const client = await connect({ servers: server.url });
    expect(client.info).toMatchObject({ server_id: server.id, port: server.port, host: "127.0.0.1" });
    await client.close();
  });

  it("takes -1 for any free port, each server another", async () => {
    await using one = await startServer({ port: -1 });
    await using other = await startServer({ port: -1 });
    expect(one.port).not.toBe(other.port);
    expect(one.id).not.toBe(other.id);
  });

  it("keeps two servers in one process apart", async () => {
    await using one = await startServer({ serverName: "one", maxPayloadBytes: 10 });
    await using other = await startServer({ serverName: "other", token: "t" });
    const clients = [await connect({ servers: one.url }), await connect({ servers: other.url, token: "t" })];
    expect(clients.map(({ info }) => info?.server_name)).toEqual(["one", "other"]);
    expect(clients.map(({ info }) => info?.max_payload)).toEqual([10, 1024 * 1024]);
    const seen: string[] = [];
    clients[0]!.subscribe(">", { callback: (_error, { subject }) => void seen.push(subject) });
    await clients[0]!.flush();
    clients[1]!.publish("elsewhere");
    await clients[1]!.flush();
    clients[0]!.publish("here");
    await clients[0]!.flush();
    expect(seen).toEqual(["here"]);
    await Promise.all(clients.map((client) => client.close()));
  });

  it("rejects when the port is taken, and leaves the one who has it alone", async () => {
    await using server = await startServer();
    const error = await startServer({ port: server.port }).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "EADDRINUSE" });
    expect(String(error)).toContain(`127.0.0.1:${server.port}`);
    const client = await connect({ servers: server.url });
    await client.close();
  });

  it("rejects when the route port is taken, and listens for nobody then", async () => {
    await using server = await startServer({ cluster: { name: "c" } });
    const port = Number(new URL(server.clusterUrl!.replace("nats:", "http:")).port);
    await using probe = await startServer();
    const clientPort = probe.port;
    await probe.close();
    const options = { port: clientPort, cluster: { name: "c", port } };
    const error = await startServer(options).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "EADDRINUSE" });
    expect(await isRefused(clientPort)).toBe(true);
  });

  it("rejects options that contradict each other, naming them", async () => {
    const cases: [StartOptions, RegExp][] = [
      [{ maxPayloadBytes: 65 * 1024 * 1024 }, /max_payload/],
      [{ token: "t", user: "u", password: "p" }, /token/],
      [{ password: "p" }, /password/],
      [{ jetstream: "memory", cluster: {} }, /jetstream/],
    ];
    for (const [options, message] of cases) await expect(startServer(options)).rejects.toThrow(message);
  });

  it("can be closed more than once, and refuses clients from then on", async () => {
    const server = await startServer();
    await server.close();
    await server.close();
    expect(await isRefused(server.port)).toBe(true);
  });

  it("can be started again on the same port at once, with clients on it until the end", async () => {
    let server: RunningServer = await startServer();
    const { port } = server;
    for (let round = 0; round < 10; round++) {
      const client = await connect({ servers: server.url, reconnect: false });
      await server.close();
      await client.closed();
      server = await startServer({ port });
    }
    await server.close();
  });

  it("forms a cluster of servers that know one of each other", async () => {
    await using seed = await startServer({ cluster: { name: "c" } });
    const options = { cluster: { name: "c", routes: [seed.clusterUrl!] } };
    await using second = await startServer(options);
    await using third = await startServer(options);
    const clients = await Promise.all(
      [seed, second, third].map(({ url }) => connect({ servers: url, ignoreClusterUpdates: true })),
    );
    for (const from of clients) {
      for (const to of clients) if (from !== to) await reaches(from, to);
    }
    expect(clients.map(({ info }) => info?.cluster)).toEqual(["c", "c", "c"]);
    await Promise.all(clients.map((client) => client.close()));
  });
});

describe("a program that started servers and closed them ends by itself", () => {
  it.each([
    ["one server", `const server = await startServer(); await server.close();`],
    ["await using", `{ await using server = await startServer(); }`],
    [
      "clients that are still connected",
      `const server = await startServer();
       const sockets = [1, 2, 3].map(() => net.connect(server.port, "127.0.0.1"));
       await Promise.all(sockets.map((socket) => new Promise((done) => socket.once("data", done))));
       await server.close();`,
    ],
    [
      "a client that reads nothing while much is on its way to it",
      `const server = await startServer();
       const reader = net.connect(server.port, "127.0.0.1", () => reader.write("SUB a 1\\r\\nPING\\r\\n"));
       await new Promise((done) => reader.on("data", (data) => data.includes("PONG") && done()));
       reader.pause();
       const writer = net.connect(server.port, "127.0.0.1");
       const message = "PUB a 500000\\r\\n" + "x".repeat(500000) + "\\r\\n";
       writer.write('CONNECT {"verbose":false}\\r\\n' + message.repeat(20) + "PING\\r\\n");
       await new Promise((done) => writer.on("data", (data) => data.includes("PONG") && done()));
       await server.close();
       reader.destroy();`,
    ],
    [
      "a cluster of three",
      `const seed = await startServer({ cluster: { name: "c" } });
       const routes = [seed.clusterUrl, "nats://127.0.0.1:1"];
       const others = [1, 2].map(() => startServer({ cluster: { name: "c", routes } }));
       const all = [seed, ...(await Promise.all(others))];
       const socket = net.connect(seed.port, "127.0.0.1");
       await new Promise((done) => {
         let text = 'CONNECT {"verbose":false,"protocol":1}\\r\\nPING\\r\\n'; // what has changed meanwhile comes with the first PONG
         socket.write(text);
         socket.on("data", (data) => { text += data; if (/connect_urls[^\\]]*,[^\\]]*,[^\\]]*\\]/.test(text)) done(); });
       });
       for (const server of all) await server.close();`,
    ],
    [
      "streams in memory, with a consumer, requests that wait and timers of theirs",
      `const server = await startServer({ jetstream: "memory" });
       ${STREAM_BY_HAND}
       await server.close();`,
    ],
    [
      "streams in a folder, which another server takes over afterwards",
      `const storeDir = fs.mkdtempSync(path.join(os.tmpdir(), "shoal-test-"));
       const server = await startServer({ jetstream: { storeDir } });
       ${STREAM_BY_HAND}
       await server.close();
       const next = await startServer({ jetstream: { storeDir } });
       await next.close();
       const open = fs.readdirSync("/proc/self/fd").map((fd) => {
         try { return fs.readlinkSync("/proc/self/fd/" + fd); } catch { return ""; }
       }).filter((file) => file.startsWith(storeDir));
       if (open.length > 0) console.log("still open: " + open);
       fs.rmSync(storeDir, { recursive: true });`,
    ],
    [
      "a start that failed",
      `const server = await startServer();
       await startServer({ port: server.port, cluster: { name: "c" } }).catch(() => undefined);
       await server.close();`,
    ],
  ])("%s", async (_name, body) => {
    const { code, output } = await runProgram(body);
    expect(output).toBe("");
    expect(code).toBe(0);
  });
});

/** A stream with a message that is about to expire, and a consumer with a request that waits. */
const STREAM_BY_HAND = `
       const socket = net.connect(server.port, "127.0.0.1");
       let text = "";
       const ask = (subject, body, answer) => new Promise((done) => {
         text = "";
         socket.removeAllListeners("data").on("data", (data) => { text += data; if (text.includes(answer)) done(); });
         socket.write("PUB " + subject + " answers " + body.length + "\\r\\n" + body + "\\r\\nPING\\r\\n");
       });
       socket.write('CONNECT {"verbose":false}\\r\\nSUB answers 1\\r\\n');
       await ask("$JS.API.STREAM.CREATE.S", '{"name":"S","subjects":["s"],"max_age":3600000000000}', "did_create");
       await ask("s", "hello", '"seq":1');
       await ask("$JS.API.CONSUMER.CREATE.S.c",
         '{"stream_name":"S","config":{"name":"c","ack_policy":"explicit"}}', "num_pending");
       await ask("$JS.API.CONSUMER.MSG.NEXT.S.c", '{"batch":2,"expires":3600000000000}', "hello");`;

async function runProgram(body: string): Promise<{ code: number | null; output: string }> {
  const source = `import fs from "node:fs"; import net from "node:net"; import os from "node:os"; import path from "node:path";
    import { startServer } from "./src/index.ts"; ${body}
    const timers = process.getActiveResourcesInfo().filter((each) => each === "Timeout");
    if (timers.length > 0) console.log("timers left: " + timers.length);`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", source], { cwd: root });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (text: Buffer) => (output += String(text)));
  const timer = setTimeout(() => {
    output += "the program had not ended by itself and was killed";
    child.kill("SIGKILL");
  }, PATIENCE_MS);
  return new Promise((resolve) => {
    child.once("close", (code) => {
      clearTimeout(timer);
      resolve({ code, output });
    });
  });
}

function isRefused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, "127.0.0.1");
    socket.once("error", () => resolve(true));
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
  });
}
