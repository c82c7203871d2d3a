import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { VirtualClock } from "../../../src/base/clock.ts";
import type { Logger } from "../../../src/base/logger.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { seededRandom } from "../../../src/base/random.ts";
import { DnsSource, type DnsName } from "../../../src/discovery/dns.ts";
import { FakeResolver } from "./fake-resolver.ts";

const INTERVAL_MS = 5000;

let clock: VirtualClock;
let resolver: FakeResolver;
let isMeshWhole: boolean;
let lines: string[];
let reports: string[];
let watch: Disposable;

beforeEach(() => {
  clock = new VirtualClock(1_000_000);
  resolver = new FakeResolver();
  isMeshWhole = true;
  lines = [];
  reports = [];
});

afterEach(() => {
  watch[Symbol.dispose]();
  expect(clock.timerCount).toBe(0);
});

/** Watches, and remembers each report as "ORIGIN: HOST:PORT …". */
async function watched(given: Partial<DnsName> = {}): Promise<DnsSource> {
  const logger: Logger = {
    ...silentLogger,
    info: (message) => void lines.push(`info ${message}`),
    warn: (message, fields) => void lines.push(`warn ${message}: ${String(fields?.["error"])}`),
  };
  const options = {
    intervalMs: INTERVAL_MS,
    clock,
    random: seededRandom(1),
    logger,
    resolver,
    isMeshWhole: () => isMeshWhole,
  };
  const source = new DnsSource({ host: "nats", port: 6222, ...given }, options);
  watch = source.watch((peers, origin) => {
    reports.push(`${origin}: ${peers.map(({ host, port }) => `${host}:${port}`).join(" ")}`);
  });
  await settle();
  return source;
}

/** Questions and answers take turns of the event loop, not time. */
async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Lets time pass in small steps, so that each lookup finds its answer before the next. */
async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 250) {
    clock.advance(250);
    await settle();
  }
}

describe("a name", () => {
  it("stands for all its addresses, of both families", async () => {
    resolver.zone = { nats: { A: ["10.0.0.2", "10.0.0.1"], AAAA: ["fd00::1"] } };
    const source = await watched();
    expect(reports).toEqual(["discovered: 10.0.0.1:6222 10.0.0.2:6222 fd00::1:6222"]);
    expect(source.snapshot().peers[0]).toEqual({ host: "10.0.0.1", port: 6222, verifyName: "nats" });
  });

  it.each([
    ["A", "10.0.0.1"],
    ["AAAA", "fd00::1"],
  ])("may have %s records alone", async (type, address) => {
    resolver.zone = { nats: { [type]: [address] } };
    await watched();
    expect(reports).toEqual([`explicit: ${address}:6222`]);
  });

  it("is searched for by the rules of the container, and asked for by its full name from then on", async () => {
    resolver.resolvConf = "search demo.svc svc\noptions ndots:5";
    resolver.zone = { "nats.svc": { A: ["10.0.0.1"] } };
    await watched();
    expect(reports).toEqual(["explicit: 10.0.0.1:6222"]);
    resolver.questions.length = 0;
    await pass(INTERVAL_MS);
    expect([...new Set(resolver.questions)]).toEqual(["nats.svc A", "nats.svc AAAA"]);
  });

  it("is taken from the hosts file where it is there, and from the system where DNS does not know it", async () => {
    resolver.hosts = "10.0.0.7 nats";
    resolver.system = { nats: ["192.0.2.1"] };
    resolver.zone = { nats: { A: ["10.0.0.1"] } };
    await watched();
    resolver.hosts = "";
    await pass(INTERVAL_MS);
    expect(reports).toEqual(["explicit: 10.0.0.7:6222", "explicit: 10.0.0.1:6222"]);
    watch[Symbol.dispose]();
    resolver.zone = {};
    reports = [];
    await watched();
    expect(reports).toEqual(["explicit: 192.0.2.1:6222"]);
  });

  it("has at most 1024 addresses", async () => {
    const many = Array.from({ length: 1500 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
    resolver.zone = { nats: { A: many } };
    const source = await watched();
    expect(source.snapshot().peers).toHaveLength(1024);
    expect(source.snapshot().lastError).toContain("1500 addresses");
  });
});

describe("a name with SRV records", () => {
  const srv = { host: "_cluster._tcp.nats", port: null, records: "srv" } as const;

  it("stands for their targets, each with its port and name", async () => {
    resolver.zone = {
      "_cluster._tcp.nats": { SRV: ["nats-0.nats:6222", "nats-1.nats:6223"] },
      "nats-0.nats": { A: ["10.0.0.1"], AAAA: ["fd00::1"] },
      "nats-1.nats": { A: ["10.0.0.2"] },
    };
    const source = await watched(srv);
    expect(reports).toEqual(["discovered: 10.0.0.1:6222 10.0.0.2:6223 fd00::1:6222"]);
    expect(source.snapshot().peers[1]).toEqual({
      host: "10.0.0.2",
      port: 6223,
      name: "nats-1",
      verifyName: "nats-1.nats",
    });
  });

  it("stands for those of one port, if it is given with one", async () => {
    resolver.zone = {
      nats: { SRV: ["nats-0.nats:4222", "nats-0.nats:6222"] },
      "nats-0.nats": { A: ["10.0.0.1"] },
    };
    await watched({ ...srv, host: "nats", port: 6222 });
    expect(reports).toEqual(["discovered: 10.0.0.1:6222"]);
  });

  it("keeps a target whose address cannot be had for the moment, and drops one that is gone", async () => {
    const records = { SRV: ["nats-0.nats:6222", "nats-1.nats:6222"] };
    resolver.zone = {
      "_cluster._tcp.nats": records,
      "nats-0.nats": { A: ["10.0.0.1"] },
      "nats-1.nats": { A: ["10.0.0.2"] },
    };
    await watched(srv);
    reports = [];
    resolver.zone = {
      "_cluster._tcp.nats": records,
      "nats-0.nats": { A: "ESERVFAIL", AAAA: "ESERVFAIL" },
      "nats-1.nats": { A: ["10.0.0.3"] },
    };
    await pass(INTERVAL_MS);
    delete resolver.zone["nats-1.nats"];
    resolver.zone["nats-0.nats"] = { A: ["10.0.0.1"] };
    await pass(INTERVAL_MS);
    expect(reports).toEqual(["discovered: 10.0.0.1:6222 10.0.0.3:6222", "discovered: 10.0.0.1:6222"]);
  });
});

describe("a name is looked up again", () => {
  it.each([
    ["after the interval", 3600, true, [8, 11]],
    ["after the time to live, where that is shorter", 2, true, [20, 27]],
    ["after no less than a second, whatever the time to live", 0, true, [40, 54]],
    ["sooner while members are missing", 3600, false, [40, 54]],
  ])("%s", async (_what, ttl, whole, [least, most]) => {
    isMeshWhole = whole;
    resolver.zone = { nats: { A: ["10.0.0.1"], ttl } };
    const source = await watched();
    await pass(40_000);
    expect(source.snapshot().lookups).toBeGreaterThanOrEqual(least!);
    expect(source.snapshot().lookups).toBeLessThanOrEqual(most!);
    expect(reports).toHaveLength(1);
  });

  it("at once, or nearly so, when a member is lost", async () => {
    resolver.zone = { nats: { A: ["10.0.0.1"] } };
    const source = await watched();
    for (let i = 0; i < 100; i++) source.hasten();
    await pass(1000);
    expect(source.snapshot().lookups).toBe(2);
  });

  it("and replaces what it was, as in a rollout", async () => {
    resolver.zone = { nats: { A: ["10.0.0.1", "10.0.0.2"] } };
    await watched();
    resolver.zone = { nats: { A: ["10.0.0.3", "10.0.0.2"] } };
    await pass(INTERVAL_MS);
    resolver.zone = { nats: { A: ["10.0.0.3", "10.0.0.4"] } };
    await pass(INTERVAL_MS);
    expect(reports.slice(1)).toEqual([
      "discovered: 10.0.0.2:6222 10.0.0.3:6222",
      "discovered: 10.0.0.3:6222 10.0.0.4:6222",
    ]);
  });
});

describe("trouble with DNS", () => {
  const good = { nats: { A: ["10.0.0.1", "10.0.0.2"], AAAA: ["fd00::1"] } };

  it.each([
    ["SERVFAIL", () => (resolver.zone = { nats: { A: "ESERVFAIL", AAAA: "ESERVFAIL" } }), "query ESERVFAIL"],
    [
      "a refused connection",
      () => (resolver.zone = { nats: { A: "ECONNREFUSED", AAAA: "ECONNREFUSED" } }),
      "query ECONNREFUSED",
    ],
    ["silence", () => (resolver.isSilent = true), "no answer within 5000 ms"],
  ])("%s takes nothing away, however long it lasts, and costs two lines", async (_what, begin, error) => {
    resolver.zone = good;
    const source = await watched();
    begin();
    await pass(600_000);
    expect(reports).toHaveLength(1);
    expect(source.snapshot()).toMatchObject({ lastError: error });
    expect(source.snapshot().peers).toHaveLength(3);
    expect(source.snapshot().failures).toBeGreaterThan(90);
    expect(clock.nowMs() - source.snapshot().answeredMs!).toBeGreaterThanOrEqual(600_000);
    resolver.isSilent = false;
    resolver.cancel();
    resolver.zone = { nats: { A: ["10.0.0.1"] } };
    await pass(INTERVAL_MS);
    expect(reports.slice(1)).toEqual(["explicit: 10.0.0.1:6222"]);
    expect(source.snapshot().lastError).toBeNull();
    expect(lines).toEqual([
      `warn The name of other servers has no address now; it is looked up again: ${error}`,
      "info The name of other servers has addresses again",
    ]);
  });

  it.each([
    ["that there is no such name", {}],
    ["that the name has no address", { nats: {} }],
  ])("the answer %s is believed after a minute", async (_what, zone) => {
    resolver.zone = good;
    const source = await watched();
    resolver.zone = zone;
    await pass(55_000);
    expect(reports).toHaveLength(1);
    await pass(10_000);
    expect(reports.slice(1)).toEqual(["discovered: "]);
    expect(source.snapshot().hasShown).toBe(true);
    resolver.zone = good;
    await pass(2000);
    expect(reports).toHaveLength(3);
    expect(lines).toHaveLength(2);
  });

  it("that there is nobody, from the start on, is an answer that shows no address", async () => {
    resolver.zone = {};
    const source = await watched();
    await pass(1000);
    expect(source.snapshot()).toMatchObject({ hasShown: false, lastError: null });
    expect(source.snapshot().answeredMs).not.toBeNull();
    resolver.zone = good;
    await pass(2000);
    expect(source.snapshot().hasShown).toBe(true);
  });

  it("with one family leaves the other's answer, and what that family was", async () => {
    resolver.zone = good;
    await watched();
    resolver.zone = { nats: { A: ["10.0.0.1"], AAAA: "ESERVFAIL" } };
    await pass(INTERVAL_MS);
    expect(reports.slice(1)).toEqual(["discovered: 10.0.0.1:6222 fd00::1:6222"]);
    expect(lines).toEqual([]);
  });

  it("from the start is waited out", async () => {
    resolver.isSilent = true;
    const source = await watched();
    await pass(60_000);
    expect(reports).toEqual([]);
    expect(source.snapshot().answeredMs).toBeNull();
    resolver.isSilent = false;
    resolver.cancel();
    resolver.zone = good;
    await pass(2000);
    expect(reports).toHaveLength(1);
  });

  it("of one search domain does not hide the next, but silence ends the search", async () => {
    resolver.resolvConf = "search a b";
    resolver.zone = { "nats.a": { A: "ESERVFAIL", AAAA: "ESERVFAIL" }, "nats.b": { A: ["10.0.0.1"] } };
    const source = await watched();
    expect(reports).toEqual(["explicit: 10.0.0.1:6222"]);
    resolver.zone = { "nats.b": { A: "ETIMEOUT", AAAA: "ETIMEOUT" } };
    resolver.questions.length = 0;
    await pass(INTERVAL_MS);
    expect(new Set(resolver.questions)).toEqual(new Set(["nats.b A", "nats.b AAAA"]));
    expect(source.snapshot().lastError).toBe("query ETIMEOUT");
  });
});

it("nothing is reported after the end of the watch", async () => {
  resolver.isSilent = true;
  const source = await watched();
  watch[Symbol.dispose]();
  await settle();
  expect(source.snapshot()).toMatchObject({ lookups: 0, peers: [] });
  source.hasten();
});
