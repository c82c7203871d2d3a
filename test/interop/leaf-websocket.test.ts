/** Leaf connections over WebSocket between shoal and real nats-servers as hub and as spoke, in plaintext and over TLS. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { requireNatsServer } from "../support/both-servers.ts";
import { Authority, missingOpenssl, type Certificate } from "../support/certificates.ts";
import { allReach, Inbox } from "../support/cluster-clients.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { hasKind, LeafWorld, type LeafServer, type LeafServerKind } from "../support/leaf-nodes.ts";

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
