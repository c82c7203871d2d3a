/** The schema holds together: each field has one default, each name one meaning, and the page made of it is fresh. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

import { defaultConfig } from "../../../src/config/finish.ts";
import { environmentName } from "../../../src/config/option.ts";
import {
  BLOCKS,
  HEADINGS,
  OPTION_BY_FLAG,
  OPTION_BY_KEY,
  OPTIONS,
  UNSUPPORTED_BY_FLAG,
  UNSUPPORTED_BY_KEY,
} from "../../../src/config/schema.ts";

describe("the schema", () => {
  it("gives every field exactly one default", () => {
    const fields = OPTIONS.flatMap(({ initials }) => initials.map(([field]) => field));
    expect(new Set(fields).size).toBe(fields.length);
    const config: object = defaultConfig();
    const present = Object.entries(config).flatMap(([section, values]) =>
      Object.keys(values as object).map((name) => `${section}.${name}`),
    );
    expect(present.toSorted()).toEqual([...fields].toSorted());
    expect(OPTIONS.flatMap((option) => option.fields).filter((field) => !fields.includes(field))).toEqual([]);
  });

  it("uses every key, flag and environment name once", () => {
    expect(OPTION_BY_KEY.size).toBe(OPTIONS.reduce((sum, { aliases }) => sum + 1 + aliases.length, 0));
    expect(OPTION_BY_FLAG.size).toBe(OPTIONS.reduce((sum, { flags }) => sum + flags.length, 0));
    expect(new Set(OPTIONS.map(({ key }) => environmentName(key))).size).toBe(OPTIONS.length);
    const known = (key: string): boolean => OPTION_BY_KEY.has(key) || BLOCKS.has(key);
    expect([...UNSUPPORTED_BY_KEY.keys()].filter(known)).toEqual([]);
    expect([...UNSUPPORTED_BY_FLAG.keys()].filter((flag) => OPTION_BY_FLAG.has(flag))).toEqual([]);
  });

  it("shows each section", () => {
    expect(new Set(OPTIONS.map(({ heading }) => heading))).toEqual(new Set(HEADINGS));
  });

  it("is what docs/configuration.md says", () => {
    const script = join(import.meta.dirname, "../../../scripts/configuration-docs.ts");
    expect(() => execFileSync(process.execPath, [script, "--check"], { stdio: "pipe" })).not.toThrow();
  });
});
