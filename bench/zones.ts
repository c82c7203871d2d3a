#!/usr/bin/env node
/**
 * `node bench/zones.ts`: how many messages of a queue group leave the zone, and the server, that they were published in. Six servers
 * in three zones, a publisher on each; workers on all servers, or on one server of each zone. Counts are exact: what is measured is
 * where messages go, not how fast.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Contender } from "./cluster/nodes.ts";
import { Nodes, until } from "./cluster/nodes.ts";
import { RawClient } from "./cluster/raw-client.ts";

const usage = `node bench/zones.ts [options]

  --against NAME=COMMAND   another server; repeatable
  --messages N             of each publisher (default 10000)
  --help`;

const { values } = parseArgs({
  options: {
    against: { type: "string", multiple: true, default: [] },
    messages: { type: "string", default: "10000" },
    help: { type: "boolean", default: false },
  },
});

const zones = ["a", "a", "b", "b", "c", "c"];
const layouts = [
  { name: "on all six servers", on: [0, 1, 2, 3, 4, 5] },
  { name: "on one server of each zone", on: [1, 3, 5] },
  { name: "on one server of two zones", on: [1, 3] },
];

interface Candidate {
  readonly name: string;
  readonly contender: Contender;
  readonly environment: Readonly<Record<string, string>>;
}

if (values.help) {
  console.log(usage);
} else {
  const row = (...cells: readonly string[]): void => console.log(`| ${cells.join(" | ")} |`);
  row("workers", "server", "leave the zone, %", "leave the server, %");
  row("---", "---", "---:", "---:");
  for (const layout of layouts) {
    for (const candidate of candidates()) {
      const { leftZone, leftServer, total } = await measure(candidate, layout.on, Number(values.messages));
      row(layout.name, candidate.name, percent(leftZone, total), percent(leftServer, total));
    }
  }
}

function candidates(): Candidate[] {
  const shoal = { name: "shoal", command: join(import.meta.dirname, "../bin/shoal") };
  const ours = ["none", "server", "zone"].map((preference) => ({
    name: `shoal, \`queue_preference: ${preference}\``,
    contender: shoal,
    environment: { SHOAL__CLUSTER__QUEUE_PREFERENCE: preference },
  }));
  const others = values.against.map((text) => {
    const at = text.indexOf("=");
    const name = text.slice(0, at);
    return { name, contender: { name, command: text.slice(at + 1) }, environment: {} };
  });
  return [...others, ...ours];
}

interface Counts {
  leftZone: number;
  leftServer: number;
  total: number;
}

async function measure(
  { contender, environment }: Candidate,
  on: readonly number[],
  each: number,
): Promise<Counts> {
  await using cluster = await Nodes.plan(contender, zones.length);
  for (const zone of zones) cluster.startNext({ ...environment, SHOAL__CLUSTER__ZONE: zone });
  await cluster.whole();
  const counts: Counts = { leftZone: 0, leftServer: 0, total: 0 };
  const workers = await Promise.all(on.map((server) => worker(cluster.nodes[server]!.port, server, counts)));
  const publishers = await Promise.all(cluster.nodes.map(({ port }) => RawClient.open(port)));
  await Promise.all(publishers.map((publisher, server) => knows(publisher, workers, server)));
  for (const [server, publisher] of publishers.entries()) {
    publisher.send(`PUB work 1\r\n${server}\r\n`.repeat(each));
  }
  await until("all messages", () => counts.total === each * publishers.length);
  for (const client of [...publishers, ...workers]) client.destroy();
  return counts;
}

/** The payload names the publisher's server. */
async function worker(port: number, own: number, counts: Counts): Promise<RawClient> {
  const client = await RawClient.open(port);
  let isPayload = false;
  client.onLine = (line) => {
    if (isPayload) {
      const from = Number(line);
      counts.total++;
      if (from !== own) counts.leftServer++;
      if (zones[from] !== zones[own]) counts.leftZone++;
    }
    isPayload = line.startsWith("MSG work ");
  };
  client.send("SUB work workers 1\r\n");
  await client.flush();
  return client;
}

/** Interest travels in order: a probe that each worker subscribes to afterwards is answered once all is known there. */
async function knows(publisher: RawClient, workers: readonly RawClient[], server: number): Promise<void> {
  let heard = 0;
  const probes = workers.map((_, index) => `probe.${server}.${index}`);
  for (const [index, client] of workers.entries()) client.send(`SUB ${probes[index]} 9${server}\r\n`);
  await Promise.all(workers.map((client) => client.flush()));
  const missing = new Set(probes);
  publisher.send("SUB answers 1\r\n");
  publisher.onLine = (line) => {
    if (line.startsWith("NATS/1.0 503")) heard = -1;
  };
  while (missing.size > 0) {
    for (const probe of [...missing]) {
      heard = 0;
      publisher.send(`PUB ${probe} answers 0\r\n\r\n`);
      await publisher.flush();
      if (heard === 0) missing.delete(probe);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function percent(part: number, whole: number): string {
  return ((100 * part) / whole).toFixed(1);
}
