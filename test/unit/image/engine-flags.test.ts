/** The image starts the engine with the flags that bin/shoal gives it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../../..");
const flagsIn = (text: string): readonly string[] => text.match(/--max-[a-z-]+=\d+/g) ?? [];

it("the image starts the engine with the flags that bin/shoal gives it", () => {
  const ours = /^exec .*$/m.exec(readFileSync(join(ROOT, "bin/shoal"), "utf8"))![0];
  const image = /^ENTRYPOINT .*$/m.exec(readFileSync(join(ROOT, "Dockerfile"), "utf8"))![0];
  expect(flagsIn(ours)).toContain("--max-inlined-bytecode-size=1000");
  expect(flagsIn(image)).toEqual(expect.arrayContaining([...flagsIn(ours)]));
});
