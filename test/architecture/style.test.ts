/** Holds the style of src, test, bench, fuzz, scripts, examples and page: see style.ts. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { styleBreaches } from "./style.ts";

const THIS_FILE = "test/architecture/style.test.ts";
const ROOT = join(import.meta.dirname, "../..");

it("every file keeps the one style", () => {
  const files = globSync("{src,test,bench,fuzz,scripts,examples,page}/**/*.ts", { cwd: ROOT });
  expect(files.length).toBeGreaterThan(500);
  const found = files
    .filter((file) => !file.startsWith("test/kubernetes/witness/") && file !== THIS_FILE)
    .flatMap((file) => styleBreaches(file, readFileSync(join(ROOT, file), "utf8")));
  expect(found.sort()).toEqual([]);
});

describe("the rules of style", () => {
  it.each([
    "// What it is.\nimport x;",
    "/** What it is. */\n\nimport x;",
    "/**\n * What it is.\n */\n\nimport x;",
    "#!/usr/bin/env node\n// What it is.\n",
    "class A {\n  #x = 1;\n}",
    "class A {\n  readonly #x = 1;\n}",
    "class A {\n  async #run(): Promise<void> {}\n}",
    "  this.#x++;",
    "const timeoutMs = 5;",
    "export const sizeMax = 64 * 1024;",
    'await once(child, "exit");',
    "  /** Of the second listener. */",
    " * Who waits is refused.",
    "  x(); // begins anew",
    "/** null: in the open. */",
    "export function f(a: number, isB: boolean): void {}",
    "export function f(a: number, isB = false): void {}",
    "export async function f(\n  a: number,\n  isB?: boolean,\n): Promise<void> {}",
  ])("refuse %j", (source) => {
    expect(styleBreaches("a.ts", source)).toHaveLength(1);
  });

  const OFFICIAL = '/** x. */\nimport { connect } from "@nats-io/transport-node";\n';
  it.each([
    'await nc.request("a");',
    'await nc.request("a", "b");',
    "jetstream(nc);",
    "await jetstreamManager(nc);",
    "new Kvm(nc);",
  ])("refuse a client that waits for seconds only: %j", (source) => {
    expect(styleBreaches("test/a.ts", OFFICIAL + source)).toHaveLength(1);
    expect(styleBreaches("examples/a.ts", OFFICIAL + source)).toEqual([]);
  });

  it.each([
    'nc.request("a", "", PATIENT);',
    'nc.request("a", "", { timeout: 5 });',
    "jetstream(nc, PATIENT);",
  ])("allow a client that waits: %j", (source) => {
    expect(styleBreaches("test/a.ts", OFFICIAL + source)).toEqual([]);
  });

  it.each([
    "/** What it is. */\nimport x;",
    "#!/usr/bin/env node\n/** What it is. */\nimport x;",
    "// @ts-check\nimport x;",
    "class A {\n  private x = 1;\n}",
    'const COLOR = "#fff";\nselect("#accounts");',
    'await once(child, "close");',
    "  /** Endpoint of the second listener. */",
    'it("begins anew", () => {});',
    "const TIMEOUT_MS = 5;",
    "const socket = connect(5);",
    "function f(isB: boolean): void {}",
    "export function f(a: number): boolean {}",
    "export function f(act: (isB: boolean) => void): void {}",
  ])("allow %j", (source) => {
    expect(styleBreaches("a.ts", source)).toEqual([]);
  });
});
