/**
 * `npm test` runs the fast set; the slower suites have commands of their own:
 *
 *     npx vitest run --project interop      against the real nats-server and the official clients
 *     npx vitest run --project chart        the Helm chart, rendered; needs helm
 *     npx vitest run --project container    the image and compose; needs a Docker engine
 *     npx vitest run --project kubernetes   the chart on a cluster; needs one
 *     npx vitest run --project slow         what waits for timeouts: partitions of real networks; needs root
 */
import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { PATIENCE_MS, TEST_TIMEOUT_MS } from "./test/support/patience.ts";

const slow = ["interop", "chart", "container", "kubernetes"] as const;
const slowFiles = "test/**/*.slow.test.ts";

export default defineConfig({
  test: {
    globalSetup: "test/support/nats-server-notice.ts",
    pool: "forks",
    // most of a test's time is waiting, for processes and sockets
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: TEST_TIMEOUT_MS,
    hookTimeout: TEST_TIMEOUT_MS,
    expect: { poll: { timeout: PATIENCE_MS } },
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: [...slow.map((suite) => `test/${suite}/**`), slowFiles],
        },
      },
      {
        extends: true,
        test: { name: "slow", include: [slowFiles], fileParallelism: false },
      },
      ...slow.map((suite) => ({
        extends: true as const,
        test: {
          name: suite,
          include: [`test/${suite}/**/*.test.ts`],
          // a cluster takes its time to bring a change of a ConfigMap to its pods
          testTimeout: suite === "kubernetes" ? 600_000 : TEST_TIMEOUT_MS,
          // the comparisons start servers of their own, at ports of their own, and wait most of the time
          fileParallelism: suite === "interop",
        },
      })),
    ],
  },
});
