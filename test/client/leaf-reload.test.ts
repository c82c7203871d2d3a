/** What a reload changes for leaf nodes: those who connect, those who are there, and hubs that this server connects to. */
import { connect } from "node:tls";
import { createUser } from "@nats-io/nkeys";
import { describe, expect, it } from "vitest";
import type { ConfigOverrides } from "../../src/config/config.ts";
import { CLIENT_CLOSED } from "../../src/protocol/close-cause.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { Authority, missingOpenssl } from "../support/certificates.ts";
import { startInProcess, type InProcessServer } from "../support/in-process-server.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { plainTls } from "../support/tls-config.ts";
import { expectNewCertificate, itFollows, type ReloadedKey } from "../support/reloaded-keys.ts";

type Block = NonNullable<ConfigOverrides["leafNodes"]>;

const isMissing = missingOpenssl();
const HOUR_MS = 3_600_000;
const LISTENING = { host: "127.0.0.1", port: 0 };
const KEY = createUser();

/** A connection that has read INFO. */
async function open({ server }: InProcessServer): Promise<RawConnection> {
  const connection = await RawConnection.open(server.leafNodeEndpoint!.port);
  await connection.has("INFO {");
  return connection;
}

async function info(server: InProcessServer): Promise<Record<string, unknown>> {
  const connection = await open(server);
  await connection.until("a line", () => connection.text.includes("\r\n"));
  connection.destroy();
  return JSON.parse(connection.text.slice(5, connection.text.indexOf("\r\n"))) as Record<string, unknown>;
}

/** A spoke that says CONNECT; "refused", or the account that it is in. */
async function told(
  server: InProcessServer,
  says: object | ((nonce: string) => object) = {},
): Promise<string> {
  const connection = await open(server);
  const nonce = /"nonce":"([^"]*)"/.exec(connection.text)?.[1] ?? "";
  const shown = typeof says === "function" ? says(nonce) : says;
  connection.send(
    `CONNECT ${JSON.stringify({ name: "spoke", version: "2.15.3", cluster: "c", ...shown })}\r\nPING\r\n`,
  );
  await connection.until("a word", () => connection.text.includes("PONG\r\n") || connection.isClosed);
  const account = /"remote_account":"([^"]*)"/.exec(connection.text)?.[1];
  connection.destroy();
  return account ?? "refused";
}

const signed = (nonce: string): object => ({
  nkey: KEY.getPublicKey(),
  sig: Buffer.from(KEY.sign(Buffer.from(nonce))).toString("base64url"),
});
const ann = (account: string): NonNullable<Block["users"]>[number] => ({
  user: "ann",
  password: "a",
  account,
  needsProxy: false,
});
const ANN = { user: "ann", pass: "a" };
const account = (name: string): object => ({
  name,
  ...{ users: [], exports: [], imports: [], mappings: [], jetStream: null, trace: null },
  limits: { maxConnections: null, maxSubscriptions: null, maxPayloadBytes: null },
});
const REST: ConfigOverrides = {
  accounts: { list: [account("A"), account("B")] as never },
  client: { maxPendingBytes: 200_000_000 },
};

const KEYS: Readonly<Record<string, ReloadedKey<Block>>> = {
  "authorization.user": {
    before: { user: "a", password: "p" },
    after: { user: "b", password: "p" },
    found: (server) => told(server, { user: "b", pass: "p" }),
    tells: ["refused", "$G"],
  },
  "authorization.password": {
    before: { user: "a", password: "p" },
    after: { user: "a", password: "q" },
    found: (server) => told(server, { user: "a", pass: "q" }),
    tells: ["refused", "$G"],
  },
  "authorization.nkey": {
    before: { user: "a", password: "p" },
    after: { nkey: KEY.getPublicKey() },
    found: (server) => told(server, signed),
    tells: ["refused", "$G"],
  },
  "authorization.account": {
    before: { user: "ann", password: "a", account: "A" },
    after: { user: "ann", password: "a", account: "B" },
    found: (server) => told(server, ANN),
    tells: ["A", "B"],
  },
  "authorization.users": {
    before: { users: [ann("A")] },
    after: { users: [ann("B")] },
    found: (server) => told(server, ANN),
    tells: ["A", "B"],
  },
  "authorization.proxy_required": {
    before: { user: "ann", password: "a" },
    after: { user: "ann", password: "a", needsProxy: true },
    found: (server) => told(server, ANN),
    tells: ["$G", "refused"],
  },
  min_version: {
    before: {},
    after: { versionMin: "2.10.0" },
    found: (server) => told(server, { version: "2.9.0" }),
    tells: ["$G", "refused"],
  },
  advertise: {
    before: {},
    after: { advertise: { host: "leaf.example", port: 7422 } },
    found: async (server) => String((await info(server))["leafnode_urls"]).includes("leaf.example:7422"),
    tells: [false, true],
  },
  no_advertise: {
    before: { advertise: { host: "leaf.example", port: 7422 } },
    after: { advertise: { host: "leaf.example", port: 7422 }, noAdvertise: true },
    found: async (server) => String((await info(server))["leafnode_urls"]).includes("leaf.example:7422"),
    tells: [true, false],
  },
};

async function start(block: Block): Promise<InProcessServer> {
  return startInProcess({ ...REST, leafNodes: { ...LISTENING, ...block } });
}

async function reload(server: InProcessServer, block: Block): Promise<void> {
  const outcome = await server.reload({ ...REST, leafNodes: { ...LISTENING, ...block } });
  expect(outcome).toMatchObject({ kind: "reloaded", waiting: [] });
}

describe("a reload changes", () => {
  itFollows(KEYS, { start, reload });

  it("how long a leaf node may take to say who it is", async () => {
    await using server = await start({ authTimeoutMs: HOUR_MS });
    await reload(server, { authTimeoutMs: 50 });
    await (await open(server)).has("Authentication Timeout");
  });

  it.each([
    ["how often leaf nodes are asked whether they are there", { pingIntervalMs: HOUR_MS, pingMax: 1 }],
    ["how many questions they may leave unanswered", { pingIntervalMs: 50, pingMax: 1_000_000 }],
  ])("%s", async (_, before) => {
    await using server = await start(before);
    await reload(server, { pingIntervalMs: 50, pingMax: 1 });
    const connection = await open(server);
    connection.send('CONNECT {"name":"spoke","version":"2.15.3","cluster":"c"}\r\n');
    await connection.has("Stale Connection");
    await connection.closed();
  });

  it("how long one may take what was written", async () => {
    await using server = await start({ writeDeadlineMs: HOUR_MS });
    const slow = await open(server);
    slow.send('CONNECT {"name":"spoke","version":"2.15.3","cluster":"c"}\r\nLS+ a\r\nPING\r\n');
    await slow.has("PONG\r\n");
    slow.stopReading();
    await reload(server, { writeDeadlineMs: 50 });
    const publisher = await RawConnection.greeted(server.server.clientEndpoint!.port);
    for (let i = 0; i < 60; i++) publisher.send(`PUB a 500000\r\n${"x".repeat(500_000)}\r\n`);
    const { counters } = server.server.rooms.leafNodes;
    await waitFor("the slow leaf node to be cut", () => counters.slowConsumersByDeadline > 0);
    publisher.destroy();
    slow.destroy();
  });

  it.skipIf(isMissing)("its certificate", () =>
    expectNewCertificate({
      start: (tls) => start({ tls }),
      reload: (server, tls) => reload(server, { tls }),
      async connect(server) {
        const { socket } = await open(server);
        socket.removeAllListeners("data");
        return connect({ socket, rejectUnauthorized: false });
      },
    }),
  );

  it("compression, which those who come are told", async () => {
    await using one = await startInProcess({ leafNodes: LISTENING });
    expect((await info(one))["compression"]).toBe("s2_auto");
    await one.reload({ leafNodes: { ...LISTENING, compression: { mode: "off", rttThresholdsMs: [] } } });
    expect((await info(one))["compression"]).toBe("off");
  });

  it("the hubs that it connects to", async () => {
    await using hub = await startInProcess({ leafNodes: LISTENING });
    await using spoke = await startInProcess({});
    const { leafNodes } = hub.server.rooms;
    expect(await spoke.reload({ leafNodes: { remotes: [remoteTo(hub)] as never } })).toMatchObject({
      kind: "reloaded",
      waiting: [],
    });
    await waitFor("the spoke to come", () => leafNodes.count === 1);
    await spoke.reload({});
    await waitFor("the spoke to go", () => leafNodes.count === 0);
  });

  it("how hubs are waited for, without a new connection", async () => {
    await using hub = await startInProcess({ leafNodes: LISTENING });
    const block = (reconnectMs: number, dialTimeoutMs: number): Block => ({
      ...{ reconnectMs, dialTimeoutMs },
      remotes: [remoteTo(hub)] as never,
    });
    await using spoke = await startInProcess({ leafNodes: block(HOUR_MS, 1000) });
    const { leafNodes } = hub.server.rooms;
    await waitFor("the spoke to come", () => leafNodes.count === 1);
    const [first] = leafNodes.sessions.values();
    expect(await spoke.reload({ leafNodes: block(20, 2000) })).toMatchObject({
      kind: "reloaded",
      waiting: [],
    });
    expect([...leafNodes.sessions.values()]).toEqual([first]);
    first!.close(CLIENT_CLOSED);
    await waitFor("the spoke to come back", () => leafNodes.count === 1);
  });

  it.skipIf(isMissing)("the place of a hub among others, which keeps its own TLS", async () => {
    using authority = new Authority();
    await using hub = await startInProcess({ leafNodes: { ...LISTENING, tls: plainTls(authority.issue()) } });
    const nowhere = { ...remoteTo(hub), account: "OTHER", isDisabled: true };
    const secured = { ...remoteTo(hub), tls: { ...plainTls(authority.issue()), caFile: authority.caFile } };
    const rest: ConfigOverrides = { accounts: { list: [account("OTHER")] as never } };
    const block = (remotes: readonly object[]): ConfigOverrides => ({
      ...rest,
      leafNodes: { reconnectMs: 20, remotes: remotes as never },
    });
    await using spoke = await startInProcess(block([nowhere, secured]));
    const { leafNodes } = hub.server.rooms;
    await waitFor("the spoke to come", () => leafNodes.count === 1);
    await spoke.reload(block([secured]));
    const [first] = leafNodes.sessions.values();
    first!.close(CLIENT_CLOSED);
    await waitFor("the spoke to come back", () => leafNodes.count === 1 && leafNodes.sessions.size === 1);
    expect([...leafNodes.sessions.values()][0]).not.toBe(first);
  });
});

function remoteTo(hub: InProcessServer): object {
  const { port } = hub.server.leafNodeEndpoint!;
  return {
    urls: [{ scheme: "nats", host: "127.0.0.1", port, user: null, password: null, path: "" }],
    ...{ account: null, credentials: null, nkey: null, tls: null, isHub: false },
    ...{ denyImports: [], denyExports: [], noRandomize: false, isIsolated: false, requestsIsolation: false },
    ...{ firstInfoTimeoutMs: 1000, dialTimeoutMs: null, isDisabled: false, ignoresDiscovered: false },
    compression: { mode: "s2_fast", rttThresholdsMs: [] },
    ...{ webSocketCompression: false, webSocketNoMasking: false },
  };
}
