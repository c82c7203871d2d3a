/**
 * Compression of routes between shoal and real nats-servers, whichever of them dials: what both sides say is in force after each
 * combination of modes is what two nats-servers say, and all kinds of messages cross.
 */
import { afterEach, describe, expect, it } from "vitest";
import { requireNatsServer } from "../support/both-servers.ts";
import { allReach, Inbox } from "../support/cluster-clients.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { freePort } from "../support/free-port.ts";
import { hasKind, LeafWorld, type LeafServer, type LeafServerKind } from "../support/leaf-nodes.ts";

requireNatsServer();

const MIXES: readonly (readonly [dialled: LeafServerKind, dialler: LeafServerKind])[] = [
  ["nats-server", "nats-server"],
  ["shoal", "nats-server"],
  ["nats-server", "shoal"],
  ["shoal", "shoal"],
];
/** However busy the machine is, a round trip takes no longer. */
const AUTO = '{mode: s2_auto, rtt_thresholds: ["1m"]}';
/** Modes of the two sides, and what each of them does then; "": the key is not there. */
const MODES: readonly (readonly [dialled: string, dialler: string, ofDialled: string, ofDialler: string])[] =
  [
    [AUTO, AUTO, "s2_uncompressed", "s2_uncompressed"],
    ["on", "s2_best", "s2_fast", "s2_best"],
    ["", "s2_better", "s2_better", "s2_better"],
    ["s2_fast", "", "s2_fast", "s2_fast"],
    ["", "", "off", "off"],
    ["off", "s2_fast", "off", "off"],
  ];

let world: LeafWorld;

afterEach(async () => world?.[Symbol.asyncDispose]());

interface Routez {
  readonly routes: readonly { readonly compression: string }[];
}

/** The modes of all routes; undefined: not all of them are there. */
async function compressionAt(server: LeafServer): Promise<string | undefined> {
  const answer = await fetch(`http://127.0.0.1:${server.monitorPort}/routez`);
  const said = ((await answer.json()) as Routez).routes.map(({ compression }) => compression);
  return said.length === ROUTES ? [...new Set(said)].join() : undefined;
}

/** A pool of two, and that of the system account. */
const ROUTES = 3;

for (const [dialledKind, diallerKind] of MIXES) {
  describe.skipIf(!hasKind(dialledKind) || !hasKind(diallerKind))(
    `a ${diallerKind} that dials a ${dialledKind}`,
    () => {
      async function start(
        kind: LeafServerKind,
        name: string,
        mode: string,
        routes: readonly LeafServer[],
      ): Promise<LeafServer> {
        const more = `pool_size: 2, ${mode === "" ? "" : `compression: ${mode}`}`;
        return world.start(kind, {
          name,
          monitorPort: await freePort(),
          cluster: { name: "c", routes, more },
        });
      }

      it.each(MODES)("agrees on '%s' with '%s'", async (dialledMode, diallerMode, ofDialled, ofDialler) => {
        world = new LeafWorld();
        const dialled = await start(dialledKind, "one", dialledMode, []);
        const dialler = await start(diallerKind, "two", diallerMode, [dialled]);
        const clients = [await world.connect(dialled), await world.connect(dialler)] as const;
        await allReach(clients);
        await waitFor(`${ofDialled} at the one`, async () => (await compressionAt(dialled)) === ofDialled);
        await waitFor(`${ofDialler} at the other`, async () => (await compressionAt(dialler)) === ofDialler);
        const inboxes = clients.map((client) => new Inbox(client, "parcel"));
        await allReach(clients);
        const bodies = ["", "short", "text ".repeat(5000), "large ".repeat(160_000)];
        const noise = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * i * 31) >> 3));
        for (const client of clients) for (const body of bodies) client.publish("parcel", body);
        for (const client of clients) client.publish("parcel", noise);
        for (const inbox of inboxes) {
          await inbox.received(2 * (bodies.length + 1));
          expect(inbox.messages.filter(({ data }) => noise.equals(data))).toHaveLength(2);
          for (const body of bodies) expect(inbox.texts.filter((text) => text === body)).toHaveLength(2);
        }
      });
    },
  );
}
