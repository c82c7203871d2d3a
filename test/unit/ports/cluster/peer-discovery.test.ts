import { describe, expect, it, onTestFinished } from "vitest";
import { PeerDiscovery, type ConfiguredRoute } from "../../../../src/ports/cluster/peer-discovery.ts";
import { VirtualClock } from "../../../../src/base/clock.ts";
import { liveCell } from "../../../../src/base/live.ts";
import { silentLogger } from "../../../../src/base/logger.ts";
import { seededRandom } from "../../../../src/base/random.ts";
import { DnsSource } from "../../../../src/discovery/dns.ts";
import { SYSTEM_EDGE } from "../../../../src/ports/cluster/system-edge.ts";
import { FakeResolver } from "../../discovery/fake-resolver.ts";

const route = (host: string, port = 6222): ConfiguredRoute => ({ host, port, credentials: null });

/** What the mesh is told, once every name has been looked up: "SOURCE ORIGIN ADDRESS …". */
async function told(
  routes: readonly ConfiguredRoute[],
  zone: FakeResolver["zone"],
  own: readonly string[] = [],
): Promise<{ reports: string[]; discovery: PeerDiscovery }> {
  const reports: string[] = [];
  const discovery = new PeerDiscovery(liveCell({ routes, discoveryIntervalMs: 5000 }), {
    clock: new VirtualClock(),
    logger: silentLogger,
    edge: {
      ...SYSTEM_EDGE,
      random: seededRandom(1),
      createDnsSource: (name, options) =>
        new DnsSource(name, { ...options, resolver: Object.assign(new FakeResolver(), { zone }) }),
    },
    kubernetes: null,
    port: 6222,
    onOwnZone: () => undefined,
    isMeshWhole: () => true,
    onReport: ({ source, origin, peers }) => {
      const words = peers.map(({ host, port, credentials }) => `${credentials?.user ?? ""}@${host}:${port}`);
      reports.push([source, origin, ...words].join(" "));
    },
  });
  onTestFinished(() => discovery[Symbol.dispose]());
  discovery.start(own);
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
  return { reports, discovery };
}

describe("the routes of a configuration", () => {
  it("stay as they are if literal, and are looked up if names, each with its credentials", async () => {
    const credentials = { user: "u", pass: "p" };
    const routes = [route("10.0.0.1"), route("::1"), route("localhost"), { ...route("shoal"), credentials }];
    const { reports } = await told(routes, { shoal: { A: ["10.0.0.2", "10.0.0.3"] } });
    expect(reports).toEqual([
      "routes explicit @10.0.0.1:6222 @::1:6222 @localhost:6222",
      "dns shoal:6222 discovered u@10.0.0.2:6222 u@10.0.0.3:6222",
    ]);
  });

  it("are not dialled where they name this server alone, as it advertises itself", async () => {
    const zone = { me: { A: ["192.0.2.1"], AAAA: ["2001:db8::1"] }, you: { A: ["192.0.2.2"] } };
    const { reports } = await told([route("me"), route("me", 6223), route("you")], zone, ["me:6222"]);
    expect(reports.sort()).toEqual([
      "dns me:6222 discovered",
      "dns me:6223 discovered @192.0.2.1:6223 @2001:db8::1:6223",
      "dns you:6222 explicit @192.0.2.2:6222",
    ]);
  });

  it("are dialled where the advertised name is that of all servers", async () => {
    const { reports } = await told([route("all")], { all: { A: ["10.0.0.1", "10.0.0.2"] } }, ["all:6222"]);
    expect(reports).toEqual(["dns all:6222 discovered @10.0.0.1:6222 @10.0.0.2:6222"]);
  });

  it("show the other servers, this one left out", async () => {
    const zone = { shoal: { A: ["10.0.0.1", "10.0.0.2"] }, me: { A: ["192.0.2.1"] } };
    const { discovery } = await told([route("me"), route("shoal")], zone, ["10.0.0.1:6222", "me:6222"]);
    expect(discovery.snapshot()).toMatchObject([
      { name: "dns me:6222", peers: [] },
      { name: "dns shoal:6222", lookups: 1, failures: 0, answerAgeMs: 0, peers: [{ host: "10.0.0.2" }] },
    ]);
  });
});
