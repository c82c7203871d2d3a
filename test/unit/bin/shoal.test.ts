import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

/** Stands where the server stands: prints which file runs, its process id and its arguments. */
const PROBE = `console.log(import.meta.filename, process.pid, ...process.argv.slice(2));`;

let folder: string;
let root: string;
let shoal: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "shoal bin-"));
  root = join(folder, "project");
  shoal = join(root, "bin/shoal");
  mkdirSync(join(root, "bin"), { recursive: true });
  copyFileSync(join(import.meta.dirname, "../../../bin/shoal"), shoal);
  writeFileSync(join(root, "package.json"), '{ "type": "module" }');
  put("src/main.ts", PROBE);
  put("node_modules/node/bin/node", "");
  rmSync(join(root, "node_modules/node/bin/node"));
  symlinkSync(process.execPath, join(root, "node_modules/node/bin/node"));
});

afterEach(() => rmSync(folder, { recursive: true }));

function put(file: string, text: string): string {
  const path = join(root, file);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, text);
  return path;
}

function touch(file: string, seconds: number): void {
  utimesSync(join(root, file), seconds, seconds);
}

function run(command: string, args: string[] = [], env: NodeJS.ProcessEnv = {}, cwd = "/") {
  const { stdout, stderr, status } = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    env: { PATH: process.env["PATH"], ...env },
  });
  return { stdout, stderr, status };
}

describe("bin/shoal", () => {
  it("runs from any folder, with its arguments as they are", () => {
    expect(run(shoal, ["-p", "a b", "*", ""]).stdout).toMatch(/src\/main\.ts \d+ -p a b \* \n$/);
  });

  it("follows a chain of links of any name, absolute and relative", () => {
    mkdirSync(join(folder, "links/deep"), { recursive: true });
    symlinkSync(shoal, join(folder, "links/first"));
    symlinkSync("../first", join(folder, "links/deep/nats-server"));
    symlinkSync("deep", join(folder, "links/shallow"));
    expect(run(join(folder, "links/shallow/nats-server")).stdout).toContain(`${root}/src/main.ts`);
    expect(run("nats-server", [], { PATH: `${folder}/links/deep:${process.env["PATH"]}` }).stdout).toContain(
      root,
    );
    expect(run("./nats-server", [], {}, join(folder, "links/deep")).stdout).toContain(root);
  });

  it("becomes the server: one process id", async () => {
    const child = spawn(shoal, { stdio: ["ignore", "pipe", "inherit"] });
    const [output] = (await once(child.stdout, "data")) as [Buffer];
    expect(output.toString()).toContain(` ${child.pid}\n`);
  });

  it("runs the bundle, unless a source file is newer", () => {
    put("dist/main.js", PROBE);
    for (const file of ["src", "src/main.ts", "package.json"]) touch(file, 1000);
    touch("dist/main.js", 2000);
    expect(run(shoal).stdout).toContain("dist/main.js");
    touch("src/main.ts", 3000);
    expect(run(shoal).stdout).toContain("src/main.ts");
  });

  it("runs the bundle where there is no source", () => {
    put("dist/main.js", PROBE);
    rmSync(join(root, "src"), { recursive: true });
    expect(run(shoal).stdout).toContain("dist/main.js");
    rmSync(join(root, "dist"), { recursive: true });
    expect(run(shoal)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/missing: run npm run build in /),
    });
  });

  it("takes a new enough Node from PATH, and says what to do about an old one or none", () => {
    rmSync(join(root, "node_modules/node"), { recursive: true });
    const tools = join(folder, "tools");
    mkdirSync(tools);
    for (const tool of ["sh", "readlink", "find", "head"]) {
      const path = run("sh", ["-c", `command -v ${tool}`]).stdout.trim();
      symlinkSync(path, join(tools, tool));
    }
    expect(run(shoal, [], { PATH: tools })).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^shoal: no Node\.js found: run npm ci in .*project/),
    });
    writeFileSync(join(tools, "node"), "#!/bin/sh\necho v20.20.2\n");
    chmodSync(join(tools, "node"), 0o755);
    expect(run(shoal, [], { PATH: tools })).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/tools\/node is v20\.20\.2, but Node\.js 24 or newer is needed/),
    });
    rmSync(join(tools, "node"));
    symlinkSync(process.execPath, join(tools, "node"));
    expect(run(shoal, [], { PATH: tools }).stdout).toContain("src/main.ts");
  });
});
