/** What the page tells beside the picture: slow consumers, accounts, subscriptions, why a member is not ready; names made to break it. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Stage, whole, type RunningServer } from "../cluster/stage.ts";
import { freePort } from "../support/free-port.ts";
import { isChromiumMissing, openBrowser, visit, type Visit } from "./browser.ts";
import { fiftyMembers } from "./fifty-members.ts";
import { column, node, row, shows } from "./scene.ts";

let browser: Browser;
let stage: Stage;
const cleanup: (() => unknown)[] = [];

async function cluster(size: number, lines: readonly string[] = []): Promise<RunningServer[]> {
  const texts = [];
  for (let i = 0; i < size; i++) {
    const serverLines = [`http: "127.0.0.1:${await freePort()}"`, ...lines];
    texts.push({ name: `shoal-${i}`, clusterLines: ["name: demo"], serverLines });
  }
  const servers = await stage.cluster(texts);
  await whole(servers);
  return servers;
}

const url = ({ server }: RunningServer): string => `http://127.0.0.1:${server.monitorPort}/`;

async function open(server: RunningServer, ...rest: [options?: object]): Promise<Visit> {
  const seen = await visit(browser, url(server), ...rest);
  cleanup.push(() => seen.page.context().close());
  return seen;
}

/** A client that takes nothing of what it has subscribed to. */
async function deafClient(port: number, name: string): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined); // it will be cut
  cleanup.push(() => socket.destroy());
  await once(socket, "data");
  socket.write(`CONNECT ${JSON.stringify({ name, verbose: false })}\r\nSUB flood 1\r\nPING\r\n`);
  await once(socket, "data");
  socket.pause();
  return socket;
}

describe.skipIf(isChromiumMissing)("the page", () => {
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());
  beforeEach(() => {
    stage = new Stage();
  });
  afterEach(async () => {
    for (const act of cleanup.splice(0).reverse()) await act();
    await stage[Symbol.asyncDispose]();
  });

  it("names a slow consumer of another member, and leads to it", async () => {
    const servers = await cluster(2, ["max_pending: 1MB"]);
    const { page, complaints } = await open(servers[0]!);
    await shows(page, "#summary", "2 members, full mesh");
    await shows(page, "#slow", "No connection was cut for being slow");
    const deaf = await deafClient(servers[1]!.clientPort, "deaf-one");
    const { localPort } = deaf;
    const publisher = await stage.client(servers[1]!);
    const flood = setInterval(() => publisher.publish("flood", "x".repeat(500_000)), 5);
    cleanup.push(() => clearInterval(flood));
    await row(page, "#slow", "shoal-1").waitFor();
    clearInterval(flood);
    await expect.poll(() => column(page, "#slow", 2)).toEqual(["1"]);
    await row(page, "#slow-latest", `127.0.0.1:${localPort}`).filter({ hasText: "shoal-1" }).waitFor();
    await shows(page, '#events [data-event="slow_consumer"]', "Slow Consumer Detected");
    await shows(page, "#tiles div:has-text('Slow consumers') dd", "1");
    await row(page, "#accounts", "$G").filter({ hasText: /1$/ }).waitFor();
    await page
      .getByRole("button", { name: "shoal-1", exact: true })
      .and(page.locator("#slow button"))
      .focus();
    await page.keyboard.press("Enter");
    await row(page, "#clients", "deaf-one").filter({ hasText: "Slow Consumer (Pending Bytes)" }).waitFor();
    await shows(page, "#clients-note", "1 to 1 of 1 found among");
    expect(complaints).toEqual([]);
  });

  it("adds up accounts of all members, and sorts them", async () => {
    const users = (name: string): string => `${name} { users: [{user: ${name}, password: pw}] }`;
    const servers = await cluster(2, [`accounts { ${["ORDERS", "BILLING"].map(users).join(", ")} }`]);
    const as = (index: number, user: string): Promise<unknown> =>
      stage.client(servers[index]!, { user, pass: "pw" });
    for (const [index, user] of [
      [0, "ORDERS"],
      [1, "ORDERS"],
      [1, "BILLING"],
    ] as const)
      await as(index, user);
    const { page } = await open(servers[0]!);
    await row(page, "#accounts", /^ORDERS2/).waitFor();
    await row(page, "#accounts", /^BILLING1/).waitFor();
    await page.locator("#accounts thead button", { hasText: "Account" }).click();
    expect((await column(page, "#accounts", 1)).filter((name) => !name.startsWith("$"))).toEqual([
      "BILLING",
      "ORDERS",
    ]);
    await page.locator("#accounts thead button", { hasText: "Conns" }).click();
    expect((await column(page, "#accounts", 1))[0]).toBe("ORDERS");
  });

  it("searches, sorts and pages thousands of subscriptions", async () => {
    const servers = await cluster(2);
    const client = await stage.client(servers[1]!);
    for (let i = 0; i < 5000; i++) client.subscribe(`of.${i}.it`, i === 4321 ? { queue: "workers" } : {});
    await client.flush();
    const { page, complaints } = await open(servers[0]!);
    await node(page, "shoal-1", "ready").waitFor();
    await page.locator("#table-member").selectOption({ label: "shoal-1" });
    await page.locator("#table-kind").selectOption("subs");
    await shows(page, "#clients-note", "1 to 100 of 5 000");
    await page.locator("#next").click();
    await shows(page, "#clients-note", "101 to 200 of 5 000");
    await page.locator("#table-search").fill(".4321.");
    await shows(page, "#clients-note", "1 to 1 of 1");
    expect(await column(page, "#clients", 2)).toEqual(["workers"]);
    await page.locator("#table-search").fill("workers");
    await expect.poll(() => column(page, "#clients", 1)).toEqual(["of.4321.it"]);
    await page.locator("#table-search").fill("of.499");
    await shows(page, "#clients-note", "1 to 11 of 11");
    await page.locator("#clients thead button", { hasText: "Subject" }).click();
    await page.locator("#clients th[aria-sort=ascending]", { hasText: "Subject" }).waitFor();
    expect((await column(page, "#clients", 1))[0]).toBe("of.499.it");
    await page.locator("#clients thead button", { hasText: "Subject" }).click();
    expect((await column(page, "#clients", 1))[0]).toBe("of.4999.it");
    expect(complaints).toEqual([]);
  });

  it("tells why a member is not ready, and who is awaited where", async () => {
    const nobody = await freePort();
    const [server] = await stage.cluster([
      {
        name: "lonely",
        routes: [`nats-route://127.0.0.1:${nobody}`],
        serverLines: [`http: "127.0.0.1:${await freePort()}"`],
      },
    ]);
    const { page } = await open(server!);
    await node(page, "lonely", "joining").waitFor();
    await shows(page, "#summary", "1 member, 1 not ready, 1 awaited");
    await shows(page, "#readiness", new RegExp(`lonely: not ready; .*127\\.0\\.0\\.1:${nobody}`));
    await shows(page, "#readiness", `127.0.0.1:${nobody}, awaited by lonely: `);
    await node(page, `127.0.0.1:${nobody}`, "awaited").waitFor();
    await shows(page, "#tiles", "0 of 1");
    await row(page, "#members", "not ready").waitFor();
  });

  it("keeps names in their places, however long, whatever is in them", async () => {
    const long = "x".repeat(2000);
    const markup = '"><svg onload="document.title=1">';
    const [server] = await cluster(1);
    await stage.client(server!, { name: long });
    const { page, complaints } = await visit(browser, url(server!), {}, (one) =>
      one.route("**/clusterz", async (route) => {
        const answer = (await (await route.fetch()).json()) as { members: Record<string, unknown>[] };
        const [own] = answer.members;
        const others = [long, markup, ""].map((name, i) => ({
          ...own,
          ...{ server_id: `N${i}`, server_name: name, zone: name, reasons: [name], is_ready: false },
          events: [{ ...{ time: "never", event: name, level: name, text: name, about: name, count: 1 } }],
        }));
        await route.fulfill({ json: { ...answer, members: [own, ...others, {}, null] } });
      }),
    );
    cleanup.push(() => page.context().close());
    await shows(page, "#members tbody", markup);
    await shows(page, "#events", markup);
    await shows(page, "#clients tbody", long);
    expect(await page.locator("body svg[onload]").count()).toBe(0);
    const { clientWidth, scrollWidth } = (await page.evaluate(
      "({clientWidth: document.documentElement.clientWidth, scrollWidth: document.documentElement.scrollWidth})",
    )) as Record<"clientWidth" | "scrollWidth", number>;
    expect(scrollWidth).toBe(clientWidth);
    expect(complaints).toEqual([]);
  });

  it("goes on after answers that are broken or refused", async () => {
    const [server] = await cluster(1);
    let answer: "garbage" | "refused" | "real" = "garbage";
    const { page } = await visit(browser, url(server!), {}, (one) =>
      one.route("**/clusterz", (route) => {
        if (answer === "garbage") return route.fulfill({ body: '{"members":' });
        if (answer === "refused") return route.fulfill({ status: 503, body: "busy" });
        return route.continue();
      }),
    );
    cleanup.push(() => page.context().close());
    await shows(page, "#trouble", "This server does not answer: ");
    answer = "refused";
    await shows(page, "#trouble", "busy");
    answer = "real";
    await shows(page, "#summary", "1 member");
    await page.locator("#live[data-state=live]").waitFor();
    expect(await page.locator("#trouble").isHidden()).toBe(true);
  });

  it("holds no more after dozens of answers than after a few", async () => {
    const [server] = await cluster(1);
    const { page } = await visit(browser, url(server!), {}, async (one) => {
      await one.clock.install();
      await fiftyMembers(one);
    });
    cleanup.push(() => page.context().close());
    await shows(page, "#summary", "50 members");
    let answers = 0;
    page.on("requestfinished", (request) => {
      if (request.url().endsWith("/clusterz")) answers++;
    });
    const elements = (): Promise<number> => page.locator("*").count();
    const refreshes = async (count: number): Promise<void> => {
      const enough = answers + count;
      while (answers < enough) await page.clock.runFor(1600);
    };
    await refreshes(5);
    const before = await elements();
    await refreshes(30);
    expect(await elements()).toBe(before);
  });

  it("leaves room for the whole label of the last moment below each chart", async () => {
    const [server] = await cluster(1);
    const { page } = await open(server!);
    const plots = page.locator(".plot");
    await plots.first().locator(".u-over").waitFor();
    // half of the widest time in the axis' font
    const half = await page.evaluate<number>(`(() => {
      const pen = document.createElement("canvas").getContext("2d");
      pen.font = "11px system-ui, sans-serif";
      const widths = [..."0123456789"].map((d) => pen.measureText(d + d + ":" + d + d + ":" + d + d).width);
      return Math.max(...widths) / 2;
    })()`);
    expect(half).toBeGreaterThan(10);
    for (const plot of await plots.all()) {
      const right = async (selector: string): Promise<number> => {
        const box = (await plot.locator(selector).boundingBox())!;
        return box.x + box.width;
      };
      expect((await right("canvas")) - (await right(".u-over"))).toBeGreaterThan(half);
    }
  });

  it("follows the system from light to dark and back, with texts that stand out in both", async () => {
    const [server] = await cluster(1);
    const { page } = await open(server!, { colorScheme: "light" });
    await node(page, "shoal-0", "ready").waitFor();
    for (const scheme of ["light", "dark", "light"] as const) {
      await page.emulateMedia({ colorScheme: scheme });
      const worst = await page.evaluate(CONTRAST);
      expect(worst, scheme).toBeGreaterThanOrEqual(4.5);
    }
  });
});

/** The least contrast of any text with the ground of panels, as WCAG reckons it. */
const CONTRAST = `(() => {
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map((part) => part / 255)
      .map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const panel = light(getComputedStyle(document.querySelector(".panel")).backgroundColor);
  const contrasts = [...document.querySelectorAll("main *")]
    .filter((one) => one.closest(":disabled, option") === null)
    .filter((one) => [...one.childNodes].some((child) => child.nodeType === 3 && child.data.trim() !== ""))
    .map((one) => getComputedStyle(one))
    .map((style) => light(style.color))
    .map((text) => (Math.max(text, panel) + 0.05) / (Math.min(text, panel) + 0.05));
  return Math.min(...contrasts);
})()`;
