/**
 * What TLS costs: shoal and a nats-server with the same certificate in turns, one publisher and one subscriber of the `nats`
 * command, over TLS and in plaintext. Reports messages per second and the servers' processor time for each message.
 *
 *     node bench/tls.ts --nats-server nats-server [--before bin/shoal of another build] [--rounds 5] [--messages 1000000] [--sizes 16,1024]
 */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    "nats-server": { type: "string", default: "nats-server" },
    nats: { type: "string", default: "nats" },
    before: { type: "string" },
    rounds: { type: "string", default: "5" },
    messages: { type: "string", default: "1000000" },
    sizes: { type: "string", default: "16,1024" },
  },
});
const folder = mkdtempSync(join(tmpdir(), "shoal-bench-tls-"));
const caFile = join(folder, "cert.pem");
const programs: Readonly<Record<string, string>> = {
  shoal: join(import.meta.dirname, "../bin/shoal"),
  ...(values.before === undefined ? {} : { before: values.before }),
  "nats-server": values["nats-server"],
};
const TICK_MS = 1000 / Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

interface Run {
  readonly messagesPerSecond: number;
  readonly cpuNsPerMessage: number;
}

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function main(): Promise<void> {
  makeCertificate();
  console.log("| Messages | Server | TLS | messages/s | CPU of the server per message |");
  console.log("| --- | --- | --- | --- | --- |");
  for (const size of values.sizes.split(",").map(Number)) {
    const runs = new Map<string, Run[]>();
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const [name, program] of inTurns(Object.entries(programs), round)) {
        for (const isSecure of [true, false]) {
          const key = `${name} | ${isSecure ? "yes" : "no"}`;
          runs.set(key, [...(runs.get(key) ?? []), await measure(program, isSecure, size)]);
        }
      }
    }
    for (const [key, list] of [...runs].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      const rate = median(list.map((run) => run.messagesPerSecond));
      const cpu = median(list.map((run) => run.cpuNsPerMessage));
      console.log(
        `| ${size} B | ${key} | ${Math.round(rate).toLocaleString("en")} | ${Math.round(cpu)} ns |`,
      );
    }
  }
}

function inTurns<T>(items: readonly T[], round: number): T[] {
  return round % 2 === 0 ? [...items] : items.toReversed();
}

function makeCertificate(): void {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const files = ["-keyout", join(folder, "key.pem"), "-out", caFile, "-days", "2"];
  execFileSync("openssl", ["req", "-x509", ...key, ...files, ...names], { stdio: "ignore" });
}

async function measure(program: string, isSecure: boolean, size: number): Promise<Run> {
  const config = join(folder, "server.conf");
  const tls = isSecure ? `tls { cert_file: "${caFile}", key_file: "${join(folder, "key.pem")}" }` : "";
  writeFileSync(config, `listen: "127.0.0.1:-1"\n${tls}\n`);
  const server = spawn(program, ["-c", config], { stdio: ["ignore", "pipe", "pipe"] });
  try {
    const said = await printed(server, "Server is ready");
    const [, port] = /client connections on 127\.0\.0\.1:(\d+)/.exec(said)!;
    const pid = server.pid!;
    const url = isSecure ? [`tls://localhost:${port}`, "--tlsca", caFile] : [`nats://127.0.0.1:${port}`];
    await run(url, [values.messages, size]); // warm: engines compile during the first million messages
    const cpuBefore = cpuMs(pid);
    const rate = await run(url, [values.messages, size]);
    const cpu = cpuMs(pid) - cpuBefore;
    return { messagesPerSecond: rate, cpuNsPerMessage: (cpu * 1e6) / Number(values.messages) };
  } finally {
    server.kill();
    await ended(server);
  }
}

/** One subscriber gets all that one publisher sends; messages per second as the subscriber saw them. */
async function run(url: readonly string[], [messages, size]: readonly [string, number]): Promise<number> {
  const common = ["--server", ...url, "bench"];
  const options = ["a", "--msgs", messages, "--size", String(size), "--no-progress"];
  const subscriber = spawn(values.nats, [...common, "sub", ...options], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  await printed(subscriber, "Starting");
  await new Promise((resolve) => setTimeout(resolve, 300));
  const publisher = spawn(values.nats, [...common, "pub", ...options], { stdio: "ignore" });
  const said = await printed(subscriber, "msgs/sec");
  await Promise.all([ended(subscriber), ended(publisher)]);
  return Number(/([\d,]+) msgs\/sec/.exec(said)![1]!.replaceAll(",", ""));
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null)
    await new Promise((resolve) => child.once("close", resolve));
}

function printed(child: ChildProcess, text: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let said = "";
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes(text)) resolve(said);
    });
  }
  child.once("close", () => reject(new Error(`ended without "${text}":\n${said}`)));
  return promise;
}

/** Processor time of all threads so far. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}
