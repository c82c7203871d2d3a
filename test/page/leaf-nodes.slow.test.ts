/** Leaf connections on the page: who is there, in which role, and what has crossed; and nothing of it where there are none. */
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { startInProcess, type InProcessServer } from "../support/in-process-server.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { isChromiumMissing, openBrowser, visit } from "./browser.ts";
import { row } from "./scene.ts";

const LISTEN = { host: "127.0.0.1", port: 0 };
let browser: Browser;
const cleanup: (() => unknown)[] = [];

async function start(): Promise<InProcessServer> {
  const server = await startInProcess({ monitor: LISTEN, leafNodes: LISTEN });
  cleanup.push(() => server[Symbol.asyncDispose]());
  return server;
}

async function leafNode({ server }: InProcessServer, name: string): Promise<RawConnection> {
  const leaf = await RawConnection.open(server.leafNodeEndpoint!.port);
  cleanup.push(() => leaf.destroy());
  await leaf.has("INFO {");
  const connect = { name, cluster: "edge", version: "2.15.3", remote_account: "A" };
  leaf.send(`CONNECT ${JSON.stringify(connect)}\r\nLS+ a\r\nLMSG b 1\r\nx\r\nPING\r\n`);
  await leaf.has("PONG\r\n");
  return leaf;
}

describe.skipIf(isChromiumMissing)("the page of a server", () => {
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());
  afterEach(async () => {
    for (const act of cleanup.splice(0).reverse()) await act();
  });

  it("shows leaf nodes while they are there", async () => {
    const server = await start();
    const { page, complaints } = await visit(browser, `http://127.0.0.1:${server.server.monitorPort}/`);
    cleanup.push(() => page.context().close());
    await page.locator("#leafs-panel").waitFor({ state: "hidden" });
    const factory = await leafNode(server, "<b>factory</b>");
    await row(page, "#leafs", /^<b>factory<\/b>.*leaf node.*edge.*\$G.*1.*0.*1/).waitFor();
    await leafNode(server, "shop");
    await row(page, "#leafs", /^shop/).waitFor();
    factory.destroy();
    await row(page, "#leafs", /factory/).waitFor({ state: "detached" });
    expect(complaints).toEqual([]);
  });
});
