/**
 * The benchmark's numbers are worth what its checks are worth: the generator has to notice every kind of wrong delivery.
 * Its own stand-in server makes the faults, each at message 1024.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { buildLoadGenerator } from "../../../bench/load/build.ts";

const canCompile =
  process.platform === "linux" && spawnSync(process.env["CC"] ?? "gcc", ["--version"]).status === 0;

function run(options: string): Record<string, unknown> {
  const all = ["--calibrate", "--messages", "5000", "--deadline-seconds", "5", ...options.split(" ")];
  const { stdout } = spawnSync(buildLoadGenerator(), all, { encoding: "utf8" });
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe.skipIf(!canCompile)("the load generator", () => {
  it.each([
    ["--mode pub --size 16", { published: 5000, delivered: 0 }],
    ["--mode pubsub --size 16 --subscribers 3", { published: 5000, delivered: 15_000 }],
    ["--mode pubsub --size 8,300,16 --publishers 4 --subscribers 2 --shared", { delivered: 40_000 }],
    ["--mode pubsub --size 64 --publishers 3 --subscribers 3 --subjects 7 --headers", { delivered: 15_000 }],
    ["--mode pubsub --size 65535 --messages 50", { delivered: 50 }],
    ["--mode queue --size 20 --subscribers 3", { delivered: 5000, queueMemberLeast: 1666 }],
    ["--mode rr --publishers 4 --messages 400", { requests: 400 }],
    ["--mode rr --publishers 4 --messages 400 --unique-replies", { requests: 400 }],
  ])("counts what is delivered: %s", (options, expected) => {
    expect(run(options)).toMatchObject(expected);
  });

  it.each([
    ["swap", "--size 16", /order broken.* expected message 1024 .* got 1025/],
    ["duplicate", "--size 100 --headers", /order broken.* expected message 1025 .* got 1024/],
    ["gap", "--size 16,40", /order broken.* expected message 1024 .* got 1025/],
    ["corrupt", "--size 16", /head and tail of message 1024 disagree/],
    ["corrupt", "--size 1000", /wrong bytes inside message 1024/],
    ["corrupt", "--size 200 --headers", /wrong bytes inside message 1024/],
    ["subject", "--size 16 --subjects 3", /wrong subject or sid/],
    ["subject", "--size 16 --headers", /headers damaged/],
    ["short", "--size 16 --deadline-seconds 1", /messages are missing/],
  ])("notices the fault '%s' in 1:1 traffic, %s", (fault, options, message) => {
    expect(run(`--mode pubsub --fault ${fault} ${options}`)["error"]).toMatch(message);
  });

  it("notices a message that reaches two members of a queue group", () => {
    const options = "--mode queue --subscribers 3 --messages 9000 --size 64";
    expect(run(`${options} --fault swap`)["error"]).toMatch(/order broken|twice/);
    expect(run(`${options} --fault gap`)["error"]).toMatch(/order broken|twice|missing/);
  });

  it("says which option is wrong", () => {
    expect(run("--size 7")["error"]).toBe("--size takes a number from 8 to 65535, got '7'");
    expect(run("--mode fast")["error"]).toBe("unknown mode 'fast'; see --help");
  });

  it("says who does not answer", () => {
    const program = buildLoadGenerator();
    expect(() => execFileSync(program, ["--port", "1"], { encoding: "utf8" })).toThrow(
      expect.objectContaining({
        stdout: expect.stringMatching(/connect to port 1: Connection refused/) as string,
      }),
    );
  });
});
