/** A Raft group under faults, many seeds. */
import { expect, it } from "vitest";
import { RaftWorld, type FaultRates, type MemberKind } from "./raft/world.ts";

const SEEDS = process.env["SHOAL_RAFT_SEEDS"];
const FIRST = Number(process.env["SHOAL_RAFT_SEED"] ?? 1);
const COMMAND = "npx vitest run --project unit test/sim/raft.test.ts";

interface Play {
  readonly rates: FaultRates;
  readonly kind: MemberKind;
  readonly seeds: number;
}

const PLAYS: readonly Play[] = [
  { rates: "usual", kind: "plain", seeds: 25 },
  { rates: "raised", kind: "plain", seeds: 25 },
  { rates: "usual", kind: "driven", seeds: 8 },
  { rates: "raised", kind: "driven", seeds: 8 },
];

function play(seed: number, rates: FaultRates, kind: MemberKind): void {
  const world = new RaftWorld(seed, rates, kind);
  const breaches = world.run();
  const replay = `SHOAL_RAFT_SEED=${seed} SHOAL_RAFT_SEEDS=1 ${COMMAND} -t "${kind} members, ${rates} faults"`;
  expect(breaches, `replay: ${replay}\n${world.log.slice(-40).join("\n")}`).toEqual([]);
}

it.each(PLAYS)(
  "agrees and loses nothing that it acknowledged: $kind members, $rates faults",
  ({ rates, kind, seeds }) => {
    for (let seed = FIRST; seed < FIRST + Number(SEEDS ?? seeds); seed++) play(seed, rates, kind);
  },
);

// two members lose their logs while a third is away, and crash before that is on record
it("agrees where damage is found again after another crash", () => play(63161, "usual", "plain"));
