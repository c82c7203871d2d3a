/**
 * Takes the pictures of the page that the README shows: a cluster of three under load, light and dark, and 50 members. Needs Chromium.
 *
 *     node --conditions=shoal-source scripts/screenshots.ts
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { Stage, whole } from "../test/cluster/stage.ts";
import { freePort, openBrowser, visit } from "../test/page/browser.ts";
import { fiftyMembers } from "../test/page/fifty-members.ts";

const SETTLE_MS = 12_000;
const folder = join(import.meta.dirname, "../docs/images");
const stage = new Stage();
const texts = await Promise.all(
  ["eu-a", "eu-b", "eu-c"].map(async (zone, i) => ({
    name: `shoal-${i}`,
    clusterLines: ["name: demo", `zone: ${zone}`],
    serverLines: [`http: "127.0.0.1:${await freePort()}"`],
  })),
);
const servers = await stage.cluster(texts);
await whole(servers);
const load: NodeJS.Timeout[] = [];
for (const [i, server] of servers.entries()) {
  for (const name of ["orders", "billing", "search"]) {
    const client = await stage.client(server, { name });
    client.subscribe("orders.>", { queue: name });
    load.push(setInterval(() => publish(client, 40 + i * 20), 20));
  }
}

function publish(client: { publish(subject: string, text: string): void }, count: number): void {
  for (let n = 0; n < count; n++) client.publish("orders.new", "x".repeat(120));
}

const url = `http://127.0.0.1:${servers[0]?.server.monitorPort}/`;
const browser = await openBrowser();
mkdirSync(folder, { recursive: true });
await take("page-light.png", "light");
await take("page-dark.png", "dark");
await take("page-fifty.jpg", "light", fiftyMembers);
await browser.close();
for (const timer of load) clearInterval(timer);
await stage[Symbol.asyncDispose]();

async function take(
  file: string,
  colorScheme: "light" | "dark",
  prepare?: (page: Page) => Promise<void>,
): Promise<void> {
  const viewport = { width: 1200, height: 860 };
  const { page } = await visit(browser, url, { colorScheme, viewport }, prepare);
  await page.waitForTimeout(SETTLE_MS);
  const form = file.endsWith(".jpg") ? ({ type: "jpeg", quality: 55 } as const) : {};
  await page.screenshot({ path: join(folder, file), ...form });
  await page.context().close();
}
