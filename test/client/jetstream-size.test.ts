/** How many servers begin a cluster of streams: fewer, by a reload while they wait. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { expect, it } from "vitest";
import type { Config, ConfigOverrides } from "../../src/config/config.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { startInProcess } from "../support/in-process-server.ts";
import { PATIENT } from "../support/patience.ts";

it("a cluster of streams that waits for a third server begins with two once a reload says so", async () => {
  using folder = temporaryFolder();
  const of = (
    serverName: string,
    clusterSize: number,
    routes: Config["cluster"]["routes"] = [],
  ): ConfigOverrides => ({
    server: { name: serverName },
    cluster: { name: "c", routes },
    jetStream: { isEnabled: true, storeDir: join(folder.path, serverName), clusterSize },
  });
  await using one = await startInProcess(of("one", 3));
  const routes = [{ host: "127.0.0.1", port: one.routePort, user: null, password: null }];
  await using two = await startInProcess(of("two", 3, routes));
  await waitFor("the cluster", () => two.server.cluster!.sessions.size > 0);
  const client = await connect({ servers: one.url });
  try {
    const manager = await jetstreamManager(client, { ...PATIENT, checkAPI: false });
    expect(await one.reload(of("one", 2))).toMatchObject({ kind: "reloaded", waiting: [] });
    expect(await two.reload(of("two", 2, routes))).toMatchObject({ kind: "reloaded", waiting: [] });
    const made = await waitFor("the stream", () =>
      manager.streams.add({ name: "S", subjects: ["s"], num_replicas: 2 }).catch(() => undefined),
    );
    expect(made.config.num_replicas).toBe(2);
  } finally {
    await client.close();
  }
});

function temporaryFolder(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "shoal-size-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
