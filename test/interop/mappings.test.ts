/**
 * Subject mappings on shoal and on the real nats-server: the same configuration, the same deliveries. That the table of the unit
 * tests is true is shown by playing all of it on a server of each kind; what chance decides is compared by its share.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { NatsConnection } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import { allReach, Clients, Inbox, isNoResponders } from "../support/cluster-clients.ts";
import { missingKinds, type ServerKind } from "../support/cluster-programs.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { startMembers, type Cluster } from "../support/cluster.ts";

interface Row {
  readonly source: string;
  readonly destination: string;
  readonly mapping: { readonly results?: Readonly<Record<string, string | null>> };
}

const tableFile = join(import.meta.dirname, "../unit/subject/transform-table.json");
const { rows } = JSON.parse(readFileSync(tableFile, "utf8")) as { readonly rows: readonly Row[] };

const MESSAGES = 4000;
const missing = missingKinds(["nats-new"]);
const kinds: readonly ServerKind[] = ["nats-new", "shoal"];

/** Rows whose sources come under a first token of their own, so that no two mappings cover one subject. */
const playable = rows
  .filter(({ source, mapping }) => mapping.results !== undefined && /^\S+$/.test(source))
  // Without wildcards in the source a partition is a constant or not, by the order of mappings, in nats-server.
  .filter(({ source, destination }) => /[*>]/.test(source) || !destination.includes("artition"))
  // Wildcard 0 is the first token, whatever it is, and the whole subject is hashed: a token in front changes both.
  .filter(({ destination }) => !/[$(,](0\b|-\d)|partition\(\d+\)/i.test(destination))
  .map((row, index) => ({ ...row, source: `t${index}.${row.source}`, index }));

function tableConfig(): string[] {
  const lines = playable.map((row) => `  ${JSON.stringify(row.source)}: ${JSON.stringify(row.destination)}`);
  return ["mappings {", ...lines, "}"];
}

/** Subject and payload of all that arrives, in the order of the payloads. */
function seen(inbox: Inbox): string[] {
  return inbox.messages.map((message) => `${message.string()} ${message.subject}`).toSorted();
}

async function deliveries(client: NatsConnection): Promise<string[]> {
  const inbox = new Inbox(client, ">");
  const literal = (subject: string): boolean => /^[^*>\s]+$/.test(subject) && !/^\.|\.\.|\.$/.test(subject);
  for (const { mapping, index } of playable) {
    for (const subject of Object.keys(mapping.results ?? {}).filter(literal)) {
      client.publish(`t${index}.${subject}`, `${index} ${subject}`);
    }
  }
  client.publish("end", "end");
  await waitFor("the last message", () => inbox.texts.includes("end"));
  return seen(inbox);
}

async function one(kind: ServerKind, serverLines: readonly string[]): Promise<Cluster> {
  return startMembers([{ kind, name: kind, clusterLines: ["name: mixed"], serverLines }]);
}

describe.skipIf(missing.length > 0)("mappings on shoal and on nats-server", () => {
  it.each(kinds)("%s delivers what the table says", async (kind) => {
    expect(playable.length).toBeGreaterThan(80);
    await using server = await one(kind, tableConfig());
    await using clients = new Clients();
    const got = await deliveries(await clients.connect(server.member(0)));
    const wanted = playable.flatMap(({ mapping, index }) =>
      Object.entries(mapping.results ?? {})
        .filter(([subject]) => /^[^*>\s]+$/.test(subject) && !/^\.|\.\.|\.$/.test(subject))
        .map(([subject, result]) => [`${index} ${subject}`, result ?? `t${index}.${subject}`] as const)
        .filter(([, result]) => !/^\.|\.\.|\.$/.test(result))
        .map(([payload, result]) => `${payload} ${result}`),
    );
    expect(got).toEqual([...wanted, "end end"].toSorted());
  });

  it.each(kinds)("%s draws destinations by their weights", async (kind) => {
    await using server = await one(kind, [
      "mappings {",
      "  part: [ {destination: p.a, weight: 10}, {destination: p.b, weight: 60%} ]",
      "  loss: [ {destination: loss, weight: 25}, {destination: l.a, weight: 25} ]",
      '  "dice.*": "d.$1.{{random(4)}}"',
      "  town: [ {destination: t.here, weight: 50, cluster: mixed}, {destination: t.there, weight: 100} ]",
      "}",
    ]);
    await using clients = new Clients();
    const client = await clients.connect(server.member(0));
    const inbox = new Inbox(client, ">");
    for (let n = 0; n < MESSAGES; n++) {
      for (const subject of ["part", "loss", "dice.x", "town"]) client.publish(subject);
    }
    client.publish("end", "end");
    await waitFor("the last message", () => inbox.texts.includes("end"));
    const counts = new Map<string, number>();
    for (const { subject } of inbox.messages) counts.set(subject, (counts.get(subject) ?? 0) + 1);
    const shares: Record<string, number> = {
      ...{ "p.a": 10, "p.b": 60, part: 30, loss: 25, "l.a": 25, "t.here": 50, town: 50 },
      ...{ "d.x.0": 25, "d.x.1": 25, "d.x.2": 25, "d.x.3": 25 },
    };
    expect([...counts.keys()].toSorted()).toEqual([...Object.keys(shares), "end"].toSorted());
    // Six standard deviations of the binomial distribution at most: once in a thousand million runs.
    for (const [subject, share] of Object.entries(shares)) {
      const expected = (MESSAGES * share) / 100;
      const bound = 6 * Math.sqrt(expected * (1 - share / 100));
      expect(Math.abs(counts.get(subject)! - expected), `${subject} on ${kind}`).toBeLessThan(bound);
    }
  });

  it("map once in a mixed cluster, where the client is connected", async () => {
    const lines = [
      "mappings {",
      '  "a.*": "b.$1.{{partition(10,1)}}"',
      '  "b.>": "c.>"',
      '  rpc: "svc"',
      "}",
    ];
    const order: ServerKind[] = ["nats-new", "shoal", "nats-new", "shoal"];
    await using cluster = await startMembers(
      order.map((kind, index) => ({
        kind,
        name: `member-${index}`,
        clusterLines: ["name: mixed"],
        serverLines: index < 2 ? lines : [],
      })),
    );
    await cluster.fullMesh();
    await using clients = new Clients();
    const on = await clients.connectAll(cluster.members);
    const inboxes = on.map((client) => new Inbox(client, "*.>"));
    for (const client of on) {
      const callback = (_: unknown, message: { respond(data?: string): boolean }) =>
        void message.respond("yes");
      client.subscribe("svc", { queue: "q", callback });
    }
    await allReach(on);
    const mapped: string[] = [];
    for (const [index, client] of on.entries()) {
      for (const key of ["x", "y", "z"]) client.publish(`a.${key}`, `from ${index}`);
      mapped.push(
        ...(index < 2 ? ["b.x.4", "b.y.3", "b.z.2"] : ["a.x", "a.y", "a.z"]).map((s) => `from ${index} ${s}`),
      );
    }
    await allReach(on);
    for (const inbox of inboxes) {
      const own = seen(inbox).filter((text) => text.startsWith("from"));
      expect(own.map((text) => text.replace(/\.\d$/, ""))).toEqual(
        mapped.map((text) => text.replace(/\.\d$/, "")).toSorted(),
      );
      // The same partition from both kinds.
      const partitions = (from: number): string[] =>
        own.filter((text) => text.startsWith(`from ${from}`)).map((text) => text.slice(7));
      expect(partitions(1)).toEqual(partitions(0));
    }
    // Nobody's requests are answered on any subscription of the requester that covers the reply subject.
    for (const inbox of inboxes) inbox.stop();
    for (const [index, client] of on.entries()) {
      const answer = client.request("rpc", "", { timeout: 10_000 }).then(
        (message) => message.string(),
        (error: unknown) => (isNoResponders(error) ? "nobody" : String(error)),
      );
      expect(await answer).toBe(index < 2 ? "yes" : "nobody");
    }
  });
});
