/** Mirrors and sources under power losses, restarts and late syncs, many seeds. */
import { expect, it } from "vitest";
import { OriginsWorld } from "./origins-world.ts";

const SEEDS = Number(process.env["SHOAL_ORIGINS_SEEDS"] ?? 40);
const FIRST = Number(process.env["SHOAL_ORIGINS_SEED"] ?? 1);

it(`neither loses nor doubles what is taken from other streams, ${SEEDS} seeds`, () => {
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const replay = `SHOAL_ORIGINS_SEED=${seed} SHOAL_ORIGINS_SEEDS=1 npx vitest run --project unit test/sim/origins.test.ts`;
    expect(() => new OriginsWorld(seed).run(200), `replay: ${replay}`).not.toThrow();
  }
});
