import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { describe, expect, it } from "vitest";
import { startServer } from "../../../src/index.ts";
import { PATIENT } from "../../support/patience.ts";

const folder = join(import.meta.dirname, "../../../examples");
/** Lets the examples import the source as `shoal`. */
const asSource = "--conditions=shoal-source";

describe("the examples", () => {
  it("embed a server", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [asSource, join(folder, "embed.ts")]);
    expect(stdout).toMatch(/^listening on nats:\/\/\S+:\d+\nhello ann\n$/);
  });

  it("keep messages, values and objects, as the README says", async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [asSource, join(folder, "streams.ts")]);
    const readme = readFileSync(join(folder, "../README.md"), "utf8");
    expect(stdout).toBe(/```\n(published tea[^]*?)```/.exec(readme)?.[1]);
  });

  it("keep them on a server that is named, and leave nothing there", async () => {
    await using server = await startServer({ jetstream: {} });
    const example = [asSource, join(folder, "streams.ts"), server.url];
    const { stdout } = await promisify(execFile)(process.execPath, example);
    expect(stdout).toMatch(/read back an object of 3000000 bytes\n$/);
    await using client = await connect({ servers: server.url });
    expect(await (await jetstreamManager(client, PATIENT)).getAccountInfo()).toMatchObject({
      streams: 0,
      consumers: 0,
    });
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
    exited: once(child, "close"),
    /** Resolves at the next line that matches; fails with the test's time-out, or when the output ends. */
    async line(pattern: RegExp): Promise<void> {
      for (let next = await lines.next(); !pattern.test(next.value ?? ""); next = await lines.next()) {
        if (next.done) throw new Error(`${name} ended without a line like ${pattern}`);
      }
    },
  };
}
