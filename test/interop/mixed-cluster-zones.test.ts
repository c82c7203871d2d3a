/** Zones in a mixed cluster: real nats-servers ignore the field, in the first INFO and in later ones, and count as elsewhere. */
import type { NatsConnection } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import { Stage } from "../cluster/stage.ts";
import { allReach, Clients, Inbox, reaches } from "../support/cluster-clients.ts";
import { missingKinds, type ServerKind } from "../support/cluster-programs.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { startMembers } from "../support/cluster.ts";

const COUNT = 1000;
const nats = ["nats-new", "nats-2.9"] as const;
const missing = missingKinds(nats);

/** How many messages of a publisher each of the clients gets as a member of one group. */
async function spread(from: NatsConnection, members: readonly NatsConnection[]): Promise<number[]> {
  const inboxes = members.map((member) => new Inbox(member, "work", "workers"));
  for (const member of members) if (member !== from) await reaches(from, member);
  for (let n = 0; n < COUNT; n++) from.publish("work");
  await from.flush();
  const total = (): number => inboxes.reduce((sum, { messages }) => sum + messages.length, 0);
  await waitFor("all messages", () => total() >= COUNT);
  for (const member of members) if (member !== from) await reaches(from, member);
  expect(total()).toBe(COUNT);
  const shares = inboxes.map(({ messages }) => messages.length);
  for (const inbox of inboxes) inbox.stop();
  await allReach([from, ...members.filter((member) => member !== from)]);
  return shares;
}

describe.skipIf(missing.length > 0)("shoals of one zone and nats-servers", () => {
  it("form one mesh; shoals prefer their zone, nats-servers draw among all", async () => {
    const zoned = ["name: mixed", "zone: a", "queue_preference: zone"];
    const kinds: ServerKind[] = ["shoal", "nats-new", "nats-2.9", "shoal"];
    await using cluster = await startMembers(
      kinds.map((kind, index) => ({
        kind,
        name: `member-${index}`,
        clusterLines: kind === "shoal" ? zoned : ["name: mixed"],
        serverLines:
          kind === "shoal" ? [`external { host: 127.0.0.1, port: -1, advertise: "out-${index}" }`] : [],
      })),
    );
    await cluster.fullMesh();
    await using clients = new Clients();
    const [first, recent, old, second] = (await clients.connectAll(cluster.members)) as [
      NatsConnection,
      NatsConnection,
      NatsConnection,
      NatsConnection,
    ];
    await allReach([first, recent, old, second]);
    // Addresses for clients outside are another field that they ignore.
    for (const client of [first, recent, old, second]) {
      expect([...(client.info?.connect_urls ?? [])].sort()).toEqual(
        cluster.members.map((member) => member.clientUrl).sort(),
      );
    }
    expect(await spread(first, [recent, old, second])).toEqual([0, 0, COUNT]);
    expect(await spread(first, [recent, old])).toEqual([COUNT / 2, COUNT / 2]);
    for (const share of await spread(recent, [first, old, second])) expect(share).toBeGreaterThan(COUNT / 5);
  });

  it.each(nats)("a zone that becomes known late does not disturb a route with %s", async (kind) => {
    await using cluster = await startMembers([{ kind, name: "real", clusterLines: ["name: C"] }]);
    await using stage = new Stage();
    const shoal = await stage.start({ name: "shoal", routes: [cluster.member(0).routeUrl()] });
    await waitFor("a route", () => shoal.routes.length > 0);
    await using clients = new Clients();
    const [there, here] = [await clients.connect(cluster.member(0)), await stage.client(shoal)];
    await allReach([there, here]);
    const before = shoal.routes;
    shoal.server.cluster!.learnZone("a");
    expect(await spread(here, [there])).toEqual([COUNT]);
    expect(await spread(there, [here])).toEqual([COUNT]);
    expect(shoal.routes.map(({ peerId, direction }) => [peerId, direction])).toEqual(
      before.map(({ peerId, direction }) => [peerId, direction]),
    );
    // One that dials us hears the INFO of the accepting side twice.
    const member = await startMembers([{ kind, name: "dialler", clusterLines: ["name: C"] }], {
      routesOf: () => [shoal.routeUrl()],
    });
    await using dialler = member;
    await waitFor("its route", () =>
      shoal.routes.some(({ peerName, peerId }) => peerName === "dialler" || peerId === dialler.member(0).id),
    );
    const third = await clients.connect(dialler.member(0));
    await allReach([there, here, third]);
    expect(shoal.logged("Router connection closed").filter(({ level }) => level === "info")).toEqual([]);
  });
});
