/**
 * What thousands of addresses that take no connection do to the event loop of a server:
 *
 *     node bench/dead-addresses.ts [--addresses 5000] [--seconds 20]
 *
 * A server in this process lists half of the addresses as routes; a member in another process, which has one of its three
 * routes, tells it of the other half. All of them are addresses of this machine behind which nobody accepts. Looks every
 * millisecond at the processor time of the event loop's thread, which other programs do not disturb, and at the clock, which
 * they do. The aim: the loop is never held up for 10 ms of processor time, once it has warmed up for a second.
 */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { parseArgs } from "node:util";
import { startInProcess } from "../test/support/in-process-server.ts";

const AIM_MS = 10;
const WARM_UP_MS = 1000;
const BACKLOG = 1;
/** Linux takes one connection more than the backlog says. */
const FILLERS = 8;

const { values } = parseArgs({
  options: {
    addresses: { type: "string", default: "5000" },
    seconds: { type: "string", default: "20" },
    role: { type: "string", default: "server" },
    port: { type: "string", default: "0" },
  },
});
const half = Math.floor(Number(values.addresses) / 2);

switch (values.role) {
  case "server":
    await measure();
    break;
  case "dead":
    listenInVain();
    break;
  case "teller":
    process.once("message", (dead) => tell(Number(values.port), Number(dead)));
}

async function measure(): Promise<void> {
  const listener = play("dead", 0);
  const [dead] = (await once(listener, "message")) as [number];
  listener.kill("SIGSTOP");
  const fillers = Array.from({ length: FILLERS }, () =>
    connect(dead, "127.0.0.1").on("error", () => undefined),
  );
  const routes = Array.from({ length: half }, (_, i) => ({
    host: hostOf(2, i),
    port: dead,
    user: "",
    password: "",
  }));
  await using member = await startInProcess({ cluster: { name: "C", host: "127.0.0.1", port: 0, routes } });
  const teller = play("teller", member.routePort);
  teller.send(dead);
  await passed(WARM_UP_MS);
  const loop = await watchLoop(Number(values.seconds) * 1000);
  const { addresses, dialsInFlight, dialsWaiting, alarms } = member.server.cluster!.snapshot()!;
  for (const child of [listener, teller]) child.kill("SIGKILL");
  for (const socket of fillers) socket.destroy();
  console.log(
    `${addresses.length} addresses, ${dialsInFlight} dials under way, ${dialsWaiting} waiting, ${alarms} alarms; ` +
      `heap grew by ${loop.heapMb.toFixed(0)} MB, processor used ${loop.usedPercent.toFixed(0)} %`,
  );
  console.log(
    `event loop held up for at most ${loop.worstCpuMs.toFixed(1)} ms of processor time (aim: below ${AIM_MS}), ` +
      `${loop.worstMs.toFixed(1)} ms by the clock`,
  );
  process.exitCode = loop.worstCpuMs < AIM_MS ? 0 : 1;
}

function play(role: "dead" | "teller", port: number): ChildProcess {
  return fork(import.meta.filename, [
    "--role",
    role,
    "--port",
    String(port),
    "--addresses",
    values.addresses,
  ]);
}

function hostOf(net: number, i: number): string {
  return `127.${net}.${i >> 8}.${i & 255}`;
}

interface LoopReport {
  readonly worstCpuMs: number;
  readonly worstMs: number;
  readonly usedPercent: number;
  readonly heapMb: number;
}

function watchLoop(forMs: number): Promise<LoopReport> {
  const { promise, resolve } = Promise.withResolvers<LoopReport>();
  const beganMs = performance.now();
  const beganCpuMs = cpuMs();
  const heap = process.memoryUsage().heapUsed;
  let [lastMs, lastCpuMs, worstMs, worstCpuMs] = [beganMs, beganCpuMs, 0, 0];
  const timer = setInterval(() => {
    const [nowMs, nowCpuMs] = [performance.now(), cpuMs()];
    worstMs = Math.max(worstMs, nowMs - lastMs);
    worstCpuMs = Math.max(worstCpuMs, nowCpuMs - lastCpuMs);
    [lastMs, lastCpuMs] = [nowMs, nowCpuMs];
    if (nowMs - beganMs < forMs) return;
    clearInterval(timer);
    const usedPercent = (100 * (nowCpuMs - beganCpuMs)) / (nowMs - beganMs);
    resolve({ worstCpuMs, worstMs, usedPercent, heapMb: (process.memoryUsage().heapUsed - heap) / 1e6 });
  }, 1);
  return promise;
}

/** Of this thread. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Listens on all addresses of this machine; is stopped before it accepts anybody. */
function listenInVain(): void {
  const server = createServer();
  server.listen({ port: 0, host: "0.0.0.0", backlog: BACKLOG }, () =>
    process.send!((server.address() as AddressInfo).port),
  );
}

/** A member that says that there are many others, and answers no further dial. */
function tell(port: number, dead: number): void {
  const socket: Socket = connect(port, "127.0.0.1");
  const own = { server_id: "NTELLER", server_name: "teller", version: "2.14.0", headers: true, cluster: "C" };
  const info = {
    ...own,
    host: "127.0.0.1",
    port: dead,
    max_payload: 1048576,
    route_pool_size: 3,
    route_pool_idx: 0,
  };
  const say = (op: string, fields: object): void => void socket.write(`${op} ${JSON.stringify(fields)}\r\n`);
  socket.once("data", () => {
    say("CONNECT", { name: own.server_id, cluster: "C", headers: true });
    say("INFO", info);
    for (let i = 0; i < half; i++) {
      const about = { server_id: `N${i}`, server_name: `n${i}`, ip: `nats-route://${hostOf(1, i)}:${dead}/` };
      say("INFO", { ...info, ...about });
    }
    socket.on("data", (data) => {
      if (data.includes("PING\r\n")) socket.write("PONG\r\n");
    });
  });
}

function passed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
