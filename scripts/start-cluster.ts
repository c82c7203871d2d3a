/**
 * `npm start`: a cluster of three members on this machine, and a line for everything that happens to it. A member that
 * is killed comes back after a moment; Ctrl-C stops all. The members keep streams together, in a folder that is gone in the end.
 *
 *     npm start -- --exit-when-complete     stops once the mesh is complete and a stream was tried; exit code 1 if the mesh takes over 30 s
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs, styleText } from "node:util";
import { keepMessage } from "./start-cluster/kept-message.ts";
import { Member } from "./start-cluster/member.ts";
import { choosePorts, type ChosenPort } from "./start-cluster/ports.ts";
import { Story, type StoryEvent } from "./start-cluster/story.ts";

const HOST = "127.0.0.1";
const NAMES = ["shoal-1", "shoal-2", "shoal-3"] as const;
const CLIENT_PORTS = [4222, 5222, 6222] as const;
const CLUSTER_PORTS = [4248, 5248, 6248] as const;
const COMPLETE_WITHIN_MS = 30_000;
const STREAM_WITHIN_MS = 60_000;
const command = join(import.meta.dirname, "../bin/shoal");

const { values: flags } = parseArgs({
  options: { "exit-when-complete": { type: "boolean", default: false } },
});
const colour = process.stdout.isTTY && !process.env["NO_COLOR"];

const ports = await choosePorts(HOST, [...CLIENT_PORTS, ...CLUSTER_PORTS]);
const clientPorts = ports.slice(0, NAMES.length);
const clusterPorts = ports.slice(NAMES.length);
const folder = mkdtempSync(join(tmpdir(), "shoal-start-"));
const story = new Story(NAMES.length);
const members = NAMES.map((name, i) => createMember(name, clientPorts[i]!.port, clusterPorts[i]!.port));
let introduced = false;
let stopping = false;

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void stop());
introduce();
for (const member of members) member.start();
if (flags["exit-when-complete"]) {
  setTimeout(() => {
    if (!introduced) void stop(`the mesh was not complete within ${COMPLETE_WITHIN_MS / 1000} s`);
  }, COMPLETE_WITHIN_MS);
}

function createMember(name: string, clientPort: number, clusterPort: number): Member {
  const routes = clusterPorts.map(({ port }) => `nats://${HOST}:${port}`).join(",");
  const address = ["--addr", HOST, "--port", String(clientPort), "--server_name", name];
  const cluster = [
    "--cluster_name",
    "shoal",
    "--cluster",
    `nats://${HOST}:${clusterPort}`,
    "--routes",
    routes,
  ];
  const streams = ["--jetstream", "--store_dir", join(folder, name)];
  return new Member({ name, command, args: [...address, ...cluster, ...streams], onEvent: tell });
}

function introduce(): void {
  print(`starting a cluster of ${NAMES.length} members; Ctrl-C stops all`);
  for (const [i, name] of NAMES.entries()) {
    print(`${name}: clients on port ${shown(clientPorts[i]!)}, cluster on port ${shown(clusterPorts[i]!)}`);
  }
}

function shown({ port, taken }: ChosenPort): string {
  return taken === undefined ? String(port) : `${port} (${taken} is taken)`;
}

function tell(event: StoryEvent): void {
  if (stopping) return;
  for (const line of story.tell(event)) print(line);
  if (event.kind === "gaveUp")
    void stop("a cluster without this member is of no use here: see its last lines above");
  if (!story.complete || introduced) return;
  introduced = true;
  explain();
  void tryStream();
}

/** A slow machine may take its time: nothing else waits for it. */
async function tryStream(): Promise<void> {
  const [publishUrl, , readUrl] = clientPorts.map(({ port }) => `nats://${HOST}:${port}`);
  const replicas = NAMES.length;
  try {
    const text = await keepMessage({
      replicas,
      publishUrl: publishUrl!,
      readUrl: readUrl!,
      withinMs: STREAM_WITHIN_MS,
    });
    printUnlessStopping(
      `a stream with ${replicas} replicas keeps a message: published at ${NAMES[0]}, read back at ${NAMES[2]}: ${text}`,
    );
  } catch (error) {
    printUnlessStopping(`there is no stream with ${replicas} replicas yet: ${String(error)}`);
  }
  if (flags["exit-when-complete"]) void stop();
}

function printUnlessStopping(line: string): void {
  if (!stopping) print(line);
}

/** Where to connect and what to try, once it will work. */
function explain(): void {
  const urls = clientPorts.map(({ port }) => `nats://${HOST}:${port}`);
  print(`connect to ${urls.join(",")}`);
  print("try it, each line in a terminal of its own:");
  print(`    npm run chat -- ann ${urls[0]}`);
  print(`    npm run chat -- bob ${urls[2]}`);
  print("or, with the nats command:");
  print(`    nats -s ${urls[0]} sub greet`);
  print(`    nats -s ${urls[2]} pub greet hello`);
  print("or make a stream, publish to it and read it back:");
  print(`    npm run streams -- ${urls[0]}`);
  print("or kill a member by its pid and watch it return");
}

/** With a `failure` the exit code is 1. */
async function stop(failure?: string): Promise<void> {
  if (stopping) return;
  stopping = true;
  if (failure !== undefined) print(failure);
  print("stopping");
  await Promise.all(members.map((member) => member.stop()));
  rmSync(folder, { recursive: true, force: true });
  print("all members have stopped");
  process.exit(failure === undefined ? 0 : 1);
}

function print(line: string): void {
  const time = new Date().toTimeString().slice(0, 8);
  console.log(colour ? `${styleText("dim", time)}  ${paint(line)}` : `${time}  ${line}`);
}

function paint(line: string): string {
  if (line.startsWith("mesh ")) return styleText(story.complete ? "green" : "yellow", line);
  const format = / (joined|started)\b/.test(line)
    ? "green"
    : / (left|was ended|ended|error:)/.test(line)
      ? "red"
      : undefined;
  return format === undefined ? line : styleText(format, line);
}
