/**
 * Takes the pictures of the page that the README shows: a cluster of three under load, light and dark, and 50 members. Needs Chromium.
 *
 *     node --conditions=shoal-source scripts/screenshots.ts
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import type { Page } from "playwright-core";
import { startMembers } from "../test/support/cluster.ts";
import { openBrowser, visit } from "../test/page/browser.ts";
import { fiftyMembers } from "../test/page/fifty-members.ts";

const SETTLE_MS = 14_000;
const folder = join(import.meta.dirname, "../docs/images");
const cluster = await startMembers(
  ["eu-a", "eu-b", "eu-c"].map((zone, i) => ({
    kind: "shoal",
    name: `shoal-${i}`,
    clusterLines: ["name: demo", `zone: ${zone}`],
  })),
);
await cluster.fullMesh();
const clients: NatsConnection[] = [];
const load: NodeJS.Timeout[] = [];
for (const [i, { clientUrl: servers }] of cluster.members.entries()) {
  for (const name of ["orders", "billing", "search"]) {
    const client = await connect({ servers, name });
    clients.push(client);
    client.subscribe("orders.*", { queue: name });
    client.subscribe(`prices.${name}`);
    load.push(setInterval(() => publish(client, 8 + i * 4), 20));
  }
}

function publish(client: NatsConnection, count: number): void {
  for (let n = 0; n < count; n++)
    client.publish(n % 3 === 0 ? "prices.search" : "orders.new", "x".repeat(120));
}

const url = `http://127.0.0.1:${cluster.member(0).ports.monitor}/`;
const browser = await openBrowser();
mkdirSync(folder, { recursive: true });
await take("page-light.png", "light");
await take("page-dark.png", "dark");
await take("page-fifty.jpg", "light", fiftyMembers);
await browser.close();
for (const timer of load) clearInterval(timer);
await Promise.all(clients.map((client) => client.close()));
await cluster[Symbol.asyncDispose]();

async function take(
  file: string,
  colorScheme: "light" | "dark",
  prepare?: (page: Page) => Promise<void>,
): Promise<void> {
  const viewport = { width: 1200, height: 960 };
  const { page } = await visit(browser, url, { colorScheme, viewport }, prepare);
  await page.waitForTimeout(SETTLE_MS);
  const form = file.endsWith(".jpg") ? ({ type: "jpeg", quality: 55 } as const) : {};
  await page.screenshot({ path: join(folder, file), ...form });
  await page.context().close();
}
