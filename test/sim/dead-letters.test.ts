/** Dead letters under kills and power losses at any moment: a message is kept elsewhere before it is given up, many seeds. */
import { expect, it } from "vitest";
import { DeadLettersWorld } from "./dead-letters-world.ts";

const SEEDS = Number(process.env["SHOAL_DEAD_LETTERS_SEEDS"] ?? 60);
const FIRST = Number(process.env["SHOAL_DEAD_LETTERS_SEED"] ?? 1);

it(`gives up no message that is not kept elsewhere, ${SEEDS} seeds`, () => {
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    const replay = `SHOAL_DEAD_LETTERS_SEED=${seed} SHOAL_DEAD_LETTERS_SEEDS=1 npx vitest run --project unit test/sim/dead-letters.test.ts`;
    expect(() => new DeadLettersWorld(seed).run(300), `replay: ${replay}`).not.toThrow();
  }
});
