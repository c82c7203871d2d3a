/** How the monitoring port stands those who mean no good, or are very slow: within its limits, and without harm to others. */
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { silentLogger } from "../../src/base/logger.ts";
import type { ClientSnapshot } from "../../src/links/client/snapshot.ts";
import { ClosedConnection } from "../../src/monitor/closed-connections.ts";
import { Endpoints } from "../../src/monitor/endpoints.ts";
import { serveHttp, type HttpLimits } from "../../src/monitor/http.ts";
import type { MonitorSource } from "../../src/monitor/source.ts";
import { cleanup, closing, dial, start } from "./monitored.ts";

const SHORT: HttpLimits = {
  connectionsMax: 4,
  headerBytesMax: 8192,
  headersTimeoutMs: 100,
  requestTimeoutMs: 200,
  idleTimeoutMs: 100,
  answerTimeoutMs: 300,
};

/** Where an answer has to come before the connection ends, however busy the machine is. */
const PATIENT: Partial<HttpLimits> = {
  headersTimeoutMs: 3000,
  requestTimeoutMs: 3000,
  answerTimeoutMs: 60_000,
};

/** A monitoring port of its own, with small limits, on the sessions of a server. */
async function serve(limits: Partial<HttpLimits> = {}): Promise<number> {
  const { server } = await start();
  const source = {
    nowMs: () => Date.now(),
    whyNotReady: () => null,
    facts: () => ({ id: "ID", basePath: "/", startedMs: 0 }),
    accounts: server.accounts,
    clients: server.clients,
    closed: MANY,
    cluster: null,
    jetStream: () => null,
  } as unknown as MonitorSource;
  const listen = { host: "127.0.0.1", port: 0 };
  const http = await serveHttp(new Endpoints(source), listen, silentLogger, { ...SHORT, ...limits });
  cleanup.push(() => http.close());
  return http.port;
}

/** More connections than fit into the buffers of a socket that nobody reads from. */
const MANY: readonly ClosedConnection[] = Array.from({ length: 50_000 }, (_, cid) => {
  const client = { cid, name: "x".repeat(500), account: "$G", startedMs: 0, lastActivityMs: 0 };
  return new ClosedConnection(client as ClientSnapshot, 0, []);
});

describe("who means no good", () => {
  it("says nothing, or says it slowly: the connection ends", async () => {
    const port = await serve();
    const silent = await dial(port);
    const slow = await dial(port);
    slow.write("GET /varz HTTP/1.1\r\nHost: x\r\n");
    const drip = setInterval(() => slow.write("A"), 10);
    const said = await Promise.all([closing(silent), closing(slow)]);
    clearInterval(drip);
    expect(said.filter((text) => text.includes("200 OK"))).toEqual([]);
  });

  it("promises a body and never sends it: the answer comes, the connection ends", async () => {
    const socket = await dial(await serve(PATIENT));
    socket.write("POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
    expect(await closing(socket)).toMatch(/^HTTP\/1.1 200 OK/);
  });

  it("sends headers without end: refused", async () => {
    const socket = await dial(await serve(PATIENT));
    socket.write(`GET /varz HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(10_000)}\r\n\r\n`);
    expect(await closing(socket)).toMatch(/^HTTP\/1.1 431/);
  });

  it("asks again before the answer has come: the connection ends", async () => {
    const socket = await dial(await serve());
    socket.write("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100));
    expect(await closing(socket)).toBe("");
  });

  it("asks for much and does not read it: the connection ends", async () => {
    const port = await serve({ ...PATIENT, answerTimeoutMs: 1000 });
    const socket = await dial(port);
    socket.pause();
    socket.write("GET /connz?state=closed&limit=50000 HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(socket, "readable");
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    await closing(socket);
  });

  it("holds all connections: others are still answered", async () => {
    const port = await serve({ ...PATIENT, headersTimeoutMs: 60_000, requestTimeoutMs: 60_000 });
    const held = await Promise.all(Array.from({ length: 20 }, () => dial(port)));
    const response = await fetch(`http://127.0.0.1:${port}/healthz`);
    expect(response.status).toBe(200);
    await Promise.all(held.slice(0, 17).map((socket) => closing(socket)));
  });

  it("talks something else: refused", async () => {
    const socket = await dial(await serve(PATIENT));
    socket.write("CONNECT {}\r\nPING\r\n");
    expect(await closing(socket)).toMatch(/^HTTP\/1.1 400/);
  });
});
