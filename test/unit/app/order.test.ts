/**
 * In which order a server stops, and in which order a reload changes what it consists of. Nothing else says so: users come after
 * their accounts, farewells before the connections on which they travel.
 */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ClientPort } from "../../../src/ports/client/client-port.ts";
import { ClientUsers } from "../../../src/ports/client/client-users.ts";
import { ClusterPort } from "../../../src/ports/cluster/cluster-port.ts";
import { ConfigWatch } from "../../../src/app/config-watch.ts";
import { JetStreamPart } from "../../../src/app/jetstream.ts";
import { LeafPort } from "../../../src/ports/leaf/leaf-port.ts";
import { PortTls } from "../../../src/ports/port-tls.ts";
import { ReadinessWatch } from "../../../src/health/readiness-watch.ts";
import { Rebalancer } from "../../../src/app/rebalancer.ts";
import { Server } from "../../../src/app/server.ts";
import { Authenticator } from "../../../src/auth/authenticator.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { loadConfig, type LoadResult } from "../../../src/config/load.ts";
import { Accounts } from "../../../src/core/accounts.ts";
import { ClientSession } from "../../../src/links/client/session.ts";
import { Metrics } from "../../../src/metrics/metrics.ts";
import { Guard } from "../../../src/monitor/guard.ts";
import { MemoryDisk } from "../../../src/store/memory-disk.ts";
import { SystemService } from "../../../src/system/service.ts";
import { OpenWires } from "../../../src/transport/open-wires.ts";
import { RawConnection } from "../../support/raw-connection.ts";

const calls: string[] = [];
const cleanup: (() => unknown)[] = [];

beforeEach(() => void calls.splice(0));
afterEach(async () => {
  for (const act of cleanup.splice(0).reverse()) await act();
  vi.restoreAllMocks();
});

/** Records each call of a method of all instances, and carries it out. */
function record(prototype: object, method: string | symbol, name: string): void {
  const target = prototype as Record<string | symbol, (...args: unknown[]) => unknown>;
  const original = target[method]!;
  vi.spyOn(target, method as string).mockImplementation(function (this: unknown, ...args: unknown[]) {
    calls.push(name);
    return original.apply(this, args);
  });
}

/** Records when what such a method has prepared is applied. */
function recordApplying(prototype: object, name: string): void {
  const target = prototype as Record<string, (...args: unknown[]) => { apply(): void } | null>;
  const original = target["prepare"]!;
  vi.spyOn(target, "prepare").mockImplementation(function (this: unknown, ...args: unknown[]) {
    const prepared = original.apply(this, args);
    const apply = (): void => {
      calls.push(name);
      prepared?.apply();
    };
    return prepared === null ? null : { ...prepared, apply };
  });
}

const ALONE = ["server_name: order", "listen: 127.0.0.1:-1", "http: 127.0.0.1:-1"];
const WITH_STREAMS = [...ALONE, "jetstream { store_dir: /nowhere }"];
const IN_CLUSTER = [...ALONE, "cluster { name: c, listen: 127.0.0.1:-1, rebalance { enabled: true } }"];

function loaded(lines: readonly string[]): LoadResult & { readonly kind: "run" } {
  const result = loadConfig(["-c", "server.conf"], {}, () => Buffer.from(lines.join("\n")));
  if (result.kind !== "run") throw new Error(JSON.stringify(result));
  return result;
}

async function start(first: readonly string[], next: readonly string[] = first): Promise<Server> {
  const server = new Server({
    config: loaded(first).config,
    logger: silentLogger,
    disk: new MemoryDisk(),
    configSource: { load: async () => loaded(next), files: [], parts: [] },
  });
  cleanup.push(async () => {
    server.stop();
    await server.closed();
  });
  await server.start();
  return server;
}

/** What ends when a server stops, in this order. */
const STOPS = [
  [Rebalancer.prototype, Symbol.dispose, "rebalancing"],
  [SystemService.prototype, Symbol.dispose, "system service"],
  [JetStreamPart.prototype, "stop", "streams"],
  [LeafPort.prototype, "closeAll", "leaf nodes"],
  [ClientPort.prototype, "closeAll", "clients"],
  [ClusterPort.prototype, "stop", "routes"],
  [ReadinessWatch.prototype, Symbol.dispose, "readiness"],
  [ConfigWatch.prototype, Symbol.dispose, "watch of the configuration"],
  [ClientUsers.prototype, Symbol.dispose, "users"],
  [Accounts.prototype, Symbol.dispose, "accounts"],
  [PortTls.prototype, Symbol.dispose, "certificates"],
  [Metrics.prototype, Symbol.dispose, "monitoring"],
] as const;

it.each([
  ["alone, with streams", WITH_STREAMS, ["rebalancing", "routes"]],
  ["in a cluster", IN_CLUSTER, ["streams"]],
])("stops in its order, monitoring once connections have ended: %s", async (_name, config, absent) => {
  const server = await start(config);
  const client = await RawConnection.greeted(server.clientEndpoint!.port);
  for (const [prototype, method, name] of STOPS) record(prototype, method, name);
  const drained = vi.spyOn(OpenWires.prototype, "drained");
  server.stop();
  expect(calls).not.toContain("monitoring");
  await server.closed();
  expect(drained).toHaveBeenCalled();
  // Clients and accounts of the warm-up end by themselves, a second time.
  expect([...new Set(calls)]).toEqual(
    STOPS.map(([, , name]) => name).filter((name) => !absent.includes(name)),
  );
  await client.until("the end of the client", () => client.isClosed);
});

it("applies a reload in its order: certificates, accounts, users, monitoring, limits, routes, traces, INFO", async () => {
  const before = [...IN_CLUSTER, "accounts { A { users: [ { user: u, password: p } ] } }"];
  const server = await start(before, [
    ...ALONE,
    "cluster { name: c, listen: 127.0.0.1:-1, rebalance { enabled: true }, authorization { user: u, password: p } }",
    "accounts { A { users: [ { user: u, password: p }, { user: v, password: p } ] }, B {} }",
    "max_payload: 4096",
    "trace: true",
  ]);
  const client = await RawConnection.greeted(server.clientEndpoint!.port, { user: "u", pass: "p" });
  recordApplying(PortTls.prototype, "certificates");
  record(Accounts.prototype, "reconfigure", "accounts");
  record(Authenticator.prototype, "reconfigure", "users");
  record(ClientPort.prototype, "recheckGrants", "clients whose users have changed");
  record(ClientPort.prototype, "recheckAccounts", "clients whose accounts have changed");
  record(ClientPort.prototype, "applyLimits", "limits");
  record(ClusterPort.prototype, "reconfigure", "routes");
  record(ClientSession.prototype, "followTracing", "traces of clients");
  record(Guard.prototype, "use", "monitoring");
  record(ClientPort.prototype, "sendInfoToAll", "INFO");
  client.send("PING\r\n");
  await client.until("a sign of life", () => client.text.endsWith("PONG\r\n"));
  expect(await server.reload("request")).toMatchObject({ kind: "reloaded" });
  // What comes before is tried on accounts that nobody uses.
  expect(calls.slice(calls.indexOf("certificates"))).toEqual([
    "certificates",
    "accounts",
    "users",
    "clients whose users have changed",
    "monitoring",
    "clients whose accounts have changed",
    "limits",
    "routes",
    "traces of clients",
    "INFO",
  ]);
});
