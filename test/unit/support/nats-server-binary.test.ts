/** Which nats-server the tests compare with, on machines that have several, another, or none. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { COMPARED_VERSIONS } from "../../support/nats-server-binary.ts";

const MODULE = new URL("../../support/nats-server-binary.ts", import.meta.url).href;
const SHOAL = fileURLToPath(new URL("../../../bin/shoal", import.meta.url));
const { oldest, newest } = COMPARED_VERSIONS;
const [major, minor, patch] = newest.split(".").map(Number);
const NEXT = `${major}.${minor}.${patch! + 1}`;
const scratch = mkdtempSync(join(tmpdir(), "shoal-binaries-"));
afterAll(() => rmSync(scratch, { recursive: true }));

let folders = 0;

/** A folder for PATH with a nats-server that says this version. */
function folderWith(version: string): string {
  const folder = join(scratch, `bin-${folders++}`);
  mkdirSync(folder);
  writeFileSync(join(folder, "nats-server"), `#!/bin/sh\necho 'nats-server: v${version}'\n`, { mode: 0o755 });
  return folder;
}

interface Found {
  readonly version: string | null;
  readonly old: string | null;
  readonly notice: string | null;
}

function find(path: readonly string[], env: Readonly<Record<string, string>> = {}): Found {
  const program = `const all = await import(${JSON.stringify(MODULE)});
    const versionOf = (binary) => binary?.version ?? null;
    console.log(JSON.stringify({ version: versionOf(all.findNatsServer()), old: versionOf(all.findOldNatsServer()),
      notice: all.noticeOnComparisons() }));`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
    env: { PATH: path.join(delimiter), HOME: scratch, ...env },
  });
  if (stdout === "") throw new Error(stderr);
  return JSON.parse(stdout) as Found;
}

describe("the nats-server that tests compare with", () => {
  it("is the newest that the comparisons hold for, without a word", () => {
    const path = [folderWith("2.9.10"), folderWith(oldest), folderWith(newest)];
    expect(find(path)).toEqual({ version: newest, old: "2.9.10", notice: null });
  });

  it("is not a newer one: that is passed over, and said", () => {
    const { version, notice } = find([folderWith(newest), folderWith(NEXT)]);
    expect(version).toBe(newest);
    expect(notice).toContain(`${NEXT} (`);
    expect(find([folderWith(NEXT)])).toMatchObject({
      version: null,
      notice: expect.stringContaining("NOT COMPARED"),
    });
  });

  it("is not an old one, which has its part in mixed clusters alone", () => {
    const { version, old, notice } = find([folderWith("2.9.10")]);
    expect({ version, old }).toEqual({ version: null, old: "2.9.10" });
    expect(notice).toMatch(/^NOT COMPARED .*2\.9\.10 \(.*@v/);
  });

  it("may be older than the newest known, which is said", () => {
    expect(find([folderWith(oldest)])).toMatchObject({
      version: oldest,
      notice: expect.stringContaining(newest),
    });
  });

  it("may be missing, which is said", () => {
    expect(find([])).toMatchObject({
      version: null,
      old: null,
      notice: expect.stringContaining("there is none"),
    });
  });

  it("is any that NATS_SERVER names, with a word where the comparisons do not hold for it", () => {
    const named = { NATS_SERVER: join(folderWith(NEXT), "nats-server") };
    const { version, notice } = find([folderWith(newest)], named);
    expect(version).toBe(NEXT);
    expect(notice).toContain("may be no fault");
    expect(() => find([], { NATS_SERVER: join(scratch, "nothing") })).toThrow("is no nats-server");
  });

  it("is not shoal under another name, nor a folder", () => {
    const folder = join(scratch, "links");
    mkdirSync(join(folder, "more", "nats-server"), { recursive: true });
    symlinkSync(SHOAL, join(folder, "nats-server"));
    expect(find([folder, join(folder, "more")]).version).toBeNull();
  });
});
