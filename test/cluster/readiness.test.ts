/** When servers call themselves ready: over HTTP, in the log, and as a mesh forms, breaks, and has a member that is none. */
import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { Member } from "../support/cluster-member.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { Stage, whole, type RunningServer, type ServerText } from "./stage.ts";

const stages: Stage[] = [];
const listeners: { server: Server; sockets: Set<Socket> }[] = [];
afterEach(async () => {
  for (const stage of stages.splice(0)) await stage[Symbol.asyncDispose]();
  for (const { server, sockets } of listeners.splice(0)) {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
});

function stage(): Stage {
  const made = new Stage();
  stages.push(made);
  return made;
}

const HTTP = ["http: 127.0.0.1:-1"];

function text(more: ServerText = {}, wait = "60s"): ServerText {
  return { ...more, serverLines: HTTP, clusterLines: [`readiness_wait: "${wait}"`] };
}

interface Asked {
  readonly status: number;
  readonly body: {
    readonly status: string;
    readonly reasons: string[];
    readonly state: string;
    readonly missing: string[];
    readonly peers: {
      readonly seen: number;
      readonly connected: { server_name: string }[];
      readonly awaited: { address: string; why: string; seen_by: string[] }[];
    };
  };
}

function ask({ server }: RunningServer, path: string): Promise<Asked> {
  return askPort(server.monitorPort, path);
}

async function askPort(port: number | null, path: string): Promise<Asked> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return { status: response.status, body: (await response.json()) as Asked["body"] };
}

/** Something at a port that is no server of ours; `onSocket` says what it does. */
async function listen(onSocket: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    onSocket(socket);
  });
  listeners.push({ server, sockets });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `nats://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function ready(running: RunningServer): Promise<Asked> {
  return waitFor(
    `${running.name} to be ready`,
    async () => {
      const asked = await ask(running, "/readyz");
      return asked.status === 200 ? asked : undefined;
    },
    () => running.logTail(),
  );
}

describe("the probes", () => {
  it("of the first server of a cluster say that it is ready, at once", async () => {
    const first = await stage().start(text({ name: "first" }));
    for (const path of ["/livez", "/readyz", "/startupz"]) {
      expect(await ask(first, path)).toMatchObject({ status: 200, body: { status: "ok", reasons: [] } });
    }
    expect(first.logged("Ready")).toHaveLength(1);
  });

  it("refuse what is no number", async () => {
    const first = await stage().start(text({ name: "first" }));
    const response = await fetch(`http://127.0.0.1:${first.server.monitorPort}/readyz?expect=x`);
    expect([response.status, await response.text()]).toEqual([
      400,
      "Error decoding uint64 for 'expect': strconv.ParseUint: parsing \"x\": invalid syntax",
    ]);
  });

  it("wait for as many servers as are expected", async () => {
    const actors = stage();
    const [one] = await actors.cluster([text({ name: "one" })]);
    expect(await ask(one!, "/readyz?expect=2")).toMatchObject({
      status: 503,
      body: { reasons: ["1 of 2 expected servers, this one included"] },
    });
    const two = await actors.start(text({ name: "two", routes: [one!.routeUrl()] }));
    await whole([one!, two]);
    expect((await ask(one!, "/readyz?expect=2")).status).toBe(200);
    const { body } = await ready(two);
    expect(body.peers).toMatchObject({ seen: 1, connected: [{ server_name: "one" }], awaited: [] });
  });
});

describe("a server that joins", () => {
  it("is ready only when it has routes to all that are seen", async () => {
    const actors = stage();
    const missing = await listen((socket) => socket.destroy());
    const one = await actors.start(text({ name: "one" }));
    const two = await actors.start(text({ name: "two", routes: [one.routeUrl(), missing] }));
    await whole([one, two]);
    const { status, body } = await ask(two, "/readyz");
    expect([status, body.state, body.peers.seen]).toEqual([503, "ready", 2]);
    expect(body.peers.awaited).toMatchObject([{ address: missing.slice(7), seen_by: ["routes"] }]);
    expect(body.reasons[0]).toContain("no complete route to 127.0.0.1:");
    expect((await ask(two, "/startupz")).status).toBe(200);
    expect((await ask(two, "/livez")).status).toBe(200);
    expect(two.logged("Not ready")).toMatchObject([{ event: "not_ready", seen: 2 }]);
    expect((await ask(one, "/readyz")).status).toBe(200);
  });

  it("is ready once the last one is there", async () => {
    const actors = stage();
    const one = await actors.start(text({ name: "one" }));
    const free = await listen(() => undefined);
    const port = Number(free.slice(free.lastIndexOf(":") + 1));
    await new Promise((resolve) => listeners[0]!.server.close(resolve));
    const two = await actors.start(text({ name: "two", routes: [one.routeUrl(), free] }));
    await whole([one, two]);
    expect((await ask(two, "/readyz")).status).toBe(503);
    const three = await actors.start(text({ name: "three", clusterPort: port }));
    await whole([one, two, three]);
    await ready(two);
    expect(two.logged("Ready")).toMatchObject([{ event: "ready", connected: 2, seen: 2 }]);
  });

  const strangers: readonly [string, (socket: Socket) => void][] = [
    ["ends each connection", (socket) => socket.destroy()],
    ["says nothing", () => undefined],
    ["answers with garbage", (socket) => socket.write("HTTP/1.1 200 OK\r\nServer: x\r\n\r\n")],
  ];
  it.each(strangers)("is ready in the end though one %s", async (_, onSocket) => {
    const actors = stage();
    const stranger = await listen(onSocket);
    const one = await actors.start(text({ name: "one" }));
    const two = await actors.start(text({ name: "two", routes: [one.routeUrl(), stranger] }, "1s"));
    await whole([one, two]);
    const { body } = await ready(two);
    expect(body.missing[0]).toContain(stranger.slice(7));
    expect(two.logged("Ready, having waited in vain")).toMatchObject([{ event: "ready", level: "warn" }]);
  });

  it("is ready in the end though one is of another cluster", async () => {
    const actors = stage();
    const one = await actors.start(text({ name: "one" }));
    const stranger = await actors.start({ name: "stranger", cluster: "D" });
    const routes = [one.routeUrl(), stranger.routeUrl()];
    const two = await actors.start(text({ name: "two", routes }, "1s"));
    await whole([one, two]);
    expect((await ready(two)).body.missing[0]).toContain(`127.0.0.1:${stranger.clusterPort}`);
  });

  it("stays ready when another one dies, and says who is missing", async () => {
    const clusterLines = ["name: c", 'readiness_wait: "60s"'];
    await using one = await Member.create({ kind: "shoal", name: "one", clusterLines });
    await using two = await Member.create({ kind: "shoal", name: "two", clusterLines });
    two.routes = [one.routeUrl()];
    await Promise.all([one.start(), two.start()]);
    const asked = (): Promise<Asked> => askPort(two.ports.monitor, "/readyz");
    await waitFor("the cluster", async () => (await asked()).body.peers.connected.length === 1);
    await one.kill();
    const { status, body } = await waitFor("the loss to be seen", async () => {
      const answer = await asked();
      return answer.body.missing.length > 0 ? answer : undefined;
    });
    expect([status, body.reasons, body.peers.awaited.length]).toEqual([200, [], 1]);
  });
});

describe("a server in lame duck mode", () => {
  it("is alive and not ready until its last connection is gone", async () => {
    const actors = stage();
    const serverLines = [...HTTP, 'lame_duck_duration: "60s"', 'lame_duck_grace_period: "30s"'];
    const one = await actors.start({ name: "one", serverLines });
    const client = await actors.client(one);
    void one.server.lameDuck();
    expect(await ask(one, "/readyz")).toMatchObject({
      status: 503,
      body: { status: "unavailable", reasons: ["lame duck"], state: "lame duck" },
    });
    expect((await ask(one, "/livez")).status).toBe(200);
    expect((await ask(one, "/startupz")).status).toBe(200);
    await client.flush();
    expect(one.logged("Not ready")).toMatchObject([{ reasons: ["lame duck"] }]);
  });
});
