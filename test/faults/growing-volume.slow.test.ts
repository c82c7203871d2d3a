/** A volume that is full, and then grows while the server runs. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { afterEach, describe, expect, it } from "vitest";
import { waitFor } from "../support/cluster-wait.ts";
import { freePort } from "../support/free-port.ts";
import { PATIENT } from "../support/patience.ts";

const binary = fileURLToPath(new URL("../../bin/shoal", import.meta.url));
const afterwards: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of afterwards.splice(0).toReversed()) await undo();
});

function canMount(): boolean {
  if (process.getuid?.() === 0) return true;
  if (process.env["CI"] === "true") throw new Error("CI has to be root: a volume that grows is mounted");
  process.stderr.write("\n***** SKIPPING TESTS: volumes need root. One that grows is NOT tested *****\n");
  return false;
}

/** A folder with a file system of its own. */
function volume(mebibytes: number): { path: string; resize: (mebibytes: number) => void } {
  const path = mkdtempSync(join(tmpdir(), "shoal-volume-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${mebibytes}m`, "shoal-test", path]);
  afterwards.push(() => {
    execFileSync("umount", [path]);
    rmSync(path, { recursive: true });
  });
  return { path, resize: (size) => void execFileSync("mount", ["-o", `remount,size=${size}m`, path]) };
}

async function start(storeDir: string): Promise<{ port: number; log: string[] }> {
  const port = await freePort();
  const args = ["-a", "127.0.0.1", "-p", `${port}`, "-js", "-sd", storeDir];
  const child = spawn(binary, args, { stdio: ["ignore", "ignore", "pipe"] });
  const closed = once(child, "close");
  afterwards.push(async () => {
    child.kill("SIGKILL");
    await closed;
  });
  const log: string[] = [];
  createInterface(child.stderr).on("line", (line) => log.push(line));
  return { port, log };
}

describe.skipIf(!canMount())("a volume without max_file", () => {
  it("refuses what it has no room for, and takes it when it has grown", { timeout: 120_000 }, async () => {
    const disk = volume(48);
    const storeDir = join(disk.path, "store");
    mkdirSync(storeDir);
    const { port, log } = await start(storeDir);
    const client = await waitFor("the server to take a client", () =>
      connect({ servers: `127.0.0.1:${port}`, timeout: 1000 }).catch(() => undefined),
    );
    afterwards.push(() => client.close());
    expect(log.find((line) => line.includes("Starting JetStream"))).toContain(
      '"acknowledges":"when the disk has it"',
    );
    await (await jetstreamManager(client, PATIENT)).streams.add({ name: "S", subjects: ["s"] });
    const js = jetstream(client, PATIENT);
    const body = Buffer.alloc(512 * 1024, "x");
    const publish = (): Promise<unknown> => js.publish("s", body).then(({ seq }) => seq, String);
    const refusal = await waitFor("the volume to be full", async () => {
      const answer = await publish();
      return typeof answer === "string" ? answer : undefined;
    });
    expect(refusal).toMatch(/insufficient (storage )?resources/);
    disk.resize(96);
    expect(
      await waitFor("room", async () => (typeof (await publish()) === "number" ? true : undefined)),
    ).toBe(true);
  });
});
