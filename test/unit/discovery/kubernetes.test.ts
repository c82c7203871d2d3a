/** EndpointSlices as a source of peers, read from a fake API server over HTTP by the real client. */
import { writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock, type Clock } from "../../../src/base/clock.ts";
import { silentLogger, type Logger } from "../../../src/base/logger.ts";
import { systemRandom } from "../../../src/base/random.ts";
import type { DiscoveredPeer } from "../../../src/discovery/discovery.ts";
import { KubernetesSource } from "../../../src/discovery/kubernetes-source.ts";
import { waitFor } from "../../support/cluster-wait.ts";
import { FakeKubernetes, pod } from "../../support/fake-kubernetes.ts";

const ports = [
  { name: "client", port: 4222 },
  { name: "cluster", port: 6222 },
];

let api: FakeKubernetes;
let watching: Watching | null = null;

beforeEach(async () => {
  api = await FakeKubernetes.start();
});

afterEach(async () => {
  watching?.watch[Symbol.dispose]();
  watching = null;
  await api[Symbol.asyncDispose]();
});

/** A source at work, on a clock that waits little and remembers how long it was to wait. */
class Watching {
  readonly reports: (readonly DiscoveredPeer[])[] = [];
  readonly delaysMs: number[] = [];
  readonly said: string[] = [];
  readonly source: KubernetesSource;
  readonly watch: Disposable;

  constructor(namespace: string | null = null) {
    const clock: Clock = {
      nowMs: () => systemClock.nowMs(),
      setTimer: (delayMs, fire) => {
        // How long a watch has to last, as against the pauses between tries.
        if (delayMs === 1000) return systemClock.setTimer(delayMs, fire);
        this.delaysMs.push(delayMs);
        return systemClock.setTimer(Math.min(delayMs, 5), fire);
      },
    };
    const say = (msg: string): void => void this.said.push(msg);
    const logger: Logger = { ...silentLogger, warn: say, info: say };
    this.source = new KubernetesSource({
      service: "peers",
      namespace,
      portName: "cluster",
      defaultPort: 7777,
      clock,
      random: systemRandom,
      logger,
    });
    this.watch = this.source.watch((peers) => this.reports.push(peers));
  }

  get hosts(): string {
    return (this.reports.at(-1) ?? []).map(({ host }) => host).join();
  }

  async sees(hosts: string): Promise<void> {
    await waitFor(
      `the source to see ${hosts}`,
      () => this.reports.length > 0 && this.hosts === hosts,
      () => `${this.hosts}; said: ${this.said.join("; ")}`,
    );
  }
}

function watch(namespace: string | null = null): Watching {
  return (watching = new Watching(namespace));
}

async function watched(): Promise<void> {
  await waitFor("a watch", () => api.watchers > 0);
}

describe("the set of peers", () => {
  it("has the pods of the service with name, node, zone, readiness, address and the port of that name", async () => {
    api.put("peers-x", {
      ports,
      endpoints: [
        pod("p-0", "10.0.0.1", { nodeName: "n1", zone: "z1", hostname: "p-0" }),
        pod("p-1", "10.0.0.2", { conditions: { ready: true, serving: false } }),
        pod("p-2", "10.0.0.3", { conditions: {} }),
        pod("p-3", "10.0.0.4", { conditions: { ready: true, serving: true, terminating: true } }),
        pod("p-4", "10.0.0.5", { conditions: { ready: false, serving: false, terminating: true } }),
        { addresses: ["10.0.0.6"] },
      ],
    });
    const seen = watch();
    await seen.sees("10.0.0.6,10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4");
    const port = 6222;
    expect(seen.reports.at(-1)).toEqual([
      { host: "10.0.0.6", port, isReady: true },
      {
        host: "10.0.0.1",
        port,
        name: "p-0",
        node: "n1",
        zone: "z1",
        isReady: true,
        verifyName: "p-0.peers.here.svc",
      },
      { host: "10.0.0.2", port, name: "p-1", isReady: false },
      { host: "10.0.0.3", port, name: "p-2", isReady: true },
      { host: "10.0.0.4", port, name: "p-3", isReady: false },
    ]);
    const [list] = api.requests;
    expect(list).toMatchObject({ kind: "list", namespace: "here", authorization: "Bearer secret" });
    expect(list!.query.get("labelSelector")).toBe("kubernetes.io/service-name=peers");
    await watched();
    expect(api.requests[1]!.query.get("labelSelector")).toBe("kubernetes.io/service-name=peers");
    expect(api.requests[1]!.query.get("allowWatchBookmarks")).toBe("true");
  });

  it("has a pod with an address of each family once, and pods with IPv6 alone", async () => {
    api.put("v6", {
      addressType: "IPv6",
      ports,
      endpoints: [pod("p-0", "fd00::1"), pod("p-1", "fd00::2")],
    });
    api.put("v4", { addressType: "IPv4", ports, endpoints: [pod("p-0", "10.0.0.1")] });
    await watch().sees("10.0.0.1,fd00::2");
  });

  it("takes the port of this server where the service has none of that name", async () => {
    api.put("a", { endpoints: [pod("p-0", "10.0.0.1")] });
    const seen = watch();
    await seen.sees("10.0.0.1");
    expect(seen.reports.at(-1)![0]!.port).toBe(7777);
  });

  it("is of the namespace that is configured", async () => {
    watch("elsewhere");
    await watched();
    expect(api.requests.map(({ namespace }) => namespace)).toEqual(["elsewhere", "elsewhere"]);
  });

  it("is empty where the service has no slices, which is said", async () => {
    const seen = watch();
    await seen.sees("");
    expect(seen.reports).toEqual([[]]);
    expect(seen.said).toEqual(["Kubernetes knows no EndpointSlices of this service (yet)"]);
  });
});

describe("changes", () => {
  it("are told as they happen, and only what has changed", async () => {
    api.put("a", { ports, endpoints: [pod("p-0", "10.0.0.1")] });
    const seen = watch();
    await seen.sees("10.0.0.1");
    await watched();
    api.put("b", { ports, endpoints: [pod("p-1", "10.0.0.2")] });
    await seen.sees("10.0.0.1,10.0.0.2");
    api.put("b", { ports, endpoints: [pod("p-1", "10.0.0.2")] });
    api.bookmark();
    api.put("a", { ports, endpoints: [pod("p-0", "10.0.0.9")] });
    await seen.sees("10.0.0.9,10.0.0.2");
    api.delete("a");
    await seen.sees("10.0.0.2");
    expect(seen.reports).toHaveLength(4);
    expect(api.count("list")).toBe(1);
  });

  it.each(["endWatches", "cutWatches"] as const)(
    "during a gap (%s) arrive by going on from the last version",
    async (end) => {
      api.put("a", { ports, endpoints: [pod("p-0", "10.0.0.1")] });
      const seen = watch();
      await seen.sees("10.0.0.1");
      await watched();
      const version = api.bookmark();
      api.put("c", { ports, endpoints: [pod("p-2", "10.0.0.3")] });
      await seen.sees("10.0.0.1,10.0.0.3");
      api[end]();
      api.put("b", { ports, endpoints: [pod("p-1", "10.0.0.2")] });
      await seen.sees("10.0.0.1,10.0.0.2,10.0.0.3");
      expect(api.count("list")).toBe(1);
      const versions = api.requests.slice(1).map(({ query }) => Number(query.get("resourceVersion")));
      expect(versions[1]).toBe(Number(version) + 1);
    },
  );

  it.each(["in the watch", "as an answer"])(
    "that were forgotten (410, %s) are found by a new list",
    async (where) => {
      api.put("a", { ports, endpoints: [pod("p-0", "10.0.0.1")] });
      api.put("b", { ports, endpoints: [pod("p-1", "10.0.0.2")] });
      const seen = watch();
      await seen.sees("10.0.0.1,10.0.0.2");
      await watched();
      if (where === "as an answer") api.watchFault = 410;
      api.cutWatches();
      api.delete("a");
      api.compact();
      await seen.sees("10.0.0.2");
      api.watchFault = null;
      await watched();
      api.put("c", { ports, endpoints: [pod("p-2", "10.0.0.3")] });
      await seen.sees("10.0.0.2,10.0.0.3");
      expect(api.count("list")).toBeGreaterThan(1);
      // A version that is too old is ordinary.
      expect(seen.said.filter((line) => line.includes("410"))).toEqual([]);
    },
  );
});

describe("an API server that fails", () => {
  it.each([403, 401, 500, "garbage", "empty"] as const)(
    "(%s) is asked again, ever more slowly, and complained about once; then all goes on",
    async (fault) => {
      api.fault = fault;
      api.put("a", { ports, endpoints: [pod("p-0", "10.0.0.1")] });
      const seen = watch();
      await waitFor("many tries", () => seen.source.snapshot().failures > 9);
      expect(seen.reports).toEqual([]);
      expect(seen.said).toHaveLength(1);
      expect(seen.said[0]).toContain("Kubernetes does not tell of other servers");
      if (typeof fault === "number") expect(seen.said[0]).toContain(`HTTP status ${fault}`);
      expect(seen.said.join()).not.toContain("secret");
      expect(seen.source.snapshot().lastError).not.toBeNull();
      const [first, ...later] = seen.delaysMs;
      expect(first).toBeGreaterThanOrEqual(500);
      expect(first).toBeLessThanOrEqual(1000);
      expect(Math.max(...later)).toBeGreaterThanOrEqual(30_000);
      expect(Math.max(...later)).toBeLessThanOrEqual(60_000);
      api.fault = null;
      await seen.sees("10.0.0.1");
      expect(seen.said).toHaveLength(2);
      expect(seen.source.snapshot()).toMatchObject({ lastError: null, name: "kubernetes" });
    },
  );

  it.each([403, "garbage", "empty"] as const)(
    "(%s, on watches alone) does not make peers go",
    async (fault) => {
      api.watchFault = fault;
      api.put("a", { ports, endpoints: [pod("p-0", "10.0.0.1")] });
      const seen = watch();
      await seen.sees("10.0.0.1");
      await waitFor("many tries", () => seen.source.snapshot().failures > 5);
      expect(api.count("list")).toBe(1);
      expect(seen.reports).toHaveLength(1);
      expect(seen.said).toHaveLength(1);
      api.watchFault = null;
      api.put("b", { ports, endpoints: [pod("p-1", "10.0.0.2")] });
      await seen.sees("10.0.0.1,10.0.0.2");
    },
  );

  it("by going away does not make peers go; what has changed is seen when it is back", async () => {
    api.put("a", { ports, endpoints: [pod("p-0", "10.0.0.1")] });
    const seen = watch();
    await seen.sees("10.0.0.1");
    await watched();
    await api.down();
    await waitFor("many tries", () => seen.source.snapshot().failures > 5);
    expect(seen.reports).toHaveLength(1);
    expect(seen.said.filter((line) => line.includes("ECONNREFUSED"))).toHaveLength(1);
    await api.up();
    await waitFor("a line", () => seen.said.at(-1) === "Kubernetes tells of other servers again");
    api.put("a", { ports, endpoints: [pod("p-0", "10.0.0.2")] });
    await seen.sees("10.0.0.2");
  });

  it("by nonsense between changes is not listened to", async () => {
    api.put("a", { ports, endpoints: [pod("p-0", "10.0.0.1")] });
    const seen = watch();
    await seen.sees("10.0.0.1");
    await watched();
    const nonsense = [
      "null",
      "[]",
      "{",
      '"text"',
      '{"type":"ADDED"}',
      '{"type":"ADDED","object":null}',
      '{"type":"ADDED","object":{"metadata":{"resourceVersion":7,"name":"n"}}}',
      '{"type":"ADDED","object":{"metadata":{"resourceVersion":"200","name":"n"},"addressType":"IPv4","endpoints":{"a":1}}}',
      '{"type":"ADDED","object":{"metadata":{"resourceVersion":"201","name":"m"},"addressType":"IPv4","endpoints":[null,{},{"addresses":[7]},{"addresses":{}}],"ports":[null]}}',
      '{"type":"DELETED","object":{"metadata":{"resourceVersion":"202"}}}',
      '{"type":"WHAT","object":{"metadata":{"resourceVersion":"203","name":"a"}}}',
    ];
    for (const line of nonsense) api.raw(line);
    api.put("b", { ports, endpoints: [pod("p-1", "10.0.0.2")] });
    await seen.sees("10.0.0.1,10.0.0.2");
    expect(seen.reports).toHaveLength(2);
  });

  it("by breaking watches off with an error each time is not asked in a loop", async () => {
    api.put("a", { ports, endpoints: [pod("p-0", "10.0.0.1")] });
    const seen = watch();
    await seen.sees("10.0.0.1");
    await watched();
    const tries = seen.delaysMs.length;
    api.watchFault = 410;
    api.cutWatches();
    await waitFor("many tries", () => seen.delaysMs.length > tries + 12);
    expect(Math.max(...seen.delaysMs)).toBeGreaterThanOrEqual(30_000);
    expect(seen.reports).toHaveLength(1);
  });
});

describe("credentials", () => {
  it("are read again when they are refused: a token that was renewed counts at once", async () => {
    const { user, file } = api.tokenFile("old");
    process.env["KUBECONFIG"] = api.kubeconfig("here", user);
    api.token = "new";
    api.put("a", { ports, endpoints: [pod("p-0", "10.0.0.1")] });
    const seen = watch();
    await waitFor("a refusal", () => seen.source.snapshot().failures > 2);
    writeFileSync(file, "new");
    await seen.sees("10.0.0.1");
    expect(seen.said.join()).not.toMatch(/\bold\b|\bnew\b/);
  });

  it("that are nowhere are asked for once", async () => {
    delete process.env["KUBECONFIG"];
    const host = process.env["KUBERNETES_SERVICE_HOST"];
    delete process.env["KUBERNETES_SERVICE_HOST"];
    try {
      const seen = watch();
      await waitFor("tries", () => seen.source.snapshot().failures > 3);
      expect(seen.said).toEqual([
        "Kubernetes does not tell of other servers: this is no pod of Kubernetes, and KUBECONFIG is not set",
      ]);
    } finally {
      if (host !== undefined) process.env["KUBERNETES_SERVICE_HOST"] = host;
    }
  });
});

describe("the end", () => {
  it("closes the watch, and nothing is told after it", async () => {
    api.put("a", { ports, endpoints: [pod("p-0", "10.0.0.1")] });
    const seen = watch();
    await seen.sees("10.0.0.1");
    await watched();
    seen.watch[Symbol.dispose]();
    await waitFor("the watch to end", () => api.watchers === 0);
    const asked = api.requests.length;
    api.put("b", { ports, endpoints: [pod("p-1", "10.0.0.2")] });
    expect(seen.reports).toHaveLength(1);
    expect(api.requests).toHaveLength(asked);
    expect(seen.said).toEqual([]);
  });

  it("does not wait for an answer that does not come", async () => {
    api.fault = "silence";
    const seen = watch();
    await waitFor("a request", () => api.requests.length > 0);
    seen.watch[Symbol.dispose]();
    await api.down(); // resolves when no connection is left
    expect(seen.said).toEqual([]);
  });
});
