/**
 * From the moment that a new member's client port takes connections until a client of another member is told of it by INFO
 * (`connect_urls`), for one or several servers in turns:
 *
 *     node bench/newcomer.ts [--server bin/shoal] [--server nats-server] [--rounds 10]
 *
 * For each round a member is started, a client connects to it, and a second member joins. Other work on the machine adds to the times.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { choosePorts } from "../scripts/start-cluster/ports.ts";
import { register } from "./children.ts";

const HOST = "127.0.0.1";
/** The first member is past its start. */
const CALM_MS = 500;
const LOOK_EVERY_MS = 1;
const GIVE_UP_MS = 10_000;

const { values } = parseArgs({
  options: {
    server: { type: "string", multiple: true, default: [join(import.meta.dirname, "../bin/shoal")] },
    rounds: { type: "string", default: "10" },
  },
});

const times = new Map(values.server.map((command) => [command, [] as number[]]));
for (let round = 0; round < Number(values.rounds); round++)
  for (const [command, of] of times) of.push(await toldAfterMs(command));
for (const [command, of] of times) {
  of.sort((a, b) => a - b);
  const [min = 0, median = 0, max = 0] = [of[0], of[of.length >> 1], of.at(-1)];
  console.log(
    `${command}: told after ${min.toFixed(1)} ms at least, ${median.toFixed(1)} median, ${max.toFixed(1)} at most`,
  );
}

async function toldAfterMs(command: string): Promise<number> {
  const [clients = 0, routes = 0, newClients = 0, newRoutes = 0] = await freePorts(4);
  const members = [begin(command, clients, routes, "")];
  await listening(clients);
  await delay(CALM_MS);
  const client = connect(clients, HOST);
  client.write('CONNECT {"verbose":false,"protocol":1}\r\nPING\r\n');
  await heard(client, "PONG\r\n");
  const told = heard(client, `${HOST}:${newClients}`);
  members.push(begin(command, newClients, newRoutes, `"nats://${HOST}:${routes}"`));
  const listensMs = await listening(newClients);
  const toldMs = await told;
  client.destroy();
  for (const member of members) {
    member.kill("SIGKILL");
    if (member.exitCode === null && member.signalCode === null) await once(member, "close");
  }
  return toldMs - listensMs;
}

function begin(command: string, clients: number, routePort: number, routes: string): ChildProcess {
  const folder = mkdtempSync(join(tmpdir(), "newcomer-"));
  const file = join(folder, "server.conf");
  const cluster = `cluster { name: newcomer, listen: "${HOST}:${routePort}", routes: [${routes}] }`;
  writeFileSync(file, `listen: "${HOST}:${clients}"\n${cluster}\n`);
  const child = spawn(command, ["-c", file], { stdio: "ignore" });
  register(child, folder);
  return child;
}

async function freePorts(count: number): Promise<number[]> {
  const chosen = await choosePorts(
    HOST,
    Array.from({ length: count }, () => 0),
  );
  return chosen.map(({ port }) => port);
}

/** When it took the first connection. */
async function listening(port: number): Promise<number> {
  for (const endMs = performance.now() + GIVE_UP_MS; performance.now() < endMs; await delay(LOOK_EVERY_MS)) {
    const socket = connect(port, HOST);
    const isOpen = await once(socket, "connect").then(
      () => true,
      () => false,
    );
    const nowMs = performance.now();
    socket.destroy();
    if (isOpen) return nowMs;
  }
  throw new Error(`nothing listens on port ${port}`);
}

/** When this was heard. */
function heard(socket: Socket, wanted: string): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  let text = "";
  const take = (data: Buffer): void => {
    text += data.toString("latin1");
    if (!text.includes(wanted)) return;
    socket.off("data", take);
    resolve(performance.now());
  };
  socket.on("data", take);
  return promise;
}
