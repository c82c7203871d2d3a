/**
 * Members of a cluster that are killed without a word while messages flow: nothing that goes between the living is lost,
 * doubled or out of order, and the mesh is whole again once the dead are back.
 */
import { connect } from "@nats-io/transport-node";
import { expect, it } from "vitest";
import { ClientCluster } from "../support/client-cluster.ts";
import { Inbox, reaches } from "../support/cluster-clients.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { Witnesses } from "../support/witnesses.ts";

it("kill -9 of one member after the other, under load, costs the others nothing", async () => {
  await using cluster = await ClientCluster.start("process");
  for (const victim of [0, 1, 2, 0, 2]) {
    const [from, to] = cluster.members.filter((_, index) => index !== victim);
    const options = { ignoreClusterUpdates: true };
    await using living = await Witnesses.watch(from!.url, to!.url, options);
    await using back = await Witnesses.watch(to!.url, from!.url, options);
    // Load on the member that will die, in both directions.
    const [writer, reader] = [
      await RawConnection.greeted(cluster.member(victim).port),
      await RawConnection.greeted(cluster.member(victim).port),
    ];
    reader.send("SUB > 1\r\n");
    const frame = Buffer.from(`PUB load 1000\r\n${"x".repeat(1000)}\r\n`.repeat(100));
    for (let n = 0; n < 100; n++) await new Promise((resolve) => writer.socket.write(frame, resolve));
    await Promise.all([living.exchangeMore(), back.exchangeMore()]);
    await cluster.member(victim).kill();
    await Promise.all([writer.closed(), reader.closed()]);
    await Promise.all([living.exchangeMore(500), back.exchangeMore(500)]);
    await cluster.member(victim).start();
    await cluster.whole();
    await Promise.all([living.exchangeMore(), back.exchangeMore()]);
    await Promise.all([living.unharmed(), back.unharmed()]);
  }
  const clients = await cluster.clients();
  const inboxes = clients.map((client) => new Inbox(client, "at.last"));
  for (const from of clients) for (const to of clients) if (from !== to) await reaches(from, to);
  for (const client of clients) client.publish("at.last");
  for (const inbox of inboxes) await inbox.received(3);
  expect(inboxes.map(({ messages }) => messages.length)).toEqual([3, 3, 3]);
});

it("queue groups go on with the members that live", async () => {
  await using cluster = await ClientCluster.start("process");
  const [from, to] = [await cluster.client(cluster.member(0)), await cluster.client(cluster.member(1))];
  const inbox = new Inbox(to, "jobs", "workers");
  const doomed = await connect({
    servers: cluster.member(2).url,
    ignoreClusterUpdates: true,
    reconnect: false,
  });
  const other = new Inbox(doomed, "jobs", "workers");
  await Promise.all([reaches(from, to), reaches(from, doomed)]);
  for (let n = 0; n < 200; n++) from.publish("jobs", String(n));
  await from.flush();
  await inbox.received(1);
  await other.received(1);
  await cluster.member(2).kill();
  await doomed.closed();
  // Once the route is gone every job goes to the one who is left.
  const before = (): number => inbox.messages.length;
  let sent = 0;
  for (let streak = 0; streak < 50;) {
    const seen = before();
    from.publish("jobs", `after ${sent++}`);
    await from.flush();
    await to.flush();
    streak = before() > seen ? streak + 1 : 0;
    if (sent > 20_000) throw new Error("jobs are still given to a member that is dead");
  }
  const seen = before();
  for (let n = 0; n < 300; n++) from.publish("jobs");
  await from.flush();
  await inbox.received(seen + 300);
  expect(before()).toBe(seen + 300);
});
