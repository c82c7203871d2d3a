// What signals do to a server process: orchestrators send SIGTERM, people SIGINT; a second one is for those in a hurry.
import { connect, type ConnectionOptions, type NatsConnection } from "@nats-io/transport-node";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { waitFor } from "../support/cluster-wait.ts";
import { ServerProcess } from "./server-process.ts";

const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const act of cleanup.splice(0).reverse()) await act();
});

interface Ports {
  readonly nats: string;
  readonly monitoring: string;
}

interface Running extends Ports {
  readonly process: ServerProcess;
}

/** `duration` and `grace` of lame duck mode. */
async function start(duration: string, grace: string): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), "signals-"));
  cleanup.push(() => rmSync(folder, { recursive: true, force: true }));
  const before = ["env", `SHOAL__LAME_DUCK_DURATION=${duration}`, `SHOAL__LAME_DUCK_GRACE_PERIOD=${grace}`];
  const args = ["-a", "127.0.0.1", "-p", "-1", "-m", "-1", "--ports_file_dir", folder];
  const process = new ServerProcess(args, before);
  cleanup.push(() => process[Symbol.asyncDispose]());
  const ports = await waitFor(
    "the ports file",
    () => {
      const file = readdirSync(folder).find((name) => name.endsWith(".ports"));
      const text = file === undefined ? "" : readFileSync(join(folder, file), "utf8");
      return text === "" ? undefined : (JSON.parse(text) as { nats: string[]; monitoring: string[] });
    },
    () => process.tail(),
  );
  await process.says("Ready");
  return { process, nats: ports.nats[0]!, monitoring: ports.monitoring[0]! };
}

async function client({ nats }: Running, options: ConnectionOptions = {}): Promise<NatsConnection> {
  const made = await connect({ servers: nats, reconnect: false, ...options });
  cleanup.push(() => made.close());
  return made;
}

/** Exit code 0, and no signal did it. */
async function endsWell({ process }: Running): Promise<void> {
  expect(await process.ended()).toBe(0);
}

describe.each(["SIGTERM", "SIGINT"] as const)("%s", (signal) => {
  it("ends a server without clients well and soon", async () => {
    const server = await start("600s", "300s");
    server.process.child.kill(signal);
    await endsWell(server);
    expect(server.process.messages).toContain("Server Exiting..");
  });

  it("lets clients go, newcomers too, and says the truth to the end", async () => {
    const server = await start("3s", "1500ms");
    const early = await client(server);
    const hints: string[] = [];
    void (async () => {
      for await (const { type } of early.status()) hints.push(type);
    })();
    server.process.child.kill(signal);
    await waitFor("the hint", () => hints.includes("ldm"));
    const late = await client(server);
    expect(late.info).toMatchObject({ ldm: true });
    const answered = early.request("echo", "x", { timeout: 2000 });
    late.subscribe("echo", { callback: (_, message) => void message.respond("y") });
    await late.flush();
    // The question may have come before the subscription.
    const answer = await answered.catch(() => early.request("echo", "x", { timeout: 2000 }));
    expect(answer.string()).toBe("y");
    const probe = async (path: string): Promise<number> =>
      (await fetch(`${server.monitoring}${path}`)).status;
    expect([await probe("/livez"), await probe("/readyz"), await probe("/healthz")]).toEqual([200, 503, 500]);
    await Promise.all([early.closed(), late.closed()]);
    await endsWell(server);
  });

  it("a second time ends it at once", async () => {
    const server = await start("600s", "300s");
    const one = await client(server);
    server.process.child.kill(signal);
    await server.process.says("Entering lame duck mode");
    server.process.child.kill(signal);
    await one.closed();
    await endsWell(server);
  });
});

describe("a server in lame duck mode by SIGUSR2", () => {
  it("takes SIGTERM for what it does already, the first time", async () => {
    const server = await start("600s", "300s");
    const one = await client(server);
    server.process.child.kill("SIGUSR2");
    await server.process.says("Entering lame duck mode");
    server.process.child.kill("SIGTERM");
    await one.flush();
    const { status } = await fetch(`${server.monitoring}/livez`);
    expect([status, one.isClosed()]).toEqual([200, false]);
    server.process.child.kill("SIGTERM");
    await endsWell(server);
  });

  it("ends at once with SIGINT", async () => {
    const server = await start("600s", "300s");
    const one = await client(server);
    server.process.child.kill("SIGUSR2");
    await server.process.says("Entering lame duck mode");
    server.process.child.kill("SIGINT");
    await one.closed();
    await endsWell(server);
  });
});

describe("--signal", () => {
  it.each([
    ["quit", 0, null],
    ["stop", null, "SIGKILL"],
  ] as const)("%s ends a server at once", async (command, code, signal) => {
    const server = await start("600s", "300s");
    const one = await client(server);
    const { child } = server.process;
    await using sender = new ServerProcess(["--signal", `${command}=${child.pid}`]);
    expect(await sender.ended()).toBe(0);
    await one.closed();
    await waitFor("the end", () => child.exitCode !== null || child.signalCode !== null);
    expect([child.exitCode, child.signalCode]).toEqual([code, signal]);
  });

  it("ldm and term let clients go", async () => {
    for (const command of ["ldm", "term"]) {
      const server = await start("2s", "100ms");
      const one = await client(server);
      await using sender = new ServerProcess(["--signal", `${command}=${server.process.child.pid}`]);
      expect(await sender.ended()).toBe(0);
      await one.closed();
      await endsWell(server);
      expect(server.process.messages).toContain("Entering lame duck mode, stop accepting new clients");
    }
  });
});
