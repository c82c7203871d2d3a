/** A cluster whose servers know nothing but a Kubernetes service, read from a fake API server. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { allReach } from "../support/cluster-clients.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { FakeKubernetes, pod } from "../support/fake-kubernetes.ts";
import { PATIENCE_MS } from "../support/patience.ts";
import { Stage, whole, type RunningServer, type ServerText } from "./stage.ts";

let api: FakeKubernetes;

beforeEach(async () => {
  api = await FakeKubernetes.start();
});

afterEach(async () => {
  await api[Symbol.asyncDispose]();
});

function member(name: string, ...clusterLines: string[]): ServerText {
  return { name, clusterLines: ["discovery { kubernetes { service: peers } }", ...clusterLines] };
}

/** A pod for a server: all are on one host, so that each needs a slice for its port. */
function publish({ name, clusterPort }: RunningServer, zone?: string): void {
  const ports = [{ name: "cluster", port: clusterPort }];
  api.put(name, { ports, endpoints: [pod(name, "127.0.0.1", zone === undefined ? {} : { zone })] });
}

describe("servers of a Kubernetes service", () => {
  it("form one mesh, grow, shrink, and outlive the API server", async () => {
    await using stage = new Stage();
    const servers: RunningServer[] = [];
    const grow = async (name: string): Promise<void> => {
      servers.push(await stage.start(member(name)));
      publish(servers.at(-1)!);
      await whole(servers);
    };
    for (const name of ["p-0", "p-1", "p-2", "p-3"]) await grow(name);
    await allReach(await stage.clients(servers));
    for (const gone of servers.splice(2, 2)) {
      api.delete(gone.name);
      await gone.stop();
    }
    await whole(servers);
    await api.down();
    await servers[0]!.says("Kubernetes does not tell of other servers");
    await allReach(await stage.clients(servers));
    await api.up();
    await servers[0]!.says("Kubernetes tells of other servers again");
    await grow("p-4");
  });

  it("that are not permitted to ask meet by their routes, and say so once", async () => {
    api.fault = 403;
    await using stage = new Stage();
    const seed = await stage.start(member("p-0"));
    const other = await stage.start({ ...member("p-1"), routes: [seed.routeUrl()] });
    await whole([seed, other]);
    await waitFor("several tries", () => api.count("list") > 3);
    expect(seed.logged("HTTP status 403")).toHaveLength(1);
  });

  it("learn their zones from it; one that is configured counts more", async () => {
    await using stage = new Stage();
    const servers = [
      await stage.start(member("p-0")),
      await stage.start(member("p-1")),
      await stage.start(member("p-2", "zone: own")),
    ];
    for (const server of servers) publish(server, "told");
    await whole(servers);
    const zones = (server: RunningServer): string =>
      [...server.server.cluster!.sessions.values()]
        .map(({ registration, peer }) => `${registration?.peerName}=${peer.zone}`)
        .filter((each, index, all) => all.indexOf(each) === index)
        .sort()
        .join();
    const wanted = ["p-1=told,p-2=own", "p-0=told,p-2=own", "p-0=told,p-1=told"];
    for (const [index, server] of servers.entries()) {
      await waitFor(
        `${server.name} to know the zones`,
        () => zones(server) === wanted[index],
        () => zones(server),
      );
    }
  });
});

describe("the client of Kubernetes", () => {
  it.each([
    ["is not loaded where it is not asked for", [], false],
    ["is loaded where it is", ["SHOAL__CLUSTER__DISCOVERY__KUBERNETES__SERVICE=peers"], true],
  ] as const)("%s", (_what, env, isLoaded) => {
    const program = `
      const { registerHooks } = await import("node:module");
      let client = false, nkeys = false;
      registerHooks({ load(url, context, next) {
        client ||= url.includes("/@kubernetes/client-node/");
        nkeys ||= url.includes("/@nats-io/nkeys/");
        return next(url, context);
      } });
      setInterval(() => {
        if (!globalThis.begun || (${isLoaded} && !client)) return;
        console.log(JSON.stringify({ client, nkeys }));
        process.exit(0);
      }, 20);
      process.argv = [process.execPath, "shoal", "-a", "127.0.0.1", "-p", "-1", "--cluster", "nats://127.0.0.1:-1"];
      await import(${JSON.stringify(join(import.meta.dirname, "../../src/main.ts"))});
      globalThis.begun = true;
    `;
    const ran = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
      encoding: "utf8",
      timeout: PATIENCE_MS,
      env: { ...process.env, ...Object.fromEntries(env.map((line) => line.split("="))) },
    });
    expect([ran.stdout, ran.stderr].join("\n")).toContain(JSON.stringify({ client: isLoaded, nkeys: true }));
  });
});
