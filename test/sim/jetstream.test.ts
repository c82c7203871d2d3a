/** JetStream under power losses, restarts and late syncs: what was confirmed is so, many seeds. */
import { expect, it } from "vitest";
import { JetStreamWorld } from "./jetstream-world.ts";

const SEEDS = Number(process.env["SHOAL_JETSTREAM_SEEDS"] ?? 150);
const FIRST = Number(process.env["SHOAL_JETSTREAM_SEED"] ?? 1);

it(`loses nothing that it has confirmed, ${SEEDS} seeds`, () => {
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const replay = `SHOAL_JETSTREAM_SEED=${seed} SHOAL_JETSTREAM_SEEDS=1 npx vitest run --project unit test/sim/jetstream.test.ts`;
    expect(() => new JetStreamWorld(seed).run(400), `replay: ${replay}`).not.toThrow();
  }
});
