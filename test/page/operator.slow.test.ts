/** Accounts that an operator has signed are named by keys: the page calls them by their names, wherever it shows them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { bothServers } from "../support/both-servers.ts";
import { freePort } from "../support/free-port.ts";
import { startServer } from "../support/nats-server.ts";
import {
  accountToken,
  connectWith,
  newAccount,
  newUser,
  OperatorKit,
  Requests,
  UNLIMITED,
  userToken,
} from "../support/operator-kit.ts";
import { isChromiumMissing, openBrowser, visit } from "./browser.ts";
import { row, shows } from "./scene.ts";

const NAME = "<b>orders</b>";
const kit = new OperatorKit();
const [named, nameless, user] = [newAccount(), newAccount(), newUser()];
const limits = { ...UNLIMITED, mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
const TOKENS = new Map([
  [named, accountToken(named, kit.operator, { name: NAME, nats: { limits } })],
  [nameless, accountToken(nameless, kit.operator)],
]);
let browser: Browser;

async function start(): Promise<{ port: number; monitorPort: number; leafPort: number }> {
  const [monitorPort, leafPort] = [await freePort(), await freePort()];
  const folder = mkdtempSync(join(tmpdir(), "shoal-page-"));
  const server = await startServer(
    bothServers[0]!.command,
    `http: "127.0.0.1:${monitorPort}"
    leafnodes { listen: "127.0.0.1:${leafPort}" }
    jetstream { store_dir: ${JSON.stringify(folder)} }
    ${kit.memoryConfig(TOKENS)}`,
  );
  onTestFinished(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  return { port: server.port, monitorPort, leafPort };
}

describe.skipIf(isChromiumMissing)("the page of a server that trusts an operator", () => {
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());

  it("calls accounts by their names", async () => {
    const { port, monitorPort, leafPort } = await start();
    const client = await Requests.connect(port, named);
    const other = await Requests.connect(port, nameless);
    const leaf = await connectWith(leafPort, userToken(user, named), user, { name: "factory" });
    await leaf.has("PONG\r\n");
    onTestFinished(() => [client, other].forEach((one) => one.close()));
    onTestFinished(() => leaf.destroy());
    const api = async (subject: string, body: object): Promise<void> =>
      expect(JSON.parse(await client.ask(`$JS.API.${subject}`, JSON.stringify(body)))).not.toHaveProperty(
        "error",
      );
    await api("STREAM.CREATE.one", { name: "one", subjects: ["one"] });
    const config = { name: "reader", durable_name: "reader", ack_policy: "explicit" };
    await api("CONSUMER.CREATE.one.reader", { stream_name: "one", config });

    const { page, complaints } = await visit(browser, `http://127.0.0.1:${monitorPort}/`);
    onTestFinished(() => page.context().close());
    const begins = (...cells: readonly string[]): RegExp => new RegExp(`^${cells.join(".*")}`);
    await row(page, "#accounts", begins(NAME)).waitFor();
    await row(page, "#accounts", begins(nameless.publicKey)).waitFor();
    await row(page, "#streams", begins("one", NAME)).waitFor();
    await row(page, "#consumers", begins("reader", "one", NAME)).waitFor();
    await row(page, "#leafs", begins("factory", NAME)).waitFor();
    await page.locator("#table-kind").selectOption("open");
    await row(page, "#clients", NAME).waitFor();
    await row(page, "#clients", nameless.publicKey).waitFor();
    await page.locator("#table-kind").selectOption("subs");
    await row(page, "#clients", begins("_INBOX.>", NAME)).waitFor();
    await shows(page, "#messages-panel", "Messages");
    expect(await page.locator("body").textContent()).not.toContain(named.publicKey);
    expect(complaints).toEqual([]);
  });
});
