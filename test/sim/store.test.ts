/** The store of a stream against a naive model, with restarts and power losses, many seeds. */
import { describe, expect, it } from "vitest";
import { StoreModel } from "./store-model.ts";

const SEEDS = Number(process.env["SHOAL_STORE_SEEDS"] ?? 300);
const FIRST = Number(process.env["SHOAL_STORE_SEED"] ?? 1);

/** Ciphers take their time. */
const ENCRYPTED_SEEDS = Math.ceil(SEEDS / 5);

describe.each([
  ["file", SEEDS],
  ["packed", SEEDS],
  ["encrypted", ENCRYPTED_SEEDS],
  ["memory", SEEDS],
] as const)("the store of a stream, %s", (storage, seeds) => {
  it(`agrees with a naive model, ${seeds} seeds`, () => {
    for (let seed = FIRST; seed < FIRST + seeds; seed++) {
      const replay = `SHOAL_STORE_SEED=${seed} SHOAL_STORE_SEEDS=1 npx vitest run --project unit test/sim/store.test.ts`;
      expect(() => new StoreModel(seed, storage).run(300), `replay: ${replay}`).not.toThrow();
    }
  });
});
