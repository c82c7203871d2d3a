/** The page in a real browser, on real clusters: what it shows of them and of what happens to them, by mouse and by keyboard. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Stage, whole, type RunningServer } from "../cluster/stage.ts";
import { startMembers, type Cluster } from "../support/cluster.ts";
import { freePort } from "../support/free-port.ts";
import { isChromiumMissing, openBrowser, visit, type Visit } from "./browser.ts";
import { fiftyMembers } from "./fifty-members.ts";
import { node, shows } from "./scene.ts";

const MANY = 10_000;

let browser: Browser;
let stage: Stage;
const cleanup: (() => unknown)[] = [];

async function cluster(size: number, serverLines: readonly string[] = []): Promise<RunningServer[]> {
  const texts = [];
  for (let i = 0; i < size; i++) {
    texts.push({
      name: `shoal-${i}`,
      clusterLines: ["name: demo", `zone: ${"ab"[i % 2]}`],
      serverLines: [`http: "127.0.0.1:${await freePort()}"`, ...serverLines],
    });
  }
  const servers = await stage.cluster(texts);
  await whole(servers);
  return servers;
}

const url = (server: RunningServer): string => `http://127.0.0.1:${server.server.monitorPort}/`;

async function open(server: RunningServer, ...rest: [options?: object]): Promise<Visit> {
  const seen = await visit(browser, url(server), ...rest);
  cleanup.push(() => seen.page.context().close());
  return seen;
}

describe.skipIf(isChromiumMissing)("the page", () => {
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());
  afterEach(async () => {
    for (const act of cleanup.splice(0).reverse()) await act();
    await stage[Symbol.asyncDispose]();
  });

  it("shows the whole cluster, whichever member is asked, without a request to elsewhere", async () => {
    stage = new Stage();
    const servers = await cluster(3);
    const clients = await stage.clients(servers);
    for (const client of clients) client.subscribe("orders.>");
    const traffic = setInterval(() => clients[0]!.publish("orders.new", "x".repeat(100)), 5);
    cleanup.push(() => clearInterval(traffic));
    for (const server of servers) {
      const { page, complaints, requests } = await open(server);
      await shows(page, "#summary", "3 members, full mesh");
      for (const { name } of servers) await node(page, name, "ready").waitFor();
      await expect.poll(() => page.locator("#mesh .edge[data-busy]").count()).toBeGreaterThanOrEqual(2);
      // the first round trip of a route is known a little after the route
      await expect
        .poll(() => page.locator("#mesh .labels text").allTextContents())
        .toEqual(Array.from({ length: 3 }, () => expect.stringMatching(/ (ms|µs) · .*\/s$/)));
      expect(await page.locator("#mesh .edge").count()).toBe(3);
      expect(
        (await page.locator("#mesh .zones text").allTextContents()).sort((a, b) => (a < b ? -1 : 1)),
      ).toEqual(["a", "b"]);
      await shows(page, "#readiness", "All 3 members ready, nobody is awaited.");
      await page
        .locator(".plot[aria-label*='Messages per second: now in']:not([aria-label*='in 0,'])")
        .waitFor();
      await shows(page, "#events", "Server joined the cluster");
      await shows(page, "#accounts", "$G");
      expect(complaints).toEqual([]);
      for (const request of requests)
        expect(request.startsWith(url(server)) || request.startsWith("data:")).toBe(true);
      await page.context().close();
    }
  });

  it("shows a member that is killed as awaited, and its return", async () => {
    stage = new Stage();
    const members: Cluster = await startMembers(
      ["one", "two", "three"].map((name) => ({ kind: "shoal" as const, name, clusterLines: ["name: demo"] })),
    );
    cleanup.push(() => members[Symbol.asyncDispose]());
    const [one, , three] = members.members;
    const seen = await visit(browser, `http://127.0.0.1:${one!.ports.monitor}/`);
    cleanup.push(() => seen.page.context().close());
    const { page } = seen;
    await shows(page, "#summary", "3 members, full mesh");
    await node(page, "three", "ready").waitFor();
    await three!.kill();
    await node(page, "three", "ready").waitFor({ state: "detached" });
    await shows(page, "#summary", "2 members, 1 awaited");
    await page.locator('#mesh g.node[data-standing="awaited"]').waitFor();
    await shows(page, "#readiness", /awaited by .*one/);
    await shows(page, '#events [data-event="peer_left"]', "three");
    await three!.start();
    await node(page, "three", "ready").waitFor();
    await shows(page, "#summary", "3 members, full mesh");
    expect(seen.complaints).toEqual([]);
  });

  it("shows a lame duck, with the reason, and tells when its own server is gone", async () => {
    stage = new Stage();
    const servers = await cluster(3, ['lame_duck_duration: "60s"', 'lame_duck_grace_period: "30s"']);
    await stage.client(servers[1]!);
    const { page } = await open(servers[0]!);
    await shows(page, "#summary", "3 members, full mesh");
    void servers[1]!.server.lameDuck();
    await node(page, "shoal-1", "draining").waitFor();
    await shows(page, "#members [data-mark=draining]", "draining (lame duck)");
    await shows(page, "#readiness", "shoal-1: draining (lame duck)");
    await shows(page, '#events [data-event="lame_duck"]', "shoal-1");
    await servers[0]!.stop();
    await page.locator("#live[data-state=disconnected]").waitFor();
    await shows(page, "#trouble", "This server does not answer");
    expect(await node(page, "shoal-2", "ready").count()).toBe(1);
  });

  it("shows 50 members", async () => {
    stage = new Stage();
    const [server] = await cluster(1);
    const { page, complaints } = await visit(browser, url(server!), {}, fiftyMembers);
    cleanup.push(() => page.context().close());
    await shows(page, "#summary", "50 members");
    expect(await page.locator("#mesh g.node").count()).toBe(50);
    expect(await page.locator("#mesh .edge").count()).toBe((50 * 49) / 2);
    const boxes = await page.locator("#mesh g.node > path").evaluateAll((all) =>
      all.map((each) => {
        const { x, y } = (
          each as unknown as { getBoundingClientRect(): { x: number; y: number } }
        ).getBoundingClientRect();
        return `${Math.round(x)} ${Math.round(y)}`;
      }),
    );
    expect(new Set(boxes).size).toBe(50);
    expect(await page.locator("#members tbody tr").count()).toBe(50);
    expect(complaints).toEqual([]);
  });

  it(`sorts, searches and pages ${MANY} connections, of its own server and of another member`, async () => {
    stage = new Stage();
    // Processes of their own, since both ends of so many connections are more files than one may have open.
    const members = await startMembers(
      ["shoal-0", "shoal-1"].map((name) => ({ kind: "shoal" as const, name, clusterLines: ["name: demo"] })),
    );
    cleanup.push(() => members[Symbol.asyncDispose]());
    const [busy, idle] = members.members;
    const sockets = await manyClients(busy!.ports.client, MANY);
    cleanup.push(() => sockets.forEach((socket) => socket.destroy()));
    const { page, complaints } = await visit(browser, `http://127.0.0.1:${idle!.ports.monitor}/`);
    cleanup.push(() => page.context().close());
    await node(page, "shoal-0", "ready").waitFor();
    await shows(page, "#clients-note", "None of 0");
    await page.locator("#table-member").selectOption({ label: "shoal-0" });
    await shows(page, "#clients-note", "1 to 100 of 10 000");
    await page.locator("#next").click();
    await shows(page, "#clients-note", "101 to 200 of 10 000");
    await page.locator("#table-search").fill("client-4242");
    await shows(page, "#clients-note", "1 to 1 of 1 found among 10 000");
    expect(await page.locator("#clients tbody tr td").first().textContent()).toBe("client-4242");
    await page.locator("#table-search").fill("");
    await page.getByRole("button", { name: "Subs", exact: true }).nth(0).waitFor();
    await page.locator("#clients thead button", { hasText: "Subs" }).click();
    await page.locator("#clients th[aria-sort=descending]", { hasText: "Subs" }).waitFor();
    await shows(page, "#clients tbody tr:first-child", "client-77");
    await page.locator("#table-kind").selectOption("subs");
    await page.locator("#table-search").fill("of.77.");
    await shows(page, "#clients-note", "1 to 2 of 2");
    await shows(page, "#tiles", "10 000");
    expect(complaints).toEqual([]);
  });

  it("is used by keyboard, in dark, and names what it shows", async () => {
    stage = new Stage();
    const servers = await cluster(3);
    const { page, complaints } = await open(servers[0]!, { colorScheme: "dark", reducedMotion: "reduce" });
    await node(page, "shoal-2", "ready").waitFor();
    const reached: string[] = [];
    const focused = (): Promise<string> =>
      page.evaluate(
        "document.activeElement.getAttribute('aria-label') || document.activeElement.id || document.activeElement.textContent",
      );
    for (let i = 0; i < 80 && !reached.some((name) => name.includes("/varz") || name === "General"); i++) {
      await page.keyboard.press("Tab");
      reached.push(await focused());
      if (reached.at(-1)!.startsWith("shoal-2:")) {
        await page.keyboard.press("Enter");
        await shows(page, "#routes-title", "Routes of shoal-2");
        await shows(page, "#mesh-note", "shoal-2: ready, zone a");
        expect(await node(page, "shoal-2", "ready").getAttribute("aria-pressed")).toBe("true");
      }
    }
    for (const part of [
      "Skip to the content",
      "shoal-0: ready",
      "shoal-2: ready",
      "plot-member",
      "table-search",
      "General",
    ]) {
      expect(reached.some((name) => name.startsWith(part))).toBe(true);
    }
    await page.locator("#members thead button", { hasText: "Name" }).focus();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    await page.locator("#members th[aria-sort=descending]").waitFor();
    await shows(page, "#members tbody tr:first-child", "shoal-2");
    const ground = await page.evaluate("getComputedStyle(document.body).backgroundColor");
    expect(ground).toBe("rgb(17, 23, 27)");
    for (const region of [
      "Mesh",
      "Readiness",
      "Members",
      "Over time",
      "Clients",
      "Accounts",
      "Recent events",
    ]) {
      expect(await page.getByRole("region", { name: region, exact: true }).count()).toBe(1);
    }
    expect(complaints).toEqual([]);
  });

  it("cannot be made to run what a client calls itself", async () => {
    stage = new Stage();
    const [server] = await cluster(1);
    const name = '<img src=x onerror="document.title=1">';
    await stage.client(server!, { name });
    const { page, complaints } = await open(server!);
    await shows(page, "#clients tbody", name);
    expect(await page.locator("#clients img").count()).toBe(0);
    expect(complaints).toEqual([]);
  });
});

/** Raw connections, which cost less than those of a library; one has more subscriptions than others. */
async function manyClients(port: number, count: number): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const batch = Array.from({ length: Math.min(200, count - sockets.length) }, async (_, i) => {
      const number = sockets.length + i;
      const socket = connect(port, "127.0.0.1");
      await once(socket, "data"); // or rejects
      socket.on("error", () => undefined);
      const extra = number === 77 ? "SUB of.77.a 2\r\nSUB of.77.b 3\r\n" : "";
      socket.resume().write(`CONNECT {"name":"client-${number}"}\r\nSUB of.${number} 1\r\n${extra}PING\r\n`);
      return socket;
    });
    sockets.push(...(await Promise.all(batch)));
  }
  return sockets;
}
