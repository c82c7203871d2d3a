/** What a reload changes for clients over WebSocket: those who come, and those who are there. */
import { connect } from "node:tls";
import { wsconnect } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import type { ConfigOverrides } from "../../src/config/config.ts";
import { slabSnapshot } from "../../src/slab/chunks.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { missingOpenssl } from "../support/certificates.ts";
import { startInProcess, type InProcessServer } from "../support/in-process-server.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { expectNewCertificate, itFollows, type ReloadedKey } from "../support/reloaded-keys.ts";
import { frame } from "../support/websocket-frames.ts";

const isMissing = missingOpenssl();
const PLAIN = { host: "127.0.0.1", port: 0, noTls: true };

function urlOf({ server }: InProcessServer): string {
  return `ws://127.0.0.1:${server.webSocketEndpoint!.port}`;
}

async function reload(
  server: InProcessServer,
  websocket: ConfigOverrides["websocket"],
  rest: ConfigOverrides = {},
): Promise<void> {
  const outcome = await server.reload({ ...rest, websocket: { ...PLAIN, ...websocket } });
  expect(outcome).toMatchObject({ kind: "reloaded", waiting: [] });
}

/** A request for an upgrade with these headers; resolves when there is an answer, or the end. */
async function request(server: InProcessServer, headers: readonly string[] = []): Promise<RawConnection> {
  const connection = await RawConnection.open(server.server.webSocketEndpoint!.port);
  const usual = [
    "Host: localhost",
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
  ];
  connection.send(`GET / HTTP/1.1\r\n${[...usual, ...headers].join("\r\n")}\r\n\r\n`);
  await connection.until("an answer", () => connection.text.includes("\r\n\r\n") || connection.isClosed);
  return connection;
}

/** What a client that says CONNECT is told. */
async function told(
  server: InProcessServer,
  connect: object,
  headers: readonly string[] = [],
): Promise<"admitted" | "refused"> {
  const connection = await request(server, headers);
  connection.send(frame({ payload: `CONNECT ${JSON.stringify(connect)}\r\nPING\r\n` }));
  const isAdmitted = (): boolean => connection.text.includes("PONG\r\n");
  await connection.until("a word", () => isAdmitted() || connection.text.includes("-ERR"));
  connection.destroy();
  return isAdmitted() ? "admitted" : "refused";
}

async function status(server: InProcessServer, headers: readonly string[]): Promise<string> {
  const connection = await request(server, headers);
  connection.destroy();
  return connection.text.split(" ")[1] ?? "none";
}

const ANN = { user: "ann", password: "a" };
const withAnn: ConfigOverrides = { authorization: { users: [ANN] } };

interface Key extends ReloadedKey<ConfigOverrides["websocket"]> {
  /** What else is configured. */
  readonly rest?: ConfigOverrides;
}

const KEYS: Readonly<Record<string, Key>> = {
  "authorization.user": {
    before: { user: "a", password: "p" },
    after: { user: "b", password: "p" },
    found: (server) => told(server, { user: "b", pass: "p" }),
    tells: ["refused", "admitted"],
  },
  "authorization.password": {
    before: { user: "a", password: "p" },
    after: { user: "a", password: "q" },
    found: (server) => told(server, { user: "a", pass: "q" }),
    tells: ["refused", "admitted"],
  },
  no_auth_user: {
    before: {},
    after: { noAuthUser: "ann" },
    rest: withAnn,
    found: (server) => told(server, {}),
    tells: ["refused", "admitted"],
  },
  user_cookie: {
    before: { passCookie: "word" },
    after: { passCookie: "word", userCookie: "who" },
    rest: withAnn,
    found: (server) => told(server, {}, ["Cookie: who=ann; word=a"]),
    tells: ["refused", "admitted"],
  },
  pass_cookie: {
    before: { userCookie: "who" },
    after: { userCookie: "who", passCookie: "word" },
    rest: withAnn,
    found: (server) => told(server, {}, ["Cookie: who=ann; word=a"]),
    tells: ["refused", "admitted"],
  },
  token_cookie: {
    before: { token: "t" },
    after: { token: "t", tokenCookie: "key" },
    found: (server) => told(server, {}, ["Cookie: key=t"]),
    tells: ["refused", "admitted"],
  },
  same_origin: {
    before: {},
    after: { sameOrigin: true },
    found: (server) => status(server, ["Origin: http://elsewhere.example"]),
    tells: ["101", "403"],
  },
  allowed_origins: {
    before: { allowedOrigins: ["http://a.example"] },
    after: { allowedOrigins: ["http://b.example"] },
    found: (server) => status(server, ["Origin: http://b.example"]),
    tells: ["403", "101"],
  },
  headers: {
    before: {},
    after: { headers: { "X-Test": "yes" } },
    found: async (server) => (await request(server)).text.includes("X-Test: yes\r\n"),
    tells: [false, true],
  },
};

describe("a reload changes", () => {
  itFollows<ConfigOverrides["websocket"], Key>(KEYS, {
    start: (block, { rest }) => startInProcess({ ...rest, websocket: { ...PLAIN, ...block } }),
    reload: (server, block, { rest }) => reload(server, block, rest),
  });

  it("how long a request may take", async () => {
    await using server = await startInProcess({ websocket: { ...PLAIN, handshakeTimeoutMs: 3_600_000 } });
    await reload(server, { handshakeTimeoutMs: 50 });
    const connection = await RawConnection.open(server.server.webSocketEndpoint!.port);
    connection.send("GET / HTTP/1.1\r\n");
    await connection.closed();
  });

  it("how long a client may take to say who it is", async () => {
    await using server = await startInProcess({
      websocket: { ...PLAIN, token: "t", authTimeoutMs: 3_600_000 },
    });
    await reload(server, { token: "t", authTimeoutMs: 50 });
    await (await request(server)).has("Authentication Timeout");
  });

  it("how often clients are asked whether they are there", async () => {
    await using server = await startInProcess({ websocket: { ...PLAIN, pingIntervalMs: 3_600_000 } });
    await reload(server, { pingIntervalMs: 50 });
    const connection = await request(server);
    connection.send(frame({ payload: 'CONNECT {"verbose":false}\r\n' }));
    await connection.has("PING\r\n");
    connection.destroy();
  });

  it.skipIf(isMissing)("its certificate", () =>
    expectNewCertificate({
      start: (tls) => startInProcess({ websocket: { host: "127.0.0.1", port: 0, tls } }),
      reload: (server, tls) => server.reload({ websocket: { host: "127.0.0.1", port: 0, tls } }),
      connect: ({ server }) =>
        connect({ port: server.webSocketEndpoint!.port, host: "127.0.0.1", rejectUnauthorized: false }),
    }),
  );
});

it("takes other credentials, and sends those away who no longer have any", async () => {
  await using server = await startInProcess({ websocket: { ...PLAIN, token: "old" } });
  const old = await wsconnect({ servers: urlOf(server), token: "old", reconnect: false });
  await reload(server, { token: "new" });
  await old.closed();
  await expect(wsconnect({ servers: urlOf(server), token: "old", reconnect: false })).rejects.toThrow(
    /Authorization Violation/,
  );
  const next = await wsconnect({ servers: urlOf(server), token: "new" });
  await next.close();
});

it("takes other origins, cookies and headers for requests to come", async () => {
  await using server = await startInProcess({ websocket: PLAIN });
  const ask = async (): Promise<string[]> => {
    const socket = new WebSocket(urlOf(server));
    return new Promise((resolve) => {
      socket.onmessage = () => {
        socket.close();
        resolve(["open", socket.extensions]);
      };
      socket.onerror = () => resolve(["refused"]);
    });
  };
  expect(await ask()).toEqual(["open", ""]);
  await reload(server, { compression: true });
  const [state, extensions] = await ask();
  expect(state).toBe("open");
  expect(extensions).toContain("permessage-deflate");
});

it("tells clients of another address", async () => {
  await using server = await startInProcess({ cluster: { name: "c" }, websocket: PLAIN });
  const routes = [{ host: "127.0.0.1", port: server.routePort, user: null, password: null }];
  await using other = await startInProcess({ cluster: { name: "c", routes }, websocket: PLAIN });
  const client = await wsconnect({ servers: urlOf(other) });
  const told = (): string[] => client.info?.connect_urls ?? [];
  await waitFor("both addresses", () => told().length === 2);
  const advertise = { host: "ws.example", port: 443 };
  await other.reload({ cluster: { name: "c", routes }, websocket: { ...PLAIN, advertise } });
  await waitFor("the new address", () => told().includes("ws.example:443"));
  await client.close();
});

it("leaves nothing of clients that come and go", async () => {
  await using server = await startInProcess({ websocket: { ...PLAIN, compression: true } });
  for (let round = 0; round < 20; round++) {
    const clients = await Promise.all(
      Array.from({ length: 20 }, () => wsconnect({ servers: urlOf(server) })),
    );
    for (const client of clients) client.subscribe("a.>");
    clients[0]!.publish("a.b", "x".repeat(1000));
    await Promise.all(clients.map((client) => client.close()));
  }
  const { clients, webSocket } = server.server.rooms;
  await waitFor("the last to be gone", () => clients.sessions.size === 0 && slabSnapshot().chunksInUse === 0);
  expect([webSocket!.openingCount, webSocket!.counters.upgraded, clients.subscriptionCount]).toEqual([
    0, 400, 0,
  ]);
});
