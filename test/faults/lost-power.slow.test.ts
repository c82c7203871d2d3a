/**
 * What others were seen to lose, on servers of five hosts with disks of their own: power of all and of one at the worst moment, and flipped bits
 * on a minority. The scenarios stand in test/chaos/scenarios.ts; docs/reliability.md says how nats-server does.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { SCENARIOS } from "../chaos/scenarios.ts";
import { canMakeNetworks } from "../cluster/network.ts";
import { TEST_TIMEOUT_MS } from "../support/patience.ts";

const RUN = join(import.meta.dirname, "../chaos/run.ts");

describe.skipIf(!canMakeNetworks())("streams with replicas", () => {
  it.each(SCENARIOS.map(({ name }) => name))(
    "lose nothing: %s",
    (name) => {
      const { stdout, stderr } = spawnSync(process.execPath, [RUN, "--scenario", name], {
        encoding: "utf8",
        timeout: TEST_TIMEOUT_MS,
      });
      expect(`${stdout}${stderr}`).toBe(`${name}: passed\n`);
    },
    TEST_TIMEOUT_MS,
  );
});
