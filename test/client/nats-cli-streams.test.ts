/** What the README tells people to type about streams, on a server that is killed and started again. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { findNatsCli, NatsCommand } from "../support/nats-cli.ts";
import { startServer } from "../support/nats-server.ts";

const program = findNatsCli();
const root = join(import.meta.dirname, "../..");
const readme = readFileSync(join(root, "README.md"), "utf8");

/** The words of a line for a shell, without the first. */
function wordsOf(line: string): string[] {
  return [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!).slice(1);
}

describe.skipIf(program === undefined)("the section about streams in the README", () => {
  it("has commands that do what it says, also after a kill", async () => {
    const storeDir = mkdtempSync(join(tmpdir(), "shoal-test-"));
    onTestFinished(() => rmSync(storeDir, { recursive: true, force: true }));
    const section = readme.split("\n## Streams\n")[1]!.split("\n## ")[0]!;
    const lines = section.split("\n").filter((line) => line.startsWith("nats "));
    expect(lines.length).toBeGreaterThan(5);

    const start = () =>
      startServer(join(root, "bin/shoal"), `jetstream { store_dir: ${JSON.stringify(storeDir)} }`);
    let server = await start();
    onTestFinished(() => server.stop());
    const nats = (line: string): Promise<string> =>
      new NatsCommand(program!, `nats://127.0.0.1:${server.port}`, wordsOf(line)).done();
    const outputs: string[] = [];
    for (const line of lines) outputs.push(await nats(line));
    expect(outputs.join("\n")).toMatch(/one tea, please[^]*one milk, please[^]*red/);

    await server.stop(); // by SIGKILL
    server = await start();
    const again = /Kill the server[^]*?`(nats [^`]+)`/.exec(section)![1]!;
    expect(await nats(again)).toContain("one tea, please");
    expect(await nats("nats consumer info ORDERS kitchen")).toMatch(/Unprocessed Messages: 0/);
  });
});
