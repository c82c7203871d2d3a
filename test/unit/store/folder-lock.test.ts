/** Two servers on one folder: the second is refused, and one that was killed locks out nobody. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { NodeDisk } from "../../../src/store/node-disk.ts";
import { waitFor } from "../../support/cluster-wait.ts";
import { startInProcess } from "../../support/in-process-server.ts";

const nodeDisk = fileURLToPath(new URL("../../../src/store/node-disk.ts", import.meta.url));
const isLock = (lock: Disposable | "unsupported" | null): lock is Disposable =>
  lock !== null && lock !== "unsupported";

let folder = "";
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "shoal-test-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A process that has the lock. */
async function holder(path: string): Promise<ChildProcess> {
  const script = `import { NodeDisk } from ${JSON.stringify(nodeDisk)};
    globalThis.lock = new NodeDisk().lock(${JSON.stringify(path)});
    process.stdout.write(globalThis.lock === null ? "refused" : "locked");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  expect(said.toString()).toBe("locked");
  return child;
}

it("a lock is held once, in one process, too, until it is given back", () => {
  const disk = new NodeDisk();
  const path = join(folder, "store.lock");
  const first = disk.lock(path);
  expect(isLock(first)).toBe(true);
  expect(disk.lock(path)).toBeNull();
  if (isLock(first)) first[Symbol.dispose]();
  const second = disk.lock(path);
  expect(isLock(second)).toBe(true);
  if (isLock(second)) second[Symbol.dispose]();
});

it("a process that is killed gives it back", async () => {
  const disk = new NodeDisk();
  const path = join(folder, "store.lock");
  const child = await holder(path);
  expect(disk.lock(path)).toBeNull();
  child.kill("SIGKILL");
  await once(child, "close");
  const lock = disk.lock(path);
  expect(isLock(lock)).toBe(true);
  if (isLock(lock)) lock[Symbol.dispose]();
});

it("a second server on the folder of one that runs is refused by a sentence, and the first goes on", async () => {
  const jetStream = { isEnabled: true, storeDir: folder };
  await using first = await startInProcess({ jetStream });
  await expect(startInProcess({ jetStream })).rejects.toThrow(
    `another server is using the store in ${join(folder, "jetstream")}: stop it, or give this one a store_dir of its own`,
  );
  expect(first.server.clientEndpoint).not.toBeNull();
});

it("a server that follows one that has ended is not refused", async () => {
  const jetStream = { isEnabled: true, storeDir: folder };
  for (let round = 0; round < 3; round++) {
    await using server = await startInProcess({ jetStream });
    expect(server.server.clientEndpoint).not.toBeNull();
  }
});

describe("a process", () => {
  const shoal = fileURLToPath(new URL("../../../bin/shoal", import.meta.url));
  const open: ChildProcess[] = [];
  afterEach(() => {
    for (const child of open) child.kill("SIGKILL");
  });
  const start = (): { child: ChildProcess; log: () => string } => {
    const args = ["--jetstream", "--store_dir", folder, "--addr", "127.0.0.1", "--port", "-1"];
    const child = spawn(shoal, args, { stdio: ["ignore", "pipe", "pipe"] });
    open.push(child);
    let log = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (log += chunk.toString()));
    return { child, log: () => log };
  };

  it("is refused the folder of another one by a sentence and code 1, though nothing else keeps it alive", async () => {
    const first = start();
    await waitFor("the first to be ready", () => first.log().includes("Server is ready"), first.log);
    const second = start();
    const [code] = (await once(second.child, "close")) as [number | null];
    expect(second.log()).toContain("another server is using the store");
    expect(code).toBe(1);
  });

  it("waits for one that is about to end", async () => {
    const lock = new NodeDisk().lock(join(folder, "jetstream.lock"));
    const server = start();
    await waitFor("it to begin", () => server.log().includes("Starting shoal"), server.log);
    if (isLock(lock)) lock[Symbol.dispose]();
    await waitFor("it to be ready", () => server.log().includes("Server is ready"), server.log);
  });
});
