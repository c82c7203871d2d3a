/** Messages of streams on the page: by sequence, time and subject, as text, JSON and hex; and nothing of them where they are not to be seen. */
import { connect, headers, type NatsConnection } from "@nats-io/transport-node";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { ConfigOverrides } from "../../src/config/config.ts";
import { MemoryDisk } from "../../src/store/memory-disk.ts";
import { startInProcess } from "../support/in-process-server.ts";
import { PATIENT } from "../support/patience.ts";
import { isChromiumMissing, openBrowser, visit, type Visit } from "./browser.ts";
import { row, shows } from "./scene.ts";

const LISTEN = { host: "127.0.0.1", port: 0 };
const CREDENTIALS = { user: "ops", password: "secret", showsMessages: true };
const LOGIN = { username: CREDENTIALS.user, password: CREDENTIALS.password };
const HTML = "<img src=x onerror=alert(1)>";
let browser: Browser;
const cleanup: (() => unknown)[] = [];

interface Scene extends Visit {
  readonly client: NatsConnection;
  readonly publish: (subject: string, payload: string | Uint8Array) => Promise<void>;
}

async function open(monitor: ConfigOverrides["monitor"]): Promise<Scene> {
  const server = await startInProcess(
    { monitor: { ...LISTEN, ...monitor }, jetStream: { isEnabled: true } },
    new MemoryDisk(),
  );
  cleanup.push(() => server[Symbol.asyncDispose]());
  const client = await connect({ servers: server.url });
  cleanup.push(() => client.close());
  const config = JSON.stringify({ name: "orders", subjects: ["orders.>"] });
  const answer = await client.request("$JS.API.STREAM.CREATE.orders", config, PATIENT);
  expect(answer.json()).not.toHaveProperty("error");
  const publish = async (subject: string, payload: string | Uint8Array): Promise<void> => {
    const ack = await client.request(subject, payload, PATIENT);
    expect(ack.json()).not.toHaveProperty("error");
  };
  for (let i = 1; i <= 60; i++) await publish(`orders.${i % 3}`, `order number ${i}`);
  const url = `http://127.0.0.1:${server.server.monitorPort}/`;
  const visited = await visit(browser, url, { httpCredentials: LOGIN });
  cleanup.push(() => visited.page.context().close());
  return { ...visited, client, publish };
}

const first = (page: Page): Promise<unknown> => page.locator("#messages tbody tr").first().waitFor();

async function choose(page: Page): Promise<void> {
  await row(page, "#streams", /^orders/)
    .getByRole("button", { name: "orders" })
    .click();
  await first(page);
}

async function sequences(page: Page): Promise<number[]> {
  const texts = await page.locator("#messages tbody tr > :first-child").allTextContents();
  return texts.map(Number);
}

describe.skipIf(isChromiumMissing)("the page of a server that keeps streams", () => {
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());
  afterEach(async () => {
    for (const act of cleanup.splice(0).reverse()) await act();
  });

  it("shows messages of a stream, newest first asked for, and leads to older and newer ones", async () => {
    const { page, complaints, publish } = await open(CREDENTIALS);
    await choose(page);
    await shows(page, "#messages-note", "36 to 60, the stream has 1 to 60");
    expect(await sequences(page)).toEqual(Array.from({ length: 25 }, (_, i) => 36 + i));
    await shows(page, "#messages", "order number 60");
    await page.getByRole("button", { name: "Older" }).click();
    await shows(page, "#messages-note", "11 to 35");
    await page.getByRole("button", { name: "Older" }).click();
    await shows(page, "#messages-note", "1 to 10");
    expect(await page.getByRole("button", { name: "Older" }).isDisabled()).toBe(true);
    for (const range of ["11 to 35", "36 to 60"]) {
      await page.getByRole("button", { name: "Newer" }).click();
      await shows(page, "#messages-note", range);
    }
    await page.getByRole("button", { name: "Newer" }).click();
    await shows(page, "#messages-note", "No messages");
    await publish("orders.1", "the newest");
    await page.getByRole("button", { name: "Newer" }).click();
    await shows(page, "#messages", "the newest");
    expect(complaints).toEqual([]);
  });

  it("begins at a sequence or at a time, and keeps to a subject", async () => {
    const { page, client, complaints } = await open(CREDENTIALS);
    await choose(page);
    await page.getByLabel("From").selectOption("sequence");
    await page.getByLabel("Sequence", { exact: true }).fill("50");
    await page.getByLabel("Subject", { exact: true }).fill("orders.0");
    await page.getByRole("button", { name: "Show" }).click();
    await shows(page, "#messages-note", "51 to 60");
    expect(await sequences(page)).toEqual([51, 54, 57, 60]);
    await page.getByLabel("From").selectOption("time");
    await page.getByLabel("Time", { exact: true }).fill("2000-01-01T00:00:00");
    await page.getByRole("button", { name: "Show" }).click();
    await shows(page, "#messages-note", "3 to 60");
    await page.getByLabel("Subject", { exact: true }).fill("orders.none");
    await page.getByRole("button", { name: "Show" }).click();
    await shows(page, "#messages-note", "No messages");
    await page.getByLabel("Time", { exact: true }).fill("2999-01-01T00:00:00");
    await page.getByRole("button", { name: "Show" }).click();
    await shows(page, "#messages-note", "No messages");
    await client.request("$JS.API.STREAM.DELETE.orders", "", PATIENT);
    await page.locator("#messages-panel").waitFor({ state: "hidden" });
    expect(complaints).toEqual([]);
  });

  it("shows a message with its headers, as text, JSON and hex, and never as markup", async () => {
    const { page, client, complaints } = await open(CREDENTIALS);
    const head = headers();
    head.set("Kind", HTML);
    await client.request("orders.json", '{"id":12345678901234567890,"items":[1]}', {
      ...PATIENT,
      headers: head,
    });
    await client.request(`orders.${HTML.replaceAll(/[ .]/g, "")}`, HTML, PATIENT);
    await choose(page);
    const opened = page.locator("#message");
    await page.locator("#messages").getByRole("button", { name: "61" }).click();
    await shows(page, "#message-title", "Message 61 on orders.json");
    await shows(page, "#message-headers", `Kind: ${HTML}`);
    await shows(page, "#message-payload", '{"id":12345678901234567890,"items":[1]}');
    await page.getByLabel("Payload as").selectOption("json");
    await shows(page, "#message-payload", /"id": 12345678901234567890,\s+"items": \[\s+1\s+\]/);
    await page.getByLabel("Payload as").selectOption("hex");
    await shows(page, "#message-payload", /^00000000 {2}7b 22 69 64/);
    await page.getByLabel("Payload as").selectOption("text");
    await page.locator("#messages").getByRole("button", { name: "62" }).click();
    await shows(page, "#message-payload", HTML);
    expect(await opened.locator("img").count()).toBe(0);
    expect(complaints).toEqual([]);
  });

  it("shows the beginning of a long payload, and says how long it is", async () => {
    const { page, publish } = await open(CREDENTIALS);
    await publish("orders.long", "x".repeat(200_000));
    await choose(page);
    await page.locator("#messages").getByRole("button", { name: "61" }).click();
    await shows(page, "#message-facts", "payload 195 KiB, of which the first 64 KiB are shown");
  });

  it("shows no message where everybody may ask, and says what would change that", async () => {
    const { page, requests } = await open({});
    await row(page, "#streams", /^orders/)
      .getByRole("button", { name: "orders" })
      .click();
    await shows(page, "#messages-off", "monitor.show_messages");
    expect(await page.locator("#messages-controls").isVisible()).toBe(false);
    expect([...requests].filter((url) => url.includes("messagez"))).toEqual([]);
  });
});
