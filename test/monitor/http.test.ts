/** The monitoring port as those see it who ask it. */
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import { waitFor } from "../support/cluster-wait.ts";
import { DEFAULT_IMPORTS, startInProcess, type InProcessServer } from "../support/in-process-server.ts";
import { cleanup, closing, dial, start, type Monitored } from "./monitored.ts";

type Json = Record<string, unknown>;
interface Connection extends Json {
  cid: number;
  name?: string;
  reason?: string;
  subscriptions: number;
}

async function client({ url }: InProcessServer, name: string): Promise<NatsConnection> {
  const connection = await connect({ servers: url, name, reconnect: false });
  cleanup.push(() => connection.close());
  return connection;
}

async function get(url: string): Promise<Json> {
  const response = await fetch(url);
  expect(response.status).toBe(200);
  return (await response.json()) as Json;
}

async function connections(server: Monitored, query = ""): Promise<Connection[]> {
  return (await get(`${server.base}/connz?${query}`))["connections"] as Connection[];
}

async function refusal(url: string): Promise<[number, string]> {
  const response = await fetch(url);
  return [response.status, await response.text()];
}

describe("a request", () => {
  it("is answered with JSON for everybody, with its length", async () => {
    const { base } = await start();
    const response = await fetch(`${base}/varz`);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    const text = await response.text();
    expect(response.headers.get("content-length")).toBe(String(Buffer.byteLength(text)));
    expect(text).toMatch(/^\{\n {2}"server_id": "N/);
  });

  it("for the head alone gets no body", async () => {
    const { base } = await start();
    const response = await fetch(`${base}/healthz`, { method: "HEAD" });
    expect([response.status, response.headers.get("content-length")]).toEqual([200, "15"]);
    expect(await response.text()).toBe("");
  });

  it.each(["/nope", "/varz/", "/varz/x", "//varz", "/debug/pprof"])("for %s finds nothing", async (path) => {
    const { base } = await start();
    expect(await refusal(base + path)).toEqual([404, "404 page not found\n"]);
  });

  it("with a body is answered, and the connection ends", async () => {
    const { base } = await start();
    const response = await fetch(`${base}/healthz`, { method: "POST", body: "x".repeat(100_000) });
    expect(await response.text()).toBe('{"status":"ok"}');
    expect(response.headers.get("connection")).toBe("close");
  });

  it.each(["varz", "connz", "routez", "subsz", "accountz", "healthz", "readyz"])(
    "never becomes a script of a page from elsewhere: /%s?callback=my.fn",
    async (path) => {
      const { base } = await start();
      const response = await fetch(`${base}/${path}?callback=my.fn`);
      expect(response.headers.get("content-type")).toBe("application/json");
      JSON.parse(await response.text());
    },
  );

  it("finds everything below a base path, and nothing beside it", async () => {
    const { base } = await start({ monitor: { basePath: "/a/b" } });
    expect((await get(`${base}/a/b/varz`))["http_base_path"]).toBe("/a/b");
    expect((await refusal(`${base}/varz`))[0]).toBe(404);
    expect((await refusal(`${base}/a/bvarz`))[0]).toBe(404);
    const page = await (await fetch(`${base}/a/b`)).text();
    const links = [...page.matchAll(/href="([^"]+)"/g)].map(([, href]) => new URL(href!, `${base}/a/b`));
    expect(links.length).toBeGreaterThan(5);
    for (const link of links) expect((await fetch(link)).status).toBe(200);
  });

  it("is counted", async () => {
    const { base } = await start();
    for (const path of ["/", "/subsz", "/subscriptionsz", "/nope", "/varz"]) await fetch(base + path);
    expect((await get(`${base}/varz`))["http_req_stats"]).toEqual({ "/": 1, "/subsz": 2, "/varz": 2 });
  });

  it("shows what was configured", async () => {
    const server = { tags: ["az:eu"], metadata: { owner: "me" } };
    const { base } = await start({ server, client: { maxSubscriptions: 7 } });
    expect(await get(`${base}/varz`)).toMatchObject({
      tags: ["az:eu"],
      metadata: { owner: "me", shoal_version: expect.any(String) },
      max_subscriptions: 7,
      max_connections: 65_536,
      cluster: {},
    });
  });
});

describe("connz", () => {
  it.each([
    ["sort=bogus", "invalid sorting option: bogus"],
    ["sort=stop", "sort by stop only valid on closed connections"],
    ["sort=reason&state=all", "sort by reason only valid on closed connections"],
    ["state=odd", "Error decoding state for odd"],
    ["limit=abc", "Error decoding int for 'limit': strconv.Atoi: parsing \"abc\": invalid syntax"],
  ])("refuses %s", async (query, message) => {
    const { base } = await start();
    expect(await refusal(`${base}/connz?${query}`)).toEqual([400, message]);
  });

  it("sorts and pages", async () => {
    const server = await start();
    const all = [];
    for (const [i, name] of ["a", "b", "c", "d"].entries()) {
      const one = await client(server, name);
      for (let n = 0; n < [2, 0, 3, 1][i]!; n++) one.subscribe(`s.${n}`);
      for (let n = 0; n < i * 2; n++) one.publish("nobody", "x".repeat(10 - i));
      await one.flush();
      all.push(one);
    }
    const names = async (query: string): Promise<string> =>
      (await connections(server, query)).map(({ name }) => name).join("");
    expect(await names("")).toBe("abcd");
    expect(await names("sort=subs")).toBe("cadb");
    expect(await names("sort=msgs_from")).toBe("dcba");
    expect(await names("sort=bytes_from")).toBe("dcba");
    expect(await names("sort=uptime")).toBe("dcba");
    expect(await names("sort=subs&offset=1&limit=2")).toBe("ad");
    expect(await names("offset=9")).toBe("");
    expect(await get(`${server.base}/connz?offset=1&limit=2`)).toMatchObject({
      num_connections: 2,
      total: 4,
      offset: 1,
      limit: 2,
    });
    for (const sort of ["start", "pending", "msgs_to", "bytes_to", "last", "idle", "rtt"]) {
      expect(await connections(server, `sort=${sort}`)).toHaveLength(4);
    }
  });

  it("finds one connection, by its number, user or account", async () => {
    const server = await start({ authorization: { user: "u", password: "p" } });
    const one = await connect({ servers: server.url, user: "u", pass: "p", reconnect: false });
    cleanup.push(() => one.close());
    const [found] = await connections(server, "auth=1");
    expect(found).toMatchObject({ authorized_user: "u", name_tag: "$G" });
    expect(await connections(server, `cid=${found!.cid}`)).toHaveLength(1);
    expect(await connections(server, "cid=99999")).toHaveLength(0);
    expect(await connections(server, "user=u")).toHaveLength(1);
    expect(await connections(server, "user=v")).toHaveLength(0);
    expect(await connections(server, "acc=$G")).toHaveLength(1);
    expect(await connections(server, "acc=$SYS")).toHaveLength(0);
    expect(await connections(server, "mqtt_client=x")).toHaveLength(0);
    expect((await get(`${server.base}/connz?acc=nobody`))["connections"]).toBe(null);
  });

  it("remembers connections that ended, why, and to what they had subscribed", async () => {
    const server = await start({ server: { maxClosedClients: 2 } });
    for (const name of ["first", "second", "third"]) {
      const one = await connect({ servers: server.url, name, reconnect: false });
      one.subscribe(`of.${name}`);
      await one.flush();
      await one.close();
      const isKnown = async (): Promise<boolean> =>
        (await connections(server, "state=closed")).some((each) => each.name === name);
      await waitFor(`${name} to be closed`, isKnown);
    }
    const open = await client(server, "open");
    const closed = await connections(server, "state=closed&subs=detail&sort=stop");
    expect(closed.map(({ name }) => name)).toEqual(["third", "second"]);
    expect(closed[0]).toMatchObject({
      reason: "Client Closed",
      subscriptions: 1,
      stop: expect.stringMatching(/^\d{4}-.*Z$/),
      subscriptions_list_detail: [{ account: "$G", subject: "of.third", sid: "1", msgs: 0 }],
    });
    expect((await connections(server, "state=all")).map(({ name }) => name)).toEqual([
      "second",
      "third",
      "open",
    ]);
    expect(await connections(server, `cid=${closed[0]!.cid}&state=all`)).toHaveLength(1);
    expect(await connections(server, `cid=${closed[0]!.cid}`)).toHaveLength(0);
    await open.close();
  });

  it("names the reason for which a client was turned away", async () => {
    const server = await start({ authorization: { token: "right" } });
    await expect(connect({ servers: server.url, token: "wrong", reconnect: false })).rejects.toThrow(
      "Authorization Violation",
    );
    const closed = await connections(server, "state=closed");
    expect(closed.map(({ reason }) => reason)).toEqual(["Authentication Failure"]);
  });
});

describe("subsz", () => {
  it("lists, tests and pages subscriptions", async () => {
    const server = await start();
    const one = await client(server, "one");
    for (const subject of ["foo.*", "foo.bar", "foo.>", "größe"]) one.subscribe(subject);
    one.subscribe("foo.bar", { queue: "q", max: 9 });
    await one.flush();
    const ask = async (query: string): Promise<Json> => get(`${server.base}/subsz?${query}`);
    const subjects = async (query: string): Promise<string[]> =>
      ((await ask(query))["subscriptions_list"] as { subject: string }[]).map(({ subject }) => subject);
    expect(await ask("acc=$G")).toMatchObject({ num_subscriptions: 5 + DEFAULT_IMPORTS, total: 0 });
    expect(await subjects("subs=1")).toEqual(["foo.*", "foo.bar", "foo.>", "größe", "foo.bar"]);
    expect(await ask("subs=1&offset=4&limit=1")).toMatchObject({
      total: 5,
      subscriptions_list: [{ account: "$G", subject: "foo.bar", qgroup: "q", max: 9 }],
    });
    expect(await subjects("subs=1&test=foo.x")).toEqual(["foo.*", "foo.>"]);
    expect(await subjects("subs=1&test=größe")).toEqual(["größe"]);
    expect(await ask("subs=1&test=none")).not.toHaveProperty("subscriptions_list");
    expect(await ask("subs=1&acc=$SYS")).toMatchObject({ total: 0 });
    expect((await refusal(`${server.base}/subsz?test=foo.*`))[0]).toBe(400);
  });
});

describe("accounts", () => {
  it("are listed, looked at one by one, and missing ones are said to be missing", async () => {
    const server = await start();
    const one = await client(server, "one");
    one.subscribe("a");
    one.publish("a", "12345");
    await one.flush();
    expect((await get(`${server.base}/accountz`))["accounts"]).toEqual(["$G", "$SYS"]);
    expect((await get(`${server.base}/accountz?acc=$SYS`))["account_detail"]).toMatchObject({
      is_system: true,
    });
    expect((await get(`${server.base}/accountz?acc=$G`))["account_detail"]).not.toHaveProperty("mappings");
    expect(await refusal(`${server.base}/accountz?acc=x`)).toEqual([400, "Account x does not exist"]);
    await one.close();
    const used = async (): Promise<Json[]> =>
      (await get(`${server.base}/accstatz`))["account_statz"] as Json[];
    await waitFor("the account to be unused", async () => (await used()).length === 0);
    const unused = (await get(`${server.base}/accstatz?unused=1`))["account_statz"] as Json[];
    expect(unused[0]).toMatchObject({
      acc: "$G",
      conns: 0,
      sent: { msgs: 1, bytes: 5 },
      received: { msgs: 1 },
    });
  });
});

describe("healthz", () => {
  it("is well with every option of JetStream", async () => {
    const { base } = await start();
    for (const option of ["js-enabled", "js-enabled-only", "js-server-only", "js-meta-only", "details"]) {
      expect(await get(`${base}/healthz?${option}=true`)).toEqual({ status: "ok" });
    }
    expect(await refusal(`${base}/healthz?stream=x&details=1`)).toEqual([
      400,
      '{"status":"error","errors":[{"type":"BAD_REQUEST","error":"\\"account\\" must not be empty when checking stream health"}]}',
    ]);
  });

  it("fails while clients are sent away", async () => {
    const server = await start({ server: { lameDuckDurationMs: 60_000, lameDuckGracePeriodMs: 30_000 } });
    await client(server, "one");
    void server.server.lameDuck();
    expect((await refusal(`${server.base}/healthz`))[0]).toBe(500);
    expect((await refusal(`${server.base}/varz`))[0]).toBe(200);
  });
});

describe("the port", () => {
  it("is not opened where it is not configured", async () => {
    const plain = await startInProcess();
    cleanup.push(() => plain[Symbol.asyncDispose]());
    expect(plain.server.monitorPort).toBe(null);
  });

  it("that is taken keeps the server from starting", async () => {
    const first = await start();
    const second = start({ monitor: { port: first.server.monitorPort! } });
    await expect(second).rejects.toMatchObject({ code: "EADDRINUSE" });
  });

  it("is closed with the server, whoever is connected", async () => {
    const server = await start();
    const idle = await dial(server.server.monitorPort!);
    server.server.stop();
    await server.server.closed();
    await closing(idle);
    await expect(fetch(server.base)).rejects.toThrow("fetch failed");
  });
});
