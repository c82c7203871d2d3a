/**
 * Five servers on hosts of their own, whose network fails in the ways that networks do. Each knows only the first by its
 * configuration. What is measured is printed; the deadlines are generous, so that a busy machine fails nothing.
 */
// oxlint-disable vitest/expect-expect -- awaiting a condition up to a deadline is the assertion
import { connect, RequestError, type NatsConnection } from "@nats-io/transport-node";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { allReach, Inbox } from "../support/cluster-clients.ts";
import { canMakeNetworks, Network } from "./network.ts";
import { routesByPeer, within } from "./process-mesh.ts";
import { ServerProcess } from "./server-process.ts";

const hosts = [0, 1, 2, 3, 4];
/** 3 in the pool and one for the system account. */
const ROUTES_PER_PEER = 4;
describe.skipIf(!canMakeNetworks())("a cluster of five hosts", () => {
  let network: Network;
  let members: ServerProcess[];
  let clients: NatsConnection[];

  const start = (host: number): ServerProcess => {
    const routes = host === 0 ? [] : ["--routes", `nats://${network.address(0)}:6222`];
    const listen = ["--cluster", `nats://${network.address(host)}:6222`, "--cluster_name", "five", ...routes];
    return new ServerProcess(
      ["-n", `host-${host}`, "-p", "4222", "-m", "8222", ...listen, "-D"],
      network.on(host),
    );
  };
  const on = async (host: number): Promise<NatsConnection> =>
    connect({ servers: `${network.address(host)}:4222`, ignoreClusterUpdates: true, maxPingOut: 100 });

  /** Each has exactly the wanted peers of those listed. Prints and returns how long that took. */
  async function seeEachOther(listed: readonly number[], story: string, wanted = listed): Promise<number> {
    const from = performance.now();
    const ids = wanted.map((host) => members[host]!.id);
    for (const host of listed) {
      const member = members[host]!;
      const isWhole = (): boolean =>
        ids.every((id) => id === member.id || member.peers.has(id)) &&
        member.peers.size === ids.filter((id) => id !== member.id).length;
      await within(`host ${host} to see ${wanted.join()}`, isWhole, () => member.tail());
    }
    const ms = performance.now() - from;
    process.stdout.write(`${story}: ${(ms / 1000).toFixed(2)} s\n`);
    return ms;
  }

  /** Every route is there, and there once; each message reaches each subscriber once. */
  async function isSound(listed: readonly number[] = hosts): Promise<void> {
    for (const host of listed) {
      const wanted = listed
        .filter((other) => other !== host)
        .map((other) => `${members[other]!.id} ${ROUTES_PER_PEER}`);
      const member = members[host]!;
      let found: readonly string[] = [];
      await within(
        `host ${host} to have each route once`,
        async () => (found = await routesByPeer(network.address(host))).join() === wanted.sort().join(),
        () => `${found.join("\n")}\n${member.tail()}`,
      );
    }
    const those = listed.map((host) => clients[host]!);
    const inboxes = those.map((client) => new Inbox(client, "all"));
    await allReach(those);
    for (const client of those) client.publish("all", "once");
    await Promise.all(inboxes.map((inbox) => inbox.received(those.length)));
    await allReach(those);
    expect(inboxes.map(({ messages }) => messages.length)).toEqual(those.map(() => those.length));
    for (const inbox of inboxes) inbox.stop();
  }

  beforeAll(async () => {
    network = new Network(hosts.length);
    members = [];
    for (const host of hosts) {
      const member = start(host);
      members.push(member);
      await member.says("Listening for route connections");
    }
    await seeEachOther(hosts, "five servers started one after the other are a mesh after the last");
    clients = await Promise.all(hosts.map(on));
    await isSound();
  }, 60_000);

  afterEach(() => network.heal());

  afterAll(async () => {
    await Promise.all((clients ?? []).map((client) => client.close()));
    await Promise.all((members ?? []).map((member) => member[Symbol.asyncDispose]()));
    network?.[Symbol.dispose]();
  });

  it.each([
    ["the seed and one more", [0, 1], [2, 3, 4]],
    ["all but the seed", [1, 2, 3, 4], [0]],
    ["every second one", [0, 2, 4], [1, 3]],
  ])("is cut in two, %s on one side, and grows together again", async (_what, left, right) => {
    const ended = answering(clients[left[0]!]!, "ended.meanwhile");
    await allReach(clients);
    network.cut(left, right);
    await seeEachOther(left, "a cut is noticed on the left");
    await seeEachOther(right, "                 and on the right");
    await Promise.all([isSound(left), isSound(right)]);
    ended.unsubscribe();
    const begun = answering(clients[left[0]!]!, "begun.meanwhile");
    await isSound(left);
    network.heal();
    await seeEachOther(hosts, "the mesh is whole again after the cut is healed");
    await isSound();
    for (const host of right) {
      expect(await ask(clients[host]!, "ended.meanwhile")).toBe("no responders");
      expect(await ask(clients[host]!, "begun.meanwhile")).toBe("here");
    }
    begun.unsubscribe();
  });

  it("loses the link of one host, and takes it back", async () => {
    network.setLink(3, "down");
    await seeEachOther([0, 1, 2, 4], "a link that is down is noticed");
    await isSound([0, 1, 2, 4]);
    await within(
      "host 3 to be alone",
      () => members[3]!.peers.size === 0,
      () => members[3]!.tail(),
    );
    network.setLink(3, "up");
    await seeEachOther(hosts, "the mesh is whole again after the link is up");
    await clients[3]!.close();
    clients[3] = await on(3);
    await isSound();
  });

  it("notices a host that vanished without a word, and a new server in its place", async () => {
    network.silence(4);
    await members[4]![Symbol.asyncDispose]();
    await seeEachOther([0, 1, 2, 3], "a host that vanished is noticed");
    await isSound([0, 1, 2, 3]);
    network.heal();
    members[4] = start(4);
    await members[4].says("Listening for route connections");
    await seeEachOther(hosts, "the mesh is whole again after a new server listens there");
    await clients[4]!.close();
    clients[4] = await on(4);
    await isSound();
  });

  it("takes a new server in the place of one that vanished, before anybody has noticed", async () => {
    network.silence(4);
    await members[4]![Symbol.asyncDispose]();
    network.heal();
    members[4] = start(4);
    await members[4].says("Listening for route connections");
    await seeEachOther(hosts, "a successor has replaced its predecessor everywhere");
    await clients[4]!.close();
    clients[4] = await on(4);
    await isSound();
  });

  it("loses one direction between two hosts: both notice, the others are in touch with both", async () => {
    network.cutOneWay(1, 3);
    await seeEachOther([1], "a host that is not heard notices", [0, 1, 2, 4]);
    await seeEachOther([3], "a host that does not hear notices", [0, 2, 3, 4]);
    await allReach([0, 2, 4].map((host) => clients[host]!));
    await Promise.all([allReach([clients[0]!, clients[1]!]), allReach([clients[0]!, clients[3]!])]);
    network.heal();
    await seeEachOther(hosts, "the mesh is whole again after both directions work");
    await isSound();
  });

  it("drops a member that is frozen, and takes it back as it was when it goes on", async () => {
    const frozen = members[2]!;
    frozen.child.kill("SIGSTOP");
    await seeEachOther([0, 1, 3, 4], "a frozen member is noticed");
    await isSound([0, 1, 3, 4]);
    frozen.child.kill("SIGCONT");
    await seeEachOther(hosts, "the mesh is whole again after the frozen one goes on");
    await isSound();
  });
});

function answering(client: NatsConnection, subject: string): { unsubscribe(): void } {
  return client.subscribe(subject, { callback: (_error, message) => void message.respond("here") });
}

async function ask(client: NatsConnection, subject: string): Promise<string> {
  try {
    return (await client.request(subject, "", { timeout: 5000 })).string();
  } catch (error) {
    if (error instanceof RequestError && error.isNoResponders()) return "no responders";
    throw error;
  }
}
