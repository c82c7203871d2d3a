/** Two servers on one folder: the second is refused, and one that was killed locks out nobody. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { NodeDisk } from "../../../src/store/node-disk.ts";
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
