/** A reload compares little where little has changed, and loads long files in pieces. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { atOnce, inRounds, PieceLength } from "../../../src/base/pieces.ts";
import type { Config } from "../../../src/config/config.ts";
import { loadConfigInAnyFormat } from "../../../src/config/load.ts";
import { sharedWith } from "../../../src/config/shared.ts";
import { configOf } from "./sources.ts";

const share = (before: Config, next: Config): Config => atOnce(sharedWith(before, next));

const configOfFile = (text: string): Config => configOf({ files: { "a.conf": text } });

function accountsText(names: readonly string[], more = ""): string {
  const account = (name: string): string => `${name} { users: [{user: ${name}, password: p}] }`;
  return `accounts {\n${names.map(account).join("\n")}\n}\n${more}`;
}

describe("a configuration that is loaded again", () => {
  it("is the one in force where nothing has changed", () => {
    const text = accountsText(["A", "B"], "max_payload: 1000");
    const before = configOfFile(text);
    expect(share(before, configOfFile(text))).toBe(before);
  });

  it("shares what has not changed, also behind what came or went", () => {
    const before = configOfFile(accountsText(["A", "B", "C"]));
    const next = configOfFile(accountsText(["NEW", "B", "C"], "max_payload: 1000"));
    const shared = share(before, next);
    expect(shared).toEqual(next);
    const [added, ...others] = shared.accounts.list;
    expect(added!.name).toBe("NEW");
    expect(others.map((each, i) => each === before.accounts.list[i + 1])).toEqual([true, true]);
    expect(shared.cluster).toBe(before.cluster);
    expect(shared.client).not.toBe(before.client);
  });

  it("equals what was loaded, whatever the two are", () => {
    const values = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom(null, 0, 1, "a", "b", true),
        fc.array(tie("value"), { maxLength: 4 }),
        fc.dictionary(fc.constantFrom("name", "user", "x", "y"), tie("value"), { noNullPrototype: true }),
      ),
    })).value;
    fc.assert(
      fc.property(values, values, (before, next) => {
        expect(share(before as Config, next as Config)).toEqual(next);
        expect(share(next as Config, structuredClone(next) as Config)).toBe(next);
      }),
    );
  });

  it("has the same imports and exports wherever they stand in the file", () => {
    const accounts = `accounts {
      A { exports: [{service: "s"}, {stream: "t"}] }
      B { imports: [{service: {account: A, subject: "s"}}, {stream: {account: A, subject: "t"}}] }
    }`;
    const before = configOfFile(accounts);
    const next = configOfFile(`# a line more\nmax_payload: 1000\n${accounts}`);
    expect(share(before, next).accounts).toBe(before.accounts);
  });

  it("of thousands of accounts is read in dozens of rounds of the event loop", async () => {
    const names = Array.from({ length: 2000 }, (_, i) => `A${i}`);
    const text = Buffer.from(accountsText(names));
    let rounds = 0;
    let isOver = false;
    const count = (): void => {
      rounds++;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    const loaded = await loadConfigInAnyFormat(["-c", "a.conf"], {}, () => text);
    isOver = true;
    expect(loaded.kind).toBe("run");
    // About four values for each account, looked at three times: when they are parsed, read, and hashed.
    expect(rounds).toBeGreaterThan(30);
  });

  it("is compared in pieces", async () => {
    const names = Array.from({ length: 2000 }, (_, i) => `A${i}`);
    const [before, next] = [configOfFile(accountsText(names)), configOfFile(accountsText(names))];
    let pieces = 0;
    for (const comparing = sharedWith(before, next); comparing.next().done !== true;) pieces++;
    expect(pieces).toBeGreaterThan(10);
  });
});

describe("work in pieces", () => {
  it("is over after some steps, and begins again", () => {
    const pace = new PieceLength();
    expect([pace.isOver(499), pace.isOver(), pace.isOver(499), pace.isOver(5)]).toEqual([
      false,
      true,
      false,
      true,
    ]);
  });

  it("fails where the work fails", async () => {
    function* failing(): Generator<undefined, never, undefined> {
      yield;
      throw new Error("no");
    }
    await expect(inRounds(failing())).rejects.toThrow("no");
    expect(() => atOnce(failing())).toThrow("no");
  });
});
