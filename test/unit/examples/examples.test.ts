import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { startServer } from "../../../src/index.ts";

const folder = join(import.meta.dirname, "../../../examples");
/** Lets the examples import the source as `shoal`. */
const asSource = "--conditions=shoal-source";

describe("the examples", () => {
  it("embed a server", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [asSource, join(folder, "embed.ts")]);
    expect(stdout).toMatch(/^listening on nats:\/\/\S+:\d+\nhello ann\n$/);
  });

  it("chat", async () => {
    await using server = await startServer({ port: -1 });
    const [ann, bob] = [chat("ann", server.url), chat("bob", server.url)];
    await Promise.all([ann.line(/ann is in the room/), bob.line(/bob is in the room/)]);
    ann.process.stdin.end("hello\n");
    await bob.line(/^ann: hello$/);
    bob.process.stdin.end();
    const codes = await Promise.all([ann.exited, bob.exited]);
    expect(codes).toEqual([
      [0, null],
      [0, null],
    ]);
  });
});

function chat(name: string, url: string) {
  const child = spawn(process.execPath, [join(folder, "chat.ts"), name, url], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    process: child,
    exited: once(child, "exit"),
    /** Resolves at the next line that matches; fails with the test's time-out, or when the output ends. */
    async line(pattern: RegExp): Promise<void> {
      for (let next = await lines.next(); !pattern.test(next.value ?? ""); next = await lines.next()) {
        if (next.done) throw new Error(`${name} ended without a line like ${pattern}`);
      }
    },
  };
}
