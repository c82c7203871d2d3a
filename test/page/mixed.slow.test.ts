/** The page of a cluster with real nats-servers in it, which know no zones, no readiness and nothing of the page. */
import { connect, type NatsConnection } from "@nats-io/transport-node";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { startMembers, type Cluster } from "../support/cluster.ts";
import { missingKinds, type ServerKind } from "../support/cluster-programs.ts";
import { isChromiumMissing, openBrowser, visit, type Visit } from "./browser.ts";
import { column, node, row, shows } from "./scene.ts";

const KINDS: readonly ServerKind[] = ["shoal", "shoal", "nats-new", "nats-2.9"];
const USERS = "SYS { users: [{user: admin, password: pw}] }, APP { users: [{user: app, password: pw}] }";
const SHARED = [`accounts { ${USERS} }`, "no_auth_user: app"];

let browser: Browser;
const cleanup: (() => unknown)[] = [];

async function start(linesOf: (kind: ServerKind) => readonly string[]): Promise<Cluster> {
  const cluster = await startMembers(
    KINDS.map((kind, i) => ({
      kind,
      name: `${kind.replace(".", "-")}-${i}`,
      clusterLines: ["name: mixed"],
      serverLines: [...SHARED, ...linesOf(kind)],
    })),
  );
  cleanup.push(() => cluster[Symbol.asyncDispose]());
  await cluster.fullMesh();
  return cluster;
}

async function clientsOf({ members }: Cluster): Promise<NatsConnection[]> {
  const clients = await Promise.all(
    members.map(({ clientUrl, spec }) => connect({ servers: clientUrl, name: `client of ${spec.name}` })),
  );
  cleanup.push(() => Promise.all(clients.map((client) => client.close())));
  return clients;
}

async function open(cluster: Cluster, index: number): Promise<Visit> {
  const seen = await visit(browser, `http://127.0.0.1:${cluster.member(index).ports.monitor}/`);
  cleanup.push(() => seen.page.context().close());
  return seen;
}

async function choose(page: Page, member: string, kind: "open" | "subs"): Promise<void> {
  await page.locator("#table-kind").selectOption(kind);
  await page.locator("#table-member").selectOption({ label: member });
}

/** Pairs of them; the two diagonals cross in their middles. */
async function overlappingLabels(page: Page): Promise<string[]> {
  const labels = page.locator("#mesh .labels text").filter({ hasText: "/s" });
  await expect.poll(() => labels.count()).toBe(6);
  const all = await Promise.all(
    (await labels.all()).map(async (one) => ({
      text: await one.textContent(),
      box: (await one.boundingBox())!,
    })),
  );
  return all.flatMap(({ text, box: a }, i) =>
    all
      .slice(i + 1)
      .filter(({ box: b }) => a.x < b.x + b.width && b.x < a.x + a.width)
      .filter(({ box: b }) => a.y < b.y + b.height && b.y < a.y + a.height)
      .map((other) => `${text} and ${other.text}`),
  );
}

const isMissing = isChromiumMissing || missingKinds(KINDS).length > 0;

describe.skipIf(isMissing)("the page of a mixed cluster", () => {
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());
  afterEach(async () => {
    for (const act of cleanup.splice(0).reverse()) await act();
  });

  it("shows nats-servers with their figures, accounts, connections and subscriptions", async () => {
    const cluster = await start(() => ["system_account: SYS"]);
    const clients = await clientsOf(cluster);
    for (const client of clients) client.subscribe("orders.>");
    const traffic = setInterval(() => clients.forEach((one) => one.publish("orders.new", "x")), 10);
    cleanup.push(() => clearInterval(traffic));
    const { page, complaints } = await open(cluster, 0);
    await shows(page, "#summary", "4 members, full mesh");
    for (const { spec } of cluster.members) await node(page, spec.name, "ready").waitFor();
    expect(await page.locator("#mesh .edge").count()).toBe(6);
    expect(await overlappingLabels(page)).toEqual([]);
    await shows(page, "#readiness", "All 4 members ready, nobody is awaited.");
    await row(page, "#members", "nats-new-2")
      .filter({ hasText: /nats-server 2\.\d\d/ })
      .waitFor();
    await row(page, "#members", "nats-2-9-3").filter({ hasText: "nats-server 2.9." }).waitFor();
    // In/s
    await expect
      .poll(() => column(page, "#members", 7))
      .toEqual(Array.from({ length: 4 }, () => expect.stringMatching(/^[1-9]/)));
    // one client of each member
    await expect.poll(async () => (await column(page, "#accounts", 2))[0]).toBe("4");
    expect((await column(page, "#accounts", 1))[0]).toBe("APP");
    for (const name of ["nats-new-2", "nats-2-9-3"]) {
      await choose(page, name, "open");
      await row(page, "#clients", `client of ${name}`).waitFor();
      expect(await page.locator("#table-search").isDisabled()).toBe(true);
      await choose(page, name, "subs");
      await row(page, "#clients", "orders.>").waitFor();
    }
    await choose(page, "shoal-1", "open");
    await row(page, "#clients", "client of shoal-1").waitFor();
    expect(await page.locator("#table-search").isEnabled()).toBe(true);
    expect(complaints).toEqual([]);
  });

  it("shows a nats-server that is killed as awaited, and its return", async () => {
    const cluster = await start(() => ["system_account: SYS"]);
    const { page, complaints } = await open(cluster, 1);
    await shows(page, "#summary", "4 members, full mesh");
    await cluster.member(2).kill();
    await shows(page, "#summary", "3 members, 1 awaited");
    await shows(page, "#readiness", /nats-new-2.*awaited by .*shoal-/);
    await cluster.member(2).start();
    await shows(page, "#summary", "4 members, full mesh");
    await node(page, "nats-new-2", "ready").waitFor();
    expect(complaints).toEqual([]);
  });

  it("shows nats-servers of another system account as not answering, and the rest as ever", async () => {
    const cluster = await start((kind) => (kind === "shoal" ? ["system_account: SYS"] : []));
    const { page, complaints } = await open(cluster, 0);
    await shows(page, "#summary", "4 members, 2 not answering");
    for (const name of ["nats-new-2", "nats-2-9-3"]) await node(page, name, "silent").waitFor();
    for (const name of ["shoal-0", "shoal-1"]) await node(page, name, "ready").waitFor();
    await shows(page, "#readiness", "nats-new-2: not answering");
    expect(await page.locator("#table-member option").allTextContents()).toEqual(["shoal-0", "shoal-1"]);
    // what routes tell is known without them: all but the one between the two
    expect(await page.locator("#mesh .edge").count()).toBe(5);
    expect(complaints).toEqual([]);
  });
});
