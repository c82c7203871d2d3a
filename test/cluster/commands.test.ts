/**
 * The three commands of the NATS documentation's page on clustering, word for word but for the ports, and the same by
 * configuration files: what operators see in the log, in the order they know, and that messages get through.
 */
// oxlint-disable vitest/expect-expect -- awaiting a condition up to a deadline is the assertion
import { connect } from "@nats-io/transport-node";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { freePort } from "../support/free-port.ts";
import { allReach, Inbox } from "../support/cluster-clients.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { ServerProcess } from "./server-process.ts";

interface Place {
  readonly client: number;
  readonly cluster: number;
}

async function places(): Promise<[Place, Place, Place]> {
  const place = async (): Promise<Place> => ({ client: await freePort(), cluster: await freePort() });
  return [await place(), await place(), await place()];
}

describe("three servers", () => {
  it("become a cluster by the documented commands", async () => {
    const [a, b, c] = await places();
    const commands = [
      `-p ${a.client} -cluster nats://localhost:${a.cluster} --cluster_name test-cluster -D`,
      `-p ${b.client} -cluster nats://localhost:${b.cluster} -routes nats://localhost:${a.cluster} --cluster_name test-cluster -D`,
      `-p ${c.client} -cluster nats://localhost:${c.cluster} -routes nats://localhost:${a.cluster} --cluster_name test-cluster -D`,
    ];
    await expectCluster(
      [a, b, c],
      commands.map((command) => command.split(" ")),
      "localhost",
    );
  });

  it("become a cluster by configuration files: listen, host and port apart, a port alone", async () => {
    const all = await places();
    const [a, b, c] = all;
    const folder = mkdtempSync(join(tmpdir(), "shoal-commands-"));
    try {
      const routes = `routes = [\n    nats://localhost:${a.cluster}\n  ]`;
      const files = [
        `port: ${a.client}\ncluster {\n  name: test-cluster\n  listen: 127.0.0.1:${a.cluster}\n}\n`,
        `port: ${b.client}\ncluster {\n  name: test-cluster\n  host: 127.0.0.1\n  port: ${b.cluster}\n  ${routes}\n}\n`,
        `port: ${c.client}\ncluster {\n  name: test-cluster\n  port: ${c.cluster}\n  ${routes}\n}\n`,
      ];
      const args = files.map((text, i) => {
        const file = join(folder, `${i}.conf`);
        writeFileSync(file, text);
        return ["-c", file, "-D"];
      });
      await expectCluster(all, args, "127.0.0.1", "0.0.0.0");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** `host` is where the seed and the second one listen for routes, `lastHost` the third one. */
async function expectCluster(
  all: readonly Place[],
  args: readonly string[][],
  host: string,
  lastHost = host,
): Promise<void> {
  await using servers = new AsyncDisposableStack();
  const members: ServerProcess[] = [];
  for (const each of args) {
    const member = servers.use(new ServerProcess(each));
    members.push(member);
    await member.says("Listening for route connections on");
  }
  const [seed, ...joiners] = members;
  for (const member of members)
    await waitFor(
      "both others",
      () => member.peers.size === 2,
      () => member.tail(),
    );
  for (const [i, member] of members.entries()) {
    const at = `${i === 2 ? lastHost : host}:${all[i]!.cluster}`;
    expectInOrder(member.messages, [
      "Starting shoal",
      `Server id is ${member.id}`,
      `Listening for client connections on 0.0.0.0:${all[i]!.client}`,
      "Server is ready",
      "Cluster name is test-cluster",
      `Listening for route connections on ${at}`,
    ]);
  }
  for (const joiner of joiners) {
    const dialled = joiner.lines.find(({ msg }) => msg === "Route connect msg sent")!;
    expect(dialled.peer).toMatch(new RegExp(`:${all[0]!.cluster}$`));
    const first = joiner.lines.filter(({ msg, rid }) => rid === dialled.rid || msg.startsWith("Trying"));
    expectInOrder(
      first.map(({ msg }) => msg),
      [
        `Trying to connect to route on localhost:${all[0]!.cluster}`,
        "Route connect msg sent",
        "Route connection created",
        `Registering remote route "${seed!.id}"`,
        "Sent local subscriptions to route",
      ],
    );
    expectInOrder(seed!.messages, ["Route connection created", `Registering remote route "${joiner.id}"`]);
  }
  await expectOnce(all);
}

function expectInOrder(messages: readonly string[], parts: readonly string[]): void {
  let from = 0;
  const found = parts.filter((part) => {
    const at = messages.findIndex((message, i) => i >= from && message.startsWith(part));
    if (at >= 0) from = at + 1;
    return at >= 0;
  });
  expect(found).toEqual(parts);
}

/** A message from each reaches a subscriber on each once. */
async function expectOnce(all: readonly Place[]): Promise<void> {
  const clients = await Promise.all(
    all.map(({ client }) => connect({ servers: `127.0.0.1:${client}`, ignoreClusterUpdates: true })),
  );
  const inboxes = clients.map((client) => new Inbox(client, "hello"));
  await allReach(clients);
  for (const [i, client] of clients.entries()) client.publish("hello", String(i));
  await Promise.all(inboxes.map((inbox) => inbox.received(3)));
  await allReach(clients);
  expect(inboxes.map(({ texts }) => texts.sort().join())).toEqual(["0,1,2", "0,1,2", "0,1,2"]);
  await Promise.all(clients.map((client) => client.close()));
}

describe("--routes", () => {
  it("without --cluster is an error that says what is missing", async () => {
    await using server = new ServerProcess(["-p", "-1", "--routes", "nats://localhost:4248"]);
    expect(await server.ended()).toBe(1);
    expect(server.words.join("\n")).toContain("solicited routes require cluster capabilities");
  });
});

describe("a server without a name", () => {
  it("has that of its pod, as the environment gives it", async () => {
    const args = ["-a", "127.0.0.1", "-p", "-1"];
    await using server = new ServerProcess(args, ["env", "POD_NAME=shoal-7"]);
    await server.says("Server is ready");
    expect(server.messages).toContain("  Name:     shoal-7");
  });
});
