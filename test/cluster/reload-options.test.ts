/**
 * Every option that a reload can change: what it is then seen to do. What takes a process, certificates, or a comparison with
 * nats-server is shown in other files, which are named here; so no option is without a test.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { ConfigOverrides } from "../../src/config/config.ts";
import { OPTIONS } from "../../src/config/schema.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { startInProcess, type InProcessServer } from "../support/in-process-server.ts";
import { RawConnection } from "../support/raw-connection.ts";

interface Shown {
  readonly before?: ConfigOverrides;
  readonly after: ConfigOverrides;
  readonly by: (started: InProcessServer) => Promise<void>;
}

const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const act of cleanup.splice(0).reverse()) await act();
});

async function greeted({ port }: InProcessServer, connectJson: object = {}): Promise<RawConnection> {
  const connection = await RawConnection.greeted(port, connectJson);
  cleanup.push(() => connection.destroy());
  return connection;
}

async function ask({ server }: InProcessServer, path: string, authorization = ""): Promise<Response> {
  return fetch(`http://127.0.0.1:${server.monitorPort}${path}`, { headers: { authorization } });
}

const monitor = { host: "127.0.0.1", port: 0 };
const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;
/** More than what the system takes for a reader that does not read. */
const FLOOD_MESSAGES = 40;
const MESSAGE_BYTES = 1_000_000;

async function flood(started: InProcessServer): Promise<void> {
  const reader = await greeted(started);
  reader.stopReading();
  reader.send("SUB flood 1\r\n");
  const writer = await greeted(started);
  await waitFor("the subscription", () => started.server.clients.subscriptionCount === 1);
  const message = Buffer.concat([
    Buffer.from(`PUB flood ${MESSAGE_BYTES}\r\n`),
    Buffer.alloc(MESSAGE_BYTES + 2, "\r\n"),
  ]);
  for (let i = 0; i < FLOOD_MESSAGES; i++) writer.send(message);
}

function usersDir(): string {
  const folder = mkdtempSync(join(tmpdir(), "users-"));
  cleanup.push(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "ann"), "a");
  return folder;
}

const shown: Readonly<Record<string, Shown>> = {
  server_tags: {
    before: { monitor },
    after: { monitor, server: { tags: ["a:b"] } },
    by: async (started) =>
      expect(await (await ask(started, "/varz")).json()).toMatchObject({ tags: ["a:b"] }),
  },
  server_metadata: {
    before: { monitor },
    after: { monitor, server: { metadata: { rack: "7" } } },
    by: async (started) =>
      expect(await (await ask(started, "/varz")).json()).toMatchObject({ metadata: { rack: "7" } }),
  },
  client_advertise: {
    after: { client: { advertise: { host: "nats.example", port: 1234 } } },
    by: async (started) =>
      expect((await greeted(started)).text).toContain('"host":"nats.example","port":1234'),
  },
  lame_duck_duration: {
    before: { server: { lameDuckDurationMs: 60_000_000, lameDuckGracePeriodMs: 1 } },
    after: { server: { lameDuckDurationMs: 50, lameDuckGracePeriodMs: 1 } },
    by: async (started) => {
      const clients = [await greeted(started), await greeted(started)];
      await started.server.lameDuck();
      for (const one of clients) await one.closed();
    },
  },
  lame_duck_grace_period: {
    before: { server: { lameDuckDurationMs: 60_000_000, lameDuckGracePeriodMs: 50_000_000 } },
    after: { server: { lameDuckDurationMs: 60_000_000, lameDuckGracePeriodMs: 1 } },
    by: async (started) => {
      const client = await greeted(started);
      void started.server.lameDuck();
      await client.closed();
    },
  },
  max_pending: {
    before: { client: { maxPendingBytes: 200_000_000, writeDeadlineMs: 1_000_000 } },
    after: { client: { maxPendingBytes: 2_000_000, writeDeadlineMs: 1_000_000 } },
    by: async (started) => {
      await flood(started);
      await waitFor("a slow consumer", () => started.server.clients.counters.slowConsumers === 1);
    },
  },
  write_deadline: {
    before: { client: { maxPendingBytes: 200_000_000, writeDeadlineMs: 1_000_000 } },
    after: { client: { maxPendingBytes: 200_000_000, writeDeadlineMs: 50 } },
    by: async (started) => {
      await flood(started);
      await waitFor("a slow consumer", () => started.server.clients.counters.slowConsumersByDeadline === 1);
    },
  },
  ping_interval: {
    after: { client: { pingIntervalMs: 20, pingMax: 1000 } },
    by: async (started) => {
      const client = await greeted(started);
      await client.until("PINGs", () => client.text.split("PING\r\n").length > 4);
    },
  },
  ping_max: {
    before: { client: { pingIntervalMs: 20, pingMax: 1_000_000 } },
    after: { client: { pingIntervalMs: 20, pingMax: 1 } },
    by: async (started) => {
      const client = await greeted(started);
      await client.closed();
      expect(client.errors).toEqual(["Stale Connection"]);
    },
  },
  "authorization.timeout": {
    before: { authorization: { token: "t", timeoutMs: 1_000_000 } },
    after: { authorization: { token: "t", timeoutMs: 50 } },
    by: async ({ port }) => {
      const client = await RawConnection.open(port);
      await client.closed();
      expect(client.errors).toEqual(["Authentication Timeout"]);
    },
  },
  "authorization.default_permissions": {
    before: { authorization: { users: [user("ann")] } },
    after: {
      authorization: {
        users: [user("ann")],
        defaultPermissions: { publish: { allow: null, deny: ["x"] }, subscribe: null, responses: null },
      },
    },
    by: async (started) => {
      const ann = await greeted(started, { user: "ann", pass: "a" });
      ann.send("PUB x 0\r\n\r\n");
      await ann.has("-ERR 'Permissions Violation for Publish to \"x\"'");
    },
  },
  "authorization.users_dir": {
    before: { authorization: { token: "t" } },
    after: { authorization: { usersDir: "made by the test" } },
    by: async (started) => {
      await greeted(started, { user: "ann", pass: "a" });
      const stranger = await RawConnection.open(started.port);
      stranger.send('CONNECT {"user":"ann","pass":"b"}\r\n');
      await stranger.closed();
    },
  },
  "monitor.authorization.user": {
    before: { monitor: { ...monitor, user: "u", password: "p" } },
    after: { monitor: { ...monitor, user: "v", password: "p" } },
    by: async (started) => {
      expect((await ask(started, "/varz", basic("u:p"))).status).toBe(401);
      expect((await ask(started, "/varz", basic("v:p"))).status).toBe(200);
    },
  },
  "monitor.authorization.password": {
    before: { monitor: { ...monitor, user: "u", password: "p" } },
    after: { monitor: { ...monitor, user: "u", password: "q" } },
    by: async (started) => {
      expect((await ask(started, "/varz", basic("u:p"))).status).toBe(401);
      expect((await ask(started, "/varz", basic("u:q"))).status).toBe(200);
    },
  },
  "monitor.authorization.token": {
    before: { monitor },
    after: { monitor: { ...monitor, token: "t" } },
    by: async (started) => {
      expect((await ask(started, "/varz")).status).toBe(401);
      expect((await ask(started, "/varz", "Bearer t")).status).toBe(200);
      expect((await ask(started, "/healthz")).status).toBe(200);
    },
  },
};

const elsewhere: Readonly<Record<string, readonly string[]>> = {
  "test/cluster/reload.test.ts": [
    "reload.watch",
    "pid_file",
    "ports_file_dir",
    "log_file",
    "log_format",
    "trace",
  ],
  "test/unit/auth/callout.test.ts": ["authorization.auth_callout"],
  "test/unit/log/reload.test.ts": [
    "debug",
    "logtime",
    "logtime_utc",
    "log_size_limit",
    "log_max_num",
    "syslog",
    "remote_syslog",
  ],
  "test/protocol/reload.test.ts": [
    "max_connections",
    "max_subscriptions",
    "max_sub_tokens",
    "max_payload",
    "max_control_line",
    "authorization.user",
    "authorization.password",
    "authorization.token",
    "authorization.users",
    "no_auth_user",
    "accounts",
    "mappings",
  ],
  "test/cluster/reload-routes.test.ts": [
    "cluster.no_advertise",
    "cluster.authorization.user",
    "cluster.authorization.password",
    "cluster.compression",
    "cluster.routes",
    "cluster.permissions",
    "cluster.ping_interval",
    "cluster.ping_max",
    "cluster.write_deadline",
  ],
  "test/unit/discovery/discovery.test.ts": ["cluster.discovery.interval"],
  "test/protocol/proxies.test.ts": ["authorization.proxy_required", "proxies.trusted"],
  "test/protocol/server-keys.test.ts": ["no_fast_producer_stall"],
  "test/client/websocket-reload.test.ts": [
    "websocket.advertise",
    "websocket.allowed_origins",
    "websocket.authorization.password",
    "websocket.authorization.timeout",
    "websocket.authorization.token",
    "websocket.authorization.user",
    "websocket.compression",
    "websocket.handshake_timeout",
    "websocket.headers",
    "websocket.no_auth_user",
    "websocket.pass_cookie",
    "websocket.ping_interval",
    "websocket.same_origin",
    "websocket.tls",
    "websocket.token_cookie",
    "websocket.user_cookie",
  ],
  "test/client/leaf-reload.test.ts": [
    "leafnodes.advertise",
    "leafnodes.authorization.account",
    "leafnodes.authorization.nkey",
    "leafnodes.authorization.password",
    "leafnodes.authorization.proxy_required",
    "leafnodes.authorization.timeout",
    "leafnodes.authorization.user",
    "leafnodes.authorization.users",
    "leafnodes.compression",
    "leafnodes.dial_timeout",
    "leafnodes.min_version",
    "leafnodes.no_advertise",
    "leafnodes.ping_interval",
    "leafnodes.ping_max",
    "leafnodes.reconnect",
    "leafnodes.remotes",
    "leafnodes.tls",
    "leafnodes.write_deadline",
  ],
  "test/client/jetstream-size.test.ts": ["jetstream.cluster_size"],
  "test/monitor/messagez.test.ts": ["monitor.show_messages"],
  "test/interop/operator-sources.test.ts": ["resolver_preload"],
  "test/interop/operator-reload.test.ts": ["default_sentinel", "resolver_pinned_accounts"],
  "test/interop/operator-web.test.ts": ["resolver_tls"],
  "test/tls/server.test.ts": ["tls", "allow_non_tls", "cluster.tls"],
};

function user(name: string): never {
  return { user: name, password: "a", permissions: null, connectionTypes: [] } as never;
}

describe("a reload changes", () => {
  it.each(Object.keys(shown))("%s", async (key) => {
    const { before = {}, after, by } = shown[key]!;
    const started = await startInProcess(before);
    cleanup.push(() => started[Symbol.asyncDispose]());
    const usesFolder = after.authorization?.usersDir !== undefined;
    const next = usesFolder ? { ...after, authorization: { usersDir: usersDir() } } : after;
    expect(await started.reload(next)).toMatchObject({ kind: "reloaded", waiting: [] });
    await by(started);
  });

  it("nothing that is not shown", () => {
    const live = OPTIONS.filter(
      ({ reload, status, initials }) => reload === "live" && status === "built" && initials.length > 0,
    ).map(({ key }) => key);
    expect([...Object.keys(shown), ...Object.values(elsewhere).flat()].toSorted()).toEqual(live.toSorted());
  });
});
