/** An API server that takes a connection and says nothing: given up after a while, and asked again. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import { silentLogger } from "../../../src/base/logger.ts";
import { systemRandom } from "../../../src/base/random.ts";
import { KubernetesSource } from "../../../src/discovery/kubernetes-source.ts";
import { FakeKubernetes, pod } from "../../support/fake-kubernetes.ts";

let api: FakeKubernetes;

beforeEach(async () => {
  api = await FakeKubernetes.start();
});

afterEach(async () => {
  await api[Symbol.asyncDispose]();
});

describe("an API server that says nothing", () => {
  it.each([
    ["to a list", "fault"],
    ["to a watch", "watchFault"],
    ["on a watch that it agreed to", null],
  ] as const)("%s", async (_where, fault) => {
    if (fault !== null) api[fault] = "silence";
    api.put("a", { endpoints: [pod("p-0", "10.0.0.1")] });
    const source = new KubernetesSource({
      service: "peers",
      namespace: null,
      portName: "cluster",
      defaultPort: 6222,
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
    });
    let hosts = "";
    using _watch = source.watch((peers) => (hosts = peers.map(({ host }) => host).join()));
    await until(() => source.snapshot().failures > 0);
    expect(source.snapshot().lastError).toContain("timeout");
    if (fault !== null) api[fault] = null;
    api.put("b", { endpoints: [pod("p-1", "10.0.0.2")] });
    await until(() => hosts === "10.0.0.1,10.0.0.2");
  });
});

/** Longer than `waitFor` waits; the time of the test is the bound. */
async function until(look: () => boolean): Promise<void> {
  while (!look()) await new Promise((resolve) => setTimeout(resolve, 50));
}
