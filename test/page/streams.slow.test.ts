/** Streams and consumers on the page: what they hold, why a consumer delivers nothing, and nothing of it where no streams are kept. */
import { connect } from "@nats-io/transport-node";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { MemoryDisk } from "../../src/store/memory-disk.ts";
import { startInProcess, type InProcessServer } from "../support/in-process-server.ts";
import { isChromiumMissing, openBrowser, visit } from "./browser.ts";
import { row, shows } from "./scene.ts";

const LISTEN = { host: "127.0.0.1", port: 0 };
let browser: Browser;
const cleanup: (() => unknown)[] = [];

async function start(keepsStreams: "with streams" | "without"): Promise<InProcessServer> {
  const jetStream = { isEnabled: keepsStreams === "with streams" };
  const server = await startInProcess({ monitor: LISTEN, jetStream }, new MemoryDisk());
  cleanup.push(() => server[Symbol.asyncDispose]());
  return server;
}

describe.skipIf(isChromiumMissing)("the page of a server", () => {
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());
  afterEach(async () => {
    for (const act of cleanup.splice(0).reverse()) await act();
  });

  it("that keeps streams shows them, and why consumers deliver nothing", async () => {
    const server = await start("with streams");
    const client = await connect({ servers: server.url });
    cleanup.push(() => client.close());
    const api = async (subject: string, payload: object): Promise<void> => {
      const answer = await client.request(`$JS.API.${subject}`, JSON.stringify(payload), { timeout: 20_000 });
      expect(answer.json()).not.toHaveProperty("error");
    };
    await api("STREAM.CREATE.orders", { name: "orders", subjects: ["orders.>"] });
    await api("STREAM.CREATE.empty", { name: "empty", subjects: ["<b>empty</b>"] });
    const consumers = {
      pulled: { ack_policy: "explicit" },
      pushed: { ack_policy: "none", deliver_subject: "nobody.here" },
      paused: { ack_policy: "none", pause_until: "2999-01-01T00:00:00Z" },
      full: { ack_policy: "explicit", max_ack_pending: 1 },
    };
    for (const [name, config] of Object.entries(consumers)) {
      await api(`CONSUMER.CREATE.orders.${name}`, {
        stream_name: "orders",
        config: { ...config, name, durable_name: name },
      });
    }
    for (let i = 0; i < 3; i++) await client.request(`orders.${i}`, "hello", { timeout: 20_000 });
    await client.request("$JS.API.CONSUMER.MSG.NEXT.orders.full", "", { noMux: true, timeout: 20_000 });
    const { page, complaints } = await visit(browser, `http://127.0.0.1:${server.server.monitorPort}/`);
    cleanup.push(() => page.context().close());
    await row(page, "#streams", /^orders.*\$G.*3/).waitFor();
    await row(page, "#streams", /^empty/).waitFor();
    await row(page, "#consumers", /pulled.*no waiting pulls/).waitFor();
    await row(page, "#consumers", /pushed.*nobody subscribes to its deliver subject/).waitFor();
    await row(page, "#consumers", /paused.*paused/).waitFor();
    await row(page, "#consumers", /full.*max_ack_pending reached/).waitFor();
    // what it shows follows what happens
    await api("CONSUMER.DELETE.orders.pushed", {});
    await client.request("orders.4", "hello", { timeout: 20_000 });
    await row(page, "#streams", /^orders.*\$G.*4/).waitFor();
    await row(page, "#consumers", /pushed/).waitFor({ state: "detached" });
    expect(complaints).toEqual([]);
  });

  it("that keeps none says nothing of streams", async () => {
    const server = await start("without");
    const { page } = await visit(browser, `http://127.0.0.1:${server.server.monitorPort}/`);
    cleanup.push(() => page.context().close());
    await shows(page, "#tiles", "Connections");
    expect(await page.locator("#streams-panel").isVisible()).toBe(false);
    expect(await page.locator("#consumers-panel").isVisible()).toBe(false);
  });
});
