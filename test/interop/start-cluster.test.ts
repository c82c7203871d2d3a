/** `npm start` as a person meets it: its lines, a stream, a member that is killed and returns, Ctrl-C. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, afterEach, describe, expect, it } from "vitest";

const script = join(import.meta.dirname, "../../scripts/start-cluster.ts");
const folder = mkdtempSync(join(tmpdir(), "start-cluster-test-"));
let child: ChildProcess | undefined;

afterEach(() => void child?.kill("SIGTERM"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("npm start", () => {
  it("tells of the mesh, of a stream, of a killed member and its return, and stops on Ctrl-C", async () => {
    const told = start();
    const [, pid] = await told(/shoal-2 started, pid (\d+)$/);
    await told(/mesh 3\/3$/);
    await told(/connect to nats:\/\/127\.0\.0\.1:\d+,nats:\/\/127\.0\.0\.1:\d+,nats:\/\/127\.0\.0\.1:\d+$/);

    await told(
      /a stream with 3 replicas keeps a message: published at shoal-1, read back at shoal-3: hello$/,
    );

    process.kill(Number(pid), "SIGKILL");
    await told(/mesh 2\/3$/);
    const [, newPid] = await told(/shoal-2 started, pid (\d+)$/);
    await told(/mesh 3\/3$/);

    const exited = once(child!, "close");
    child!.kill("SIGINT");
    await told(/all members have stopped$/);
    expect(await exited).toEqual([0, null]);
    expect(() => process.kill(Number(newPid), 0)).toThrow("ESRCH");
    expect(readdirSync(folder)).toEqual([]);
  });
});

/** Returns a function that waits for the next line that matches. */
function start(): (pattern: RegExp) => Promise<RegExpExecArray> {
  child = spawn(process.execPath, [script], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, TMPDIR: folder },
  });
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  return async (pattern) => {
    const skipped: string[] = [];
    for (let next = await lines.next(); !next.done; next = await lines.next()) {
      const match = pattern.exec(next.value);
      if (match !== null) return match;
      skipped.push(next.value);
    }
    throw new Error(`no line like ${pattern} came, but:\n${skipped.join("\n")}`);
  };
}
