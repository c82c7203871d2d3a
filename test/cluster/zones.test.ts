/** Zones: servers tell each other where they are, and queue groups prefer members that are near, where that is asked for. */
import { describe, expect, it } from "vitest";
import { allReach, Inbox, reaches } from "../support/cluster-clients.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { Stage, whole, type RunningServer, type ServerText } from "./stage.ts";

const COUNT = 600;

function member(name: string, zone: string, preference: string): ServerText {
  return { name, clusterLines: [`zone: ${zone}`, `queue_preference: ${preference}`] };
}

/** Where the messages of a publisher on the first server go, with a member of the group on each of `on`. */
async function spread(
  stage: Stage,
  servers: readonly RunningServer[],
  on: readonly number[],
): Promise<number[]> {
  const clients = await stage.clients(servers);
  await allReach(clients);
  const inboxes = on.map((index) => new Inbox(clients[index]!, "work", "workers"));
  for (const client of clients.slice(1)) await reaches(clients[0]!, client);
  for (let n = 0; n < COUNT; n++) clients[0]!.publish("work");
  await clients[0]!.flush();
  const total = (): number => inboxes.reduce((sum, { messages }) => sum + messages.length, 0);
  await waitFor("all messages", () => total() >= COUNT);
  await allReach(clients);
  expect(total()).toBe(COUNT);
  const shares = inboxes.map(({ messages }) => messages.length);
  for (const inbox of inboxes) inbox.stop();
  await allReach(clients);
  return shares;
}

describe("queue groups in a cluster over zones a, a, b", () => {
  const start = async (stage: Stage, preference: string): Promise<RunningServer[]> => {
    const servers = await stage.cluster([
      member("a1", "a", preference),
      member("a2", "a", preference),
      member("b1", "b", preference),
    ]);
    await whole(servers);
    return servers;
  };

  it.each([
    ["zone", [0, 1, 2], [COUNT, 0, 0]],
    ["zone", [1, 2], [COUNT, 0]],
    ["zone", [2], [COUNT]],
    ["server", [0, 1, 2], [COUNT, 0, 0]],
    ["server", [1, 2], [COUNT / 2, COUNT / 2]],
    ["none", [0, 1, 2], [COUNT / 3, COUNT / 3, COUNT / 3]],
    ["none", [1, 2], [COUNT / 2, COUNT / 2]],
  ] as const)("with queue_preference %s and members on %j: %j", async (preference, on, wanted) => {
    await using stage = new Stage();
    const servers = await start(stage, preference);
    expect(await spread(stage, servers, on)).toEqual(wanted);
  });

  it("go on in the other zone when the near server dies, and come back with it", async () => {
    await using stage = new Stage();
    const servers = await start(stage, "zone");
    const [publisher, near, far] = await stage.clients(servers);
    await allReach([publisher!, near!, far!]);
    const [nearby, distant] = [near!, far!].map((client) => new Inbox(client, "work", "workers"));
    await reaches(publisher!, far!);
    await reaches(publisher!, near!);
    publisher!.publish("work", "1");
    await nearby!.received(1);
    await servers[1]!.stop();
    await whole([servers[0]!, servers[2]!]);
    publisher!.publish("work", "2");
    await distant!.received(1);
    const again = await stage.start({ ...member("a2", "a", "zone"), routes: [servers[0]!.routeUrl()] });
    const returned = await stage.client(again);
    const back = new Inbox(returned, "work", "workers");
    await reaches(publisher!, returned);
    publisher!.publish("work", "3");
    await back.received(1);
    expect(distant!.texts).toEqual(["2"]);
  });
});

describe("a zone that becomes known late", () => {
  it("is told to members that are there and to those that dial, and counts from then on", async () => {
    await using stage = new Stage();
    const unaware = { clusterLines: ["queue_preference: zone"] };
    const servers = await stage.cluster([
      { ...unaware, name: "a1" },
      { ...unaware, name: "a2" },
      member("b1", "b", "zone"),
    ]);
    await whole(servers);
    expect(await spread(stage, servers, [1, 2])).toEqual([COUNT / 2, COUNT / 2]);
    for (const server of servers.slice(0, 2)) server.server.cluster!.learnZone("a");
    const late = await stage.start({ ...member("a3", "a", "zone"), routes: [servers[0]!.routeUrl()] });
    await whole([...servers, late]);
    const zones = (server: RunningServer): string =>
      [...server.server.cluster!.sessions.values()]
        .map(({ registration, peer }) => `${registration?.peerName}=${peer.zone}`)
        .filter((each, index, all) => all.indexOf(each) === index)
        .sort()
        .join();
    const wanted: [RunningServer, string][] = [
      [servers[0]!, "a2=a,a3=a,b1=b"],
      [servers[1]!, "a1=a,a3=a,b1=b"],
      [servers[2]!, "a1=a,a2=a,a3=a"],
      [late, "a1=a,a2=a,b1=b"],
    ];
    for (const [server, told] of wanted) {
      await waitFor(
        `${server.name} to know the zones`,
        () => zones(server) === told,
        () => zones(server),
      );
    }
    expect(await spread(stage, servers, [1, 2])).toEqual([COUNT, 0]);
  });
});
