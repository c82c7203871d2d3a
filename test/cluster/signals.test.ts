/**
 * What signals do to a server process. SIGINT stops it at once, as nats-server does. SIGTERM lets clients go where they have
 * another member to go to; a second one is for those in a hurry.
 */
import { connect, type ConnectionOptions, type NatsConnection } from "@nats-io/transport-node";
import { EventEmitter, once } from "node:events";
import { connect as connectTcp } from "node:net";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { followSignals } from "../../src/app/process/signals.ts";
import { defaultLogOptions, openLog } from "../../src/log/log.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { ServerProcess } from "./server-process.ts";
import { Stage } from "./stage.ts";
import { PATIENT } from "../support/patience.ts";

const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (const act of cleanup.splice(0).reverse()) await act();
});

interface Ports {
  readonly nats: string;
  readonly monitoring: string;
  /** "" where it is alone. */
  readonly cluster: string;
}

interface Running extends Ports {
  readonly process: ServerProcess;
}

/** `duration` and `grace` of lame duck mode. Without `routes` it is alone. */
async function start(duration: string, grace: string, routes?: string): Promise<Running> {
  const folder = mkdtempSync(join(tmpdir(), "signals-"));
  cleanup.push(() => rmSync(folder, { recursive: true, force: true }));
  const before = ["env", `SHOAL__LAME_DUCK_DURATION=${duration}`, `SHOAL__LAME_DUCK_GRACE_PERIOD=${grace}`];
  const args = ["-a", "127.0.0.1", "-p", "-1", "-m", "-1", "--ports_file_dir", folder];
  const cluster = ["--cluster_name", "signals", "--cluster", "nats://127.0.0.1:-1"];
  if (routes !== undefined) args.push(...cluster, ...(routes === "" ? [] : ["--routes", routes]));
  const process = new ServerProcess(args, before);
  cleanup.push(() => process[Symbol.asyncDispose]());
  const ports = await waitFor(
    "the ports file",
    () => {
      const file = readdirSync(folder).find((name) => name.endsWith(".ports"));
      const text = file === undefined ? "" : readFileSync(join(folder, file), "utf8");
      return text === ""
        ? undefined
        : (JSON.parse(text) as Record<"nats" | "monitoring" | "cluster", string[]>);
    },
    () => process.tail(),
  );
  await process.says("Ready");
  const [nats, monitoring, cluster1] = [ports.nats[0]!, ports.monitoring[0]!, ports.cluster?.[0] ?? ""];
  return { process, nats, monitoring, cluster: cluster1 };
}

/** Two members that know each other. */
async function startTwo(duration: string, grace: string): Promise<[Running, Running]> {
  const first = await start(duration, grace, "");
  const second = await start(duration, grace, first.cluster);
  const joined = (): boolean => first.process.peers.size === 1 && second.process.peers.size === 1;
  await waitFor("the members to meet", joined, () => first.process.tail());
  return [first, second];
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

const LAME_DUCK = "Entering lame duck mode, stop accepting new clients";

describe.each(["SIGTERM", "SIGINT", "SIGQUIT"] as const)("%s to a server alone", (signal) => {
  it("writes what is pending for clients and ends it at once", async () => {
    const server = await start("600s", "300s");
    const [one, two] = [await client(server), await client(server)];
    const texts: string[] = [];
    two.subscribe("news", { callback: (_, message) => void texts.push(message.string()) });
    await two.flush();
    for (let i = 0; i < 1000; i++) one.publish("news", String(i));
    await one.flush();
    server.process.child.kill(signal);
    await Promise.all([one.closed(), two.closed(), endsWell(server)]);
    expect(texts.length).toBe(1000);
    expect(server.process.messages).toContain("Server Exiting..");
    expect(server.process.messages).not.toContain(LAME_DUCK);
  });
});

describe("SIGINT to a member of a cluster", () => {
  it("ends it at once, also with a client that does not end its side", async () => {
    const [server] = await startTwo("600s", "300s");
    const { hostname, port } = new URL(server.nats);
    const socket = connectTcp({ host: hostname, port: Number(port), allowHalfOpen: true });
    cleanup.push(() => socket.destroy());
    socket.on("error", () => undefined).resume();
    await once(socket, "data");
    server.process.child.kill("SIGINT");
    await endsWell(server);
    expect(server.process.messages).not.toContain(LAME_DUCK);
  });
});

describe("SIGTERM to a member of a cluster", () => {
  it("lets clients go, newcomers too, and says the truth to the end", async () => {
    const [server] = await startTwo("9s", "6s");
    const early = await client(server);
    const hints: string[] = [];
    void (async () => {
      for await (const { type } of early.status()) hints.push(type);
    })();
    server.process.child.kill("SIGTERM");
    await waitFor("the hint", () => hints.includes("ldm"));
    const late = await client(server);
    expect(late.info).toMatchObject({ ldm: true });
    const answered = early.request("echo", "x", { timeout: 2000 });
    late.subscribe("echo", { callback: (_, message) => void message.respond("y") });
    await late.flush();
    // The question may have come before the subscription.
    const answer = await answered.catch(() => early.request("echo", "x", PATIENT));
    expect(answer.string()).toBe("y");
    const probe = async (path: string): Promise<number> =>
      (await fetch(`${server.monitoring}${path}`)).status;
    expect([await probe("/livez"), await probe("/readyz"), await probe("/healthz")]).toEqual([200, 503, 500]);
    await Promise.all([early.closed(), late.closed()]);
    await endsWell(server);
  });

  it("a second time ends it at once", async () => {
    const [server] = await startTwo("600s", "300s");
    const one = await client(server);
    server.process.child.kill("SIGTERM");
    await server.process.says(LAME_DUCK);
    server.process.child.kill("SIGTERM");
    await one.closed();
    await endsWell(server);
  });

  it("and then to the last other one ends both: nobody stays that clients could move to", async () => {
    const [first, second] = await startTwo("600s", "300s");
    const [one, two] = [await client(first), await client(second)];
    first.process.child.kill("SIGTERM");
    await first.process.says(LAME_DUCK);
    second.process.child.kill("SIGTERM");
    await Promise.all([one.closed(), two.closed(), endsWell(first), endsWell(second)]);
  });
});

describe("SIGTERM to the program of a container", () => {
  it("lets clients go, also without another member: its orchestrator waits", async () => {
    await using stage = new Stage();
    const { server, clientPort } = await stage.start({
      serverLines: ['lame_duck_duration: "600s"', 'lame_duck_grace_period: "300s"'],
    });
    const codes: number[] = [];
    const source = new EventEmitter();
    using log = openLog({ ...defaultLogOptions, file: "/dev/null" });
    const exit = (code: number): void => void codes.push(code);
    const { logger } = log;
    using _ = followSignals({ server, log, logger, isOrchestrated: true, source, exit });
    const one = await stage.client({ clientPort });
    source.emit("SIGTERM");
    await one.flush();
    expect([server.state, codes]).toEqual(["lame duck", []]);
    source.emit("SIGTERM");
    await one.closed();
    await waitFor("the end", () => codes.length > 0);
    expect(codes).toEqual([0]);
  });
});

describe("a server in lame duck mode by SIGUSR2", () => {
  it("takes SIGTERM for what it does already, the first time", async () => {
    const server = await start("600s", "300s");
    const one = await client(server);
    server.process.child.kill("SIGUSR2");
    await server.process.says(LAME_DUCK);
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

  it.each(["ldm", "term"] as const)("%s lets clients go", async (command) => {
    const [server] = await startTwo("2s", "100ms");
    const one = await client(server);
    await using sender = new ServerProcess(["--signal", `${command}=${server.process.child.pid}`]);
    expect(await sender.ended()).toBe(0);
    await one.closed();
    await endsWell(server);
    expect(server.process.messages).toContain(LAME_DUCK);
  });
});
