/**
 * Compression between shoal and real nats-servers as hub and as spoke: what both sides say is in force after each combination of modes is
 * what two nats-servers say, and all kinds of messages cross.
 */
import { afterEach, describe, expect, it } from "vitest";
import { requireNatsServer } from "../support/both-servers.ts";
import { allReach, Inbox } from "../support/cluster-clients.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { hasKind, LeafWorld, type LeafServer, type LeafServerKind } from "../support/leaf-nodes.ts";
import { freePort } from "../support/free-port.ts";

requireNatsServer();

const MIXES: readonly (readonly [hub: LeafServerKind, spoke: LeafServerKind])[] = [
  ["nats-server", "nats-server"],
  ["shoal", "nats-server"],
  ["nats-server", "shoal"],
  ["shoal", "shoal"],
];
/** However busy the machine is, a round trip takes no longer. */
const AUTO = '{mode: s2_auto, rtt_thresholds: ["1m"]}';
/** Modes of the two sides, and what each of them does then. */
const MODES: readonly (readonly [hub: string, spoke: string, ofHub: string, ofSpoke: string])[] = [
  [AUTO, AUTO, "s2_uncompressed", "s2_uncompressed"],
  ["s2_fast", "s2_best", "s2_fast", "s2_best"],
  ["s2_better", "accept", "s2_better", "s2_better"],
  ["accept", AUTO, "s2_fast", "s2_uncompressed"],
  ["accept", "accept", "off", "off"],
  ["off", "s2_fast", "off", "off"],
  ["on", "off", "off", "off"],
  ['{mode: auto, rtts: ["0s", "0s", "0s", "1m"]}', '{mode: "on", rtt: ["0s", "1m"]}', "s2_best", "s2_fast"],
];

let world: LeafWorld;

afterEach(async () => world?.[Symbol.asyncDispose]());

interface Leafz {
  readonly leafs?: readonly { readonly compression: string }[];
}

async function compressionAt(server: LeafServer): Promise<string | undefined> {
  const answer = await fetch(`http://127.0.0.1:${server.monitorPort}/leafz`);
  return ((await answer.json()) as Leafz).leafs?.[0]?.compression;
}

for (const [hubKind, spokeKind] of MIXES) {
  describe.skipIf(!hasKind(hubKind) || !hasKind(spokeKind))(
    `a ${spokeKind} as leaf node of a ${hubKind}`,
    () => {
      async function pair(hubMode: string, spokeMode: string): Promise<readonly [LeafServer, LeafServer]> {
        world = new LeafWorld();
        const ports = [await freePort(), await freePort()];
        const hub = await world.start(hubKind, {
          name: "hub",
          monitorPort: ports[0],
          leafnodes: `compression: ${hubMode}`,
        });
        const spoke = await world.start(spokeKind, {
          name: "spoke",
          monitorPort: ports[1],
          acceptsNone: true,
          hubs: [hub],
          remote: `compression: ${spokeMode}`,
        });
        return [hub, spoke];
      }

      it.each(MODES)("agrees on %s with %s", async (hubMode, spokeMode, ofHub, ofSpoke) => {
        const [hub, spoke] = await pair(hubMode, spokeMode);
        const clients = [await world.connect(hub), await world.connect(spoke)] as const;
        await allReach(clients);
        await waitFor(`${ofHub} at the hub`, async () => (await compressionAt(hub)) === ofHub);
        await waitFor(`${ofSpoke} at the spoke`, async () => (await compressionAt(spoke)) === ofSpoke);
        const inboxes = clients.map((client) => new Inbox(client, "parcel"));
        await allReach(clients);
        const bodies = ["", "short", "text ".repeat(5000), "large ".repeat(160_000)];
        for (const client of clients) for (const body of bodies) client.publish("parcel", body);
        const noise = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * i * 31) >> 3));
        for (const client of clients) client.publish("parcel", noise);
        for (const inbox of inboxes) {
          await inbox.received(2 * (bodies.length + 1));
          expect(inbox.messages.map(({ data }) => data.length).sort((a, b) => a - b)).toEqual(
            [...bodies, ...bodies]
              .map(({ length }) => length)
              .concat(70_000, 70_000)
              .sort((a, b) => a - b),
          );
          expect(inbox.messages.filter(({ data }) => noise.equals(data))).toHaveLength(2);
          expect(inbox.texts.filter((text) => text === bodies[3])).toHaveLength(2);
        }
      });

      it("tells much interest, in blocks of any length", async () => {
        const [hub, spoke] = await pair("s2_better", "s2_better");
        const [up, down] = [await world.connect(hub), await world.connect(spoke)];
        const count = 4000;
        for (const client of [up, down])
          for (let n = 0; n < count; n++)
            client.subscribe(`${client === up ? "up" : "down"}.of.subject.${n}`);
        await allReach([up, down]);
        const inbox = new Inbox(up, "last.*");
        await allReach([up, down]);
        down.publish(`up.of.subject.${count - 1}`, "x");
        down.publish("last.one", "y");
        await inbox.received(1);
      });
    },
  );
}
