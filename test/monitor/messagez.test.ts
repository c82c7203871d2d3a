/** Messages of streams on the monitoring port: who may see them, which are shown, and what is refused. */
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import type { ConfigOverrides } from "../../src/config/config.ts";
import { MemoryDisk } from "../../src/store/memory-disk.ts";
import { PATIENT } from "../support/patience.ts";
import { cleanup, start, type Monitored } from "./monitored.ts";

type Monitor = ConfigOverrides["monitor"];

interface Told {
  readonly first_seq: number;
  readonly last_seq: number;
  readonly messages: readonly Record<string, unknown>[];
  readonly next: number;
}

const ANYBODY: Monitor = { showsMessages: true };
const BASIC = { authorization: `Basic ${Buffer.from("ops:secret").toString("base64")}` };

async function keeper(monitor: Monitor): Promise<Monitored & { client: NatsConnection }> {
  const server = await start({ jetStream: { isEnabled: true }, monitor: { ...monitor } }, new MemoryDisk());
  const client = await connect({ servers: server.url });
  cleanup.push(() => client.close());
  const config = JSON.stringify({ name: "örders", subjects: ["o.>"] });
  const answer = await client.request("$JS.API.STREAM.CREATE.örders", config, PATIENT);
  expect(answer.json()).not.toHaveProperty("error");
  for (let i = 1; i <= 5; i++) await client.request(`o.${i % 2}.ü`, `order ${i}`, PATIENT);
  return { ...server, client };
}

async function ask(base: string, query: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${base}/messagez?${query}`, { headers });
}

async function told(base: string, query: string): Promise<Told> {
  const response = await ask(base, `stream=%C3%B6rders&${query}`);
  expect(response.status).toBe(200);
  return (await response.json()) as Told;
}

describe("messages on the monitoring port", () => {
  it("are not shown where everybody may ask, unless the configuration says so", async () => {
    const { base } = await keeper({});
    const response = await ask(base, "stream=%C3%B6rders");
    expect([response.status, await response.text()]).toEqual([
      403,
      expect.stringMatching(/monitor\.authorization.*monitor\.show_messages/),
    ]);
    const cluster = (await (await fetch(`${base}/clusterz`)).json()) as Record<string, unknown>;
    expect(cluster["shows_messages"]).toBe(false);
  });

  it("are shown to whoever has the credentials, and to nobody else", async () => {
    const { base } = await start(
      { jetStream: { isEnabled: true }, monitor: { user: "ops", password: "secret", showsMessages: true } },
      new MemoryDisk(),
    );
    expect((await ask(base, "stream=S")).status).toBe(401);
    expect((await ask(base, "stream=S", BASIC)).status).toBe(404);
  });

  it("follow a reload", async () => {
    const server = await keeper(ANYBODY);
    expect((await ask(server.base, "stream=%C3%B6rders")).status).toBe(200);
    const jetStream = { isEnabled: true };
    const monitor = { host: "127.0.0.1", port: 0, showsMessages: false };
    expect(await server.reload({ jetStream, monitor })).toMatchObject({ kind: "reloaded" });
    expect((await ask(server.base, "stream=%C3%B6rders")).status).toBe(403);
  });

  it("are for no page from elsewhere, and for no cache", async () => {
    const { base } = await keeper(ANYBODY);
    const { headers } = await ask(base, "stream=%C3%B6rders");
    expect(headers.get("access-control-allow-origin")).toBeNull();
    expect(headers.get("cross-origin-resource-policy")).toBe("same-origin");
    expect(headers.get("cache-control")).toBe("no-store");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
  });

  it("come by sequence, time and subject, in either direction, with headers and payload", async () => {
    const { base } = await keeper(ANYBODY);
    const { messages, next, first_seq, last_seq } = await told(base, "");
    expect([first_seq, last_seq, next]).toEqual([1, 5, 0]);
    expect(messages).toHaveLength(5);
    expect(messages[0]).toMatchObject({ seq: 1, subject: "o.1.ü", size: 7, hdrs: "", hdrs_size: 0 });
    expect(Buffer.from(String(messages[0]!["data"]), "base64").toString()).toBe("order 1");
    const sequences = async (query: string): Promise<unknown[]> =>
      (await told(base, query)).messages.map(({ seq }) => seq);
    expect(await sequences("seq=3")).toEqual([3, 4, 5]);
    expect(await sequences("seq=3&back=1")).toEqual([3, 2, 1]);
    expect(await sequences("back=1&limit=2")).toEqual([5, 4]);
    expect(await sequences(`subject=${encodeURIComponent("o.*.ü")}&limit=1`)).toEqual([1]);
    expect(await sequences("subject=o.0.%3E")).toEqual([2, 4]);
    expect(await sequences(`time=${encodeURIComponent(String(messages[2]!["time"]))}`)).toEqual([3, 4, 5]);
    expect(await sequences("seq=9007199254740993")).toEqual([]);
    const [short] = (await told(base, "bytes=3")).messages;
    expect([short!["size"], short!["data"]]).toEqual([7, Buffer.from("ord").toString("base64")]);
  });

  it.each([
    ["limit=0", /limit must be 1 to 100/],
    ["limit=101", /limit must be 1 to 100/],
    ["bytes=65537", /bytes must be 0 to 65536/],
    ["bytes=-1", /bytes must be 0 to 65536/],
    ["time=yesterday", /RFC 3339/],
    ["time=2026-99-99T00:00:00Z", /RFC 3339/],
    ["seq=-1", /invalid syntax/],
    ["back=perhaps", /Error decoding boolean for 'back'/],
  ])("are refused for %s", async (query, reason) => {
    const { base } = await keeper(ANYBODY);
    const response = await ask(base, `stream=%C3%B6rders&${query}`);
    expect([response.status, await response.text()]).toEqual([400, expect.stringMatching(reason)]);
  });

  it.each(["stream=nobody", "stream=%C3%B6rders&acc=nobody", "", "stream=..%2F..%2Fetc"])(
    "are not there for %j",
    async (query) => {
      const { base } = await keeper(ANYBODY);
      const response = await ask(base, query);
      expect([response.status, response.headers.get("content-type")]).toEqual([
        404,
        "text/plain; charset=utf-8",
      ]);
    },
  );

  it("are not there where no streams are kept", async () => {
    const { base } = await start({ monitor: ANYBODY });
    expect((await ask(base, "stream=S")).status).toBe(404);
  });

  it("change nothing: no consumer, no delivery", async () => {
    const { base, client } = await keeper(ANYBODY);
    const info = async (): Promise<unknown> =>
      (await client.request("$JS.API.STREAM.INFO.örders", "", PATIENT)).json<{ state: unknown }>().state;
    const before = await info();
    await told(base, "");
    await told(base, "back=1&subject=o.0.%3E");
    expect(await info()).toEqual(before);
  });
});
