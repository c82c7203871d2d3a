/** Leaf connections over WebSocket between shoal and real nats-servers as hub and as spoke, in plaintext and over TLS. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { requireNatsServer } from "../support/both-servers.ts";
import { Authority, missingOpenssl, type Certificate } from "../support/certificates.ts";
import { allReach, Inbox } from "../support/cluster-clients.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { hasKind, LeafWorld, type LeafServer, type LeafServerKind } from "../support/leaf-nodes.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { frame } from "../support/websocket-frames.ts";

requireNatsServer();

const MIXES: readonly (readonly [hub: LeafServerKind, spoke: LeafServerKind])[] = [
  ["nats-server", "nats-server"],
  ["shoal", "nats-server"],
  ["nats-server", "shoal"],
  ["shoal", "shoal"],
];
/** nats-server 2.15.3 loses large messages that another one has compressed by WebSocket. */
const COMPRESSED = "compressed by WebSocket";
/** Keys of the hub's port, and of the remote. */
const WAYS: readonly (readonly [name: string, webSocket: string, path: string, remote: string])[] = [
  ["as it is", "no_tls: true", "", ""],
  ["behind a path", "no_tls: true", "/some/proxy/", ""],
  [COMPRESSED, "no_tls: true, compression: true", "", "ws_compression: true"],
  ["without masks", "no_tls: true", "", "ws_no_masking: true"],
  ["with S2 wanted by one side", "no_tls: true, compression: true", "", "compression: s2_best"],
];

const isWithoutOpenssl = missingOpenssl();
let authority: Authority;
let certificate: Certificate;
let world: LeafWorld;

beforeAll(() => {
  if (isWithoutOpenssl) return;
  authority = new Authority();
  certificate = authority.issue();
});

afterAll(() => authority?.[Symbol.dispose]());

afterEach(async () => world?.[Symbol.asyncDispose]());

async function carriesAllKinds(hub: LeafServer, spoke: LeafServer, largest = 960_000): Promise<void> {
  const clients = [await world.connect(hub), await world.connect(spoke)] as const;
  await allReach(clients);
  const inboxes = clients.map((client) => new Inbox(client, "parcel"));
  await allReach(clients);
  const bodies = ["", "short", "text ".repeat(5000), "large ".repeat(largest / 6)];
  const noise = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * i * 31) >> 3));
  for (const client of clients) for (const body of bodies) client.publish("parcel", body);
  for (const client of clients) client.publish("parcel", noise);
  for (const inbox of inboxes) {
    await inbox.received(2 * (bodies.length + 1));
    expect(inbox.messages.filter(({ data }) => noise.equals(data))).toHaveLength(2);
    for (const body of bodies) expect(inbox.texts.filter((text) => text === body)).toHaveLength(2);
  }
}

const UPGRADE =
  "GET /leafnode HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const STREAM_OF_S2 = "\xff\x06\0\0S2sTwO";

describe("S2 where a spoke comes by WebSocket", () => {
  it.skipIf(!hasKind("nats-server"))("packs the frames themselves at a nats-server", async () => {
    world = new LeafWorld();
    const hub = await world.start("nats-server", { name: "hub", webSocket: "no_tls: true" });
    const spoke = await RawConnection.open(hub.webSocketPort);
    spoke.send(UPGRADE);
    await spoke.has('"compression":"s2_auto"');
    await spoke.has("\r\n");
    const info = JSON.stringify({ server_id: "NRAW", compression: "s2_fast" });
    spoke.send(frame({ payload: `INFO ${info}\r\n` }));
    await spoke.has(STREAM_OF_S2);
    spoke.socket.destroy();
  });

  it("is not offered by a shoal, nor begun where a spoke asks for it", async () => {
    world = new LeafWorld();
    const hub = await world.start("shoal", { name: "hub", webSocket: "no_tls: true" });
    const spoke = await RawConnection.open(hub.webSocketPort);
    spoke.send(UPGRADE);
    await spoke.has("INFO {");
    const words = [
      `INFO ${JSON.stringify({ server_id: "NRAW", compression: "s2_fast" })}\r\n`,
      `CONNECT ${JSON.stringify({ name: "raw", server_id: "NRAW", headers: true })}\r\n`,
      "PING\r\n",
    ];
    spoke.send(Buffer.concat(words.map((payload) => frame({ payload }))));
    await spoke.has("PONG\r\n");
    expect(spoke.text).not.toContain('"compression"');
    expect(spoke.text).not.toContain(STREAM_OF_S2);
    spoke.socket.destroy();
  });
});

for (const [hubKind, spokeKind] of MIXES) {
  describe.skipIf(!hasKind(hubKind) || !hasKind(spokeKind))(
    `a ${spokeKind} as leaf node of a ${hubKind} over WebSocket`,
    () => {
      it.each(WAYS)("carries all kinds of messages both ways, %s", async (name, webSocket, path, remote) => {
        world = new LeafWorld();
        const hub = await world.start(hubKind, { name: "hub", webSocket });
        const over = { scheme: "ws", path } as const;
        const spoke = await world.start(spokeKind, { name: "spoke", hubs: [hub], over, remote });
        const isOurs = hubKind === "shoal" && spokeKind === "shoal";
        await carriesAllKinds(hub, spoke, name === COMPRESSED && !isOurs ? 12_000 : 960_000);
      });

      it.skipIf(isWithoutOpenssl)(
        "is admitted by its user over TLS, for whom this is a way to connect",
        async () => {
          world = new LeafWorld();
          const { certFile, keyFile } = certificate;
          const hub = await world.start(hubKind, {
            name: "hub",
            urlUser: "edge:secret@",
            webSocket: `tls { cert_file: "${certFile}", key_file: "${keyFile}" }`,
            config: `accounts { A { users: [
            {user: edge, password: secret, allowed_connection_types: ["LEAFNODE_WS"]}
            {user: app, password: app}
          ] } }`,
          });
          const spoke = await world.start(spokeKind, {
            name: "spoke",
            hubs: [hub],
            over: { scheme: "wss", path: "" },
            remote: `tls { ca_file: "${authority.caFile}" }`,
          });
          const clients = [
            await world.connect(hub, { user: "app", pass: "app" }),
            await world.connect(spoke),
          ];
          await allReach(clients);
          const wrong = await world.start(spokeKind, { name: "wrong", hubs: [hub] });
          await waitFor("a user refused over TCP", () =>
            wrong.process.log().includes("Authorization Violation"),
          );
        },
      );
    },
  );
}
