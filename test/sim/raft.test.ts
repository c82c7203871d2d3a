/** A Raft group under faults, many seeds. */
import { expect, it } from "vitest";
import { RaftWorld } from "./raft/world.ts";

const SEEDS = Number(process.env["SHOAL_RAFT_SEEDS"] ?? 40);
const FIRST = Number(process.env["SHOAL_RAFT_SEED"] ?? 1);

it(`a group agrees and loses nothing that it acknowledged, ${SEEDS} seeds`, () => {
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const world = new RaftWorld(seed);
    const breaches = world.run();
    const replay = `SHOAL_RAFT_SEED=${seed} SHOAL_RAFT_SEEDS=1 npx vitest run --project unit test/sim/raft.test.ts`;
    expect(breaches, `replay: ${replay}\n${world.log.slice(-40).join("\n")}`).toEqual([]);
  }
});
