/** The official client in a real browser, from a page: plain and over TLS, large messages, streams, a key-value store, and a restart. */
import { connect } from "@nats-io/transport-node";
import { build } from "esbuild";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ConfigOverrides } from "../../src/config/config.ts";
import { MemoryDisk } from "../../src/store/memory-disk.ts";
import { Authority } from "../support/certificates.ts";
import { startInProcess, type InProcessServer } from "../support/in-process-server.ts";
import { configOf } from "../unit/config/sources.ts";
import { isChromiumMissing, openBrowser, visit } from "./browser.ts";

/** What the page does, as a script of its own; `talk` is called by the test. */
const SCRIPT = `
import { wsconnect } from "@nats-io/nats-core";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { PATIENT } from "../support/patience.ts";
let nc;
window.open_ = async (url) => { nc = await wsconnect({ servers: url, reconnectTimeWait: 20, maxReconnectAttempts: -1 }); return nc.info.port; };
window.echo = async (sizes) => {
  const sub = nc.subscribe("echo", { callback: (_, m) => m.respond(m.data) });
  const lengths = [];
  for (const size of sizes) {
    const sent = new Uint8Array(size).map((_, i) => i * 7);
    const { data } = await nc.request("echo", sent, { timeout: 60000 });
    lengths.push(data.every((byte, i) => byte === sent[i]) ? data.length : -1);
  }
  sub.unsubscribe();
  return lengths;
};
window.store = async () => {
  const manager = await jetstreamManager(nc, PATIENT);
  await manager.streams.add({ name: "S", subjects: ["s.>"], storage: "memory" });
  const js = jetstream(nc, PATIENT);
  const { seq } = await js.publish("s.a", "hello");
  const kv = await new Kvm(js).create("K", { storage: "memory" });
  const seen = [];
  const watch = await kv.watch();
  const watching = (async () => { for await (const entry of watch) { seen.push(entry.key + "=" + entry.string()); if (seen.length === 2) break; } })();
  await kv.put("a", "1");
  await kv.put("b", "2");
  await watching;
  const consumer = await js.consumers.get("S");
  return { seq, seen, text: (await consumer.next()).string() };
};
window.again = async () => { for await (const { type } of nc.status()) if (type === "reconnect") break; await nc.flush(); return nc.info.server_id; };
window.shut = () => nc.close();
`;

interface Talk {
  open_(url: string): Promise<number>;
  echo(sizes: readonly number[]): Promise<number[]>;
  store(): Promise<unknown>;
  again(): Promise<string>;
  shut(): Promise<void>;
}

describe.skipIf(isChromiumMissing)("a page in Chromium", () => {
  let browser: Browser;
  let site: Server;
  let url = "";

  beforeAll(async () => {
    const bundle = await build({
      stdin: { contents: SCRIPT, resolveDir: import.meta.dirname },
      bundle: true,
      format: "esm",
      write: false,
    });
    const script = bundle.outputFiles[0]!.text;
    site = createServer((request, response) => {
      const isScript = request.url === "/script.js";
      response.setHeader("Content-Type", isScript ? "text/javascript" : "text/html");
      response.end(
        isScript ? script : '<link rel="icon" href="data:,"><script type="module" src="/script.js"></script>',
      );
    });
    await new Promise<void>((resolve) => void site.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(site.address() as AddressInfo).port}/`;
    browser = await openBrowser();
  });

  afterAll(async () => {
    await browser.close();
    site.close();
  });

  async function start(websocket: ConfigOverrides["websocket"]): Promise<InProcessServer> {
    return startInProcess(
      {
        jetStream: { isEnabled: true },
        websocket: { host: "127.0.0.1", port: 0, ...websocket },
      },
      new MemoryDisk(),
    );
  }

  async function open(target: string): Promise<Page> {
    const { page } = await visit(browser, url, { ignoreHTTPSErrors: true });
    await page.waitForFunction(() => "shut" in globalThis);
    await page.evaluate((to) => (globalThis as unknown as Talk).open_(to), target);
    return page;
  }

  it.each([
    ["in plaintext", {}],
    ["compressed", { compression: true }],
    ["over TLS", { isSecure: true }],
  ])(
    "exchanges messages, streams and keys: %s",
    async (_, options: { compression?: boolean; isSecure?: boolean }) => {
      using authority = new Authority();
      const { compression = false, isSecure = false } = options;
      const tls = isSecure ? tlsOf(authority) : null;
      await using server = await start({
        compression,
        tls,
        noTls: !isSecure,
        allowedOrigins: [url.slice(0, -1)],
      });
      const port = server.server.webSocketEndpoint!.port;
      const page = await open(`${isSecure ? "wss" : "ws"}://127.0.0.1:${port}`);
      const sizes = [0, 1, 125, 126, 65_535, 65_536, 1024 * 1024];
      expect(await page.evaluate((list) => (globalThis as unknown as Talk).echo(list), sizes)).toEqual(sizes);
      expect(await page.evaluate(() => (globalThis as unknown as Talk).store())).toEqual({
        seq: 1,
        seen: ["a=1", "b=2"],
        text: "hello",
      });
      await page.evaluate(() => (globalThis as unknown as Talk).shut());
      await page.close();
    },
  );

  it("comes back to a server that was started again", async () => {
    const first = await start({ noTls: true });
    const { port } = first.server.webSocketEndpoint!;
    const page = await open(`ws://127.0.0.1:${port}`);
    const again = page.evaluate(() => (globalThis as unknown as Talk).again());
    await first[Symbol.asyncDispose]();
    await using second = await start({ noTls: true, port });
    expect(await again).toBe(second.server.identity.id);
    await page.close();
  });

  it("is in the room of the chat example", async () => {
    await using server = await start({ noTls: true });
    const file = new URL("../../examples/chat.html", import.meta.url).href;
    const to = `ws://127.0.0.1:${server.server.webSocketEndpoint!.port}`;
    const { page, complaints } = await visit(browser, `${file}?name=ann&url=${to}`);
    await page.waitForSelector("text=ann is in the room");
    const other = await connect({ servers: server.url });
    const heard = new Promise<string>((resolve) => {
      other.subscribe("chat.ann", { max: 1, callback: (_, message) => resolve(message.string()) });
    });
    await other.flush();
    await page.fill("#line", "grüezi");
    await page.press("#line", "Enter");
    expect(await heard).toBe("grüezi");
    other.publish("chat.bob", "hello ann");
    await page.waitForSelector("text=bob: hello ann");
    expect(complaints).toEqual([]);
    await other.close();
    await page.close();
  });

  it("is kept out where its origin is not allowed", async () => {
    await using server = await start({ noTls: true, allowedOrigins: ["https://elsewhere.example"] });
    const { port } = server.server.webSocketEndpoint!;
    await expect(open(`ws://127.0.0.1:${port}`)).rejects.toThrow(/page.evaluate/);
  });
});

function tlsOf(authority: Authority): NonNullable<ConfigOverrides["websocket"]>["tls"] {
  const { certFile, keyFile } = authority.issue();
  const text = `websocket { port: -1, tls { cert_file: "${certFile}", key_file: "${keyFile}" } }`;
  return configOf({ files: { "test.conf": text } }).websocket.tls;
}
