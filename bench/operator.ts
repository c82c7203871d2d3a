/**
 * Operator mode with many accounts: shoal and other servers in turns, each with a full resolver whose directory holds the tokens of all
 * accounts. Reports how long a start takes, the memory with no and with all connections, and how fast users connect, the first time and
 * again: wall-clock time, and the servers' processor time for each.
 *
 *     node bench/operator.ts --nats-server nats-server [--before bin/shoal of another build] [--accounts 1000] [--users 100]
 *         [--connections 15000] [--rounds 3] [--write]
 */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { newNkey, type SigningNkey } from "../src/keys/nkey.ts";
import { accountToken, OperatorKit, userToken } from "../test/support/operator-kit.ts";
import { register } from "./children.ts";

const { values } = parseArgs({
  options: {
    "nats-server": { type: "string", default: "nats-server" },
    before: { type: "string" },
    accounts: { type: "string", default: "1000" },
    users: { type: "string", default: "100" },
    connections: { type: "string", default: "15000" },
    rounds: { type: "string", default: "3" },
    write: { type: "boolean", default: false },
  },
});
const ROOT = join(import.meta.dirname, "..");
const TICK_MS = 1000 / Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
/** Connections under way at a time. */
const AT_A_TIME = 64;
/** Connections from one address: there are some 28,000 ports. */
const PER_ADDRESS = 10_000;
/** The load may have to wait for the processor. */
const LINES = 'max_connections: 200000\nauthorization { timeout: 60 }\nping_interval: "10m"';
const programs: Readonly<Record<string, string>> = {
  shoal: join(ROOT, "bin/shoal"),
  ...(values.before === undefined ? {} : { before: values.before }),
  "nats-server": values["nats-server"],
};

interface Deployment {
  readonly kit: OperatorKit;
  readonly tokens: ReadonlyMap<string, string>;
  readonly users: readonly { readonly jwt: string; readonly key: SigningNkey }[];
}

interface Sample {
  readonly startMs: number;
  readonly startCpuMs: number;
  readonly idleMb: number;
  readonly firstPerSecond: number;
  readonly firstCpuMs: number;
  readonly againPerSecond: number;
  readonly againCpuMs: number;
  readonly fullMb: number;
}

const COLUMNS: readonly (readonly [title: string, field: keyof Sample, digits: number])[] = [
  ["start, ms", "startMs", 0],
  ["CPU of the start, ms", "startCpuMs", 0],
  ["memory without connections, MB", "idleMb", 0],
  ["first connects per second", "firstPerSecond", 0],
  ["CPU of a first connect, ms", "firstCpuMs", 2],
  ["later connects per second", "againPerSecond", 0],
  ["CPU of a later connect, ms", "againCpuMs", 2],
  ["memory with all connections, MB", "fullMb", 0],
];

await main();

async function main(): Promise<void> {
  const deployment = deploy(Number(values.accounts), Number(values.users));
  const samples = new Map<string, Sample[]>(Object.keys(programs).map((name) => [name, []]));
  for (let round = 0; round < Number(values.rounds); round++)
    for (const [name, program] of inTurns(Object.entries(programs), round)) {
      const sample = await measure(program, deployment);
      samples.get(name)!.push(sample);
      console.error(name, JSON.stringify(sample));
    }
  const table = tableOf(samples);
  console.log(table);
  if (values.write) writeFileSync(join(ROOT, "docs/benchmarks/operator.md"), pageOf(table));
}

function deploy(accountCount: number, userCount: number): Deployment {
  const kit = new OperatorKit();
  const accounts = Array.from({ length: accountCount }, () => newNkey("account"));
  const tokens = new Map(
    accounts.map((account, index) => [
      account.publicKey,
      accountToken(account, kit.operator, { name: `account-${index}` }),
    ]),
  );
  tokens.set(kit.system.publicKey, accountToken(kit.system, kit.operator));
  const wanted = Math.min(Number(values.connections), accountCount * userCount);
  // One user of each account after the other, so that all accounts are needed early.
  const users = Array.from({ length: wanted }, (_, index) => {
    const key = newNkey("user");
    return { jwt: userToken(key, accounts[index % accountCount]!, { name: `user-${index}` }), key };
  });
  return { kit, tokens, users };
}

async function measure(program: string, { kit, tokens, users }: Deployment): Promise<Sample> {
  const folder = mkdtempSync(join(tmpdir(), "shoal-bench-operator-"));
  const directory = join(folder, "jwt");
  mkdirSync(directory);
  for (const [name, jwt] of tokens) writeFileSync(join(directory, `${name}.jwt`), jwt);
  const config = join(folder, "server.conf");
  writeFileSync(config, `listen: "127.0.0.1:-1"\n${kit.directoryConfig(directory, "full", "", LINES)}\n`);
  const begin = performance.now();
  const server = spawn(program, ["-c", config], { stdio: ["ignore", "pipe", "pipe"] });
  register(server, folder);
  try {
    const said = await printed(server, "Server is ready");
    const startMs = performance.now() - begin;
    const [, port] = /client connections on 127\.0\.0\.1:(\d+)/.exec(said)!;
    const pid = server.pid!;
    const startCpuMs = cpuMs(pid);
    const idleMb = memoryMb(pid);
    const first = await connectAll(Number(port), pid, users);
    const fullMb = memoryMb(pid);
    await Promise.all(first.sockets.map(close));
    const again = await connectAll(Number(port), pid, users);
    await Promise.all(again.sockets.map(close));
    return {
      ...{ startMs, startCpuMs, idleMb, fullMb },
      ...{ firstPerSecond: first.perSecond, firstCpuMs: first.cpuMs },
      ...{ againPerSecond: again.perSecond, againCpuMs: again.cpuMs },
    };
  } finally {
    server.kill();
    if (server.exitCode === null && server.signalCode === null) await once(server, "close");
    rmSync(folder, { recursive: true, force: true });
  }
}

async function connectAll(
  port: number,
  pid: number,
  users: Deployment["users"],
): Promise<{ readonly sockets: readonly Socket[]; readonly perSecond: number; readonly cpuMs: number }> {
  const sockets: Socket[] = [];
  const begin = performance.now();
  const before = cpuMs(pid);
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < users.length) {
      const index = next++;
      sockets.push(await enter(port, users[index]!, `127.0.0.${2 + Math.floor(index / PER_ADDRESS)}`));
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, lane));
  const tookMs = performance.now() - begin;
  return {
    sockets,
    perSecond: (users.length * 1000) / tookMs,
    cpuMs: (cpuMs(pid) - before) / users.length,
  };
}

/** Resolves once the server has answered PING. */
function enter(
  port: number,
  { jwt, key }: Deployment["users"][number],
  localAddress: string,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", localAddress, noDelay: true });
    let said = "";
    let hasGreeted = false;
    const onData = (bytes: Buffer): void => {
      said += bytes.toString("latin1");
      if (!hasGreeted && said.includes("}")) {
        hasGreeted = true;
        const nonce = /"nonce":"([^"]*)"/.exec(said)?.[1] ?? "";
        const hello = { verbose: false, pedantic: false, protocol: 1, headers: true, no_responders: true };
        const sig = key.sign(nonce);
        socket.write(`CONNECT ${JSON.stringify({ ...hello, jwt, sig })}\r\nPING\r\n`);
      }
      if (said.includes("-ERR '")) reject(new Error(said));
      if (!said.includes("PONG\r\n")) return;
      socket.off("data", onData);
      socket.resume();
      resolve(socket);
    };
    socket.on("data", onData);
    socket.once("error", reject);
  });
}

async function close(socket: Socket): Promise<void> {
  socket.removeAllListeners("error");
  socket.on("error", () => undefined);
  const closed = once(socket, "close");
  socket.destroy();
  await closed;
}

function inTurns<T>(items: readonly T[], round: number): T[] {
  return round % 2 === 0 ? [...items] : items.toReversed();
}

function printed(child: ChildProcess, text: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let said = "";
  for (const stream of [child.stdout!, child.stderr!])
    stream.on("data", (chunk: Buffer) => {
      if (said.includes(text)) return;
      said += chunk.toString();
      if (said.includes(text)) resolve(said);
    });
  child.once("close", () => reject(new Error(`ended without "${text}":\n${said}`)));
  return promise;
}

/** Processor time of all threads so far. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

function memoryMb(pid: number): number {
  const [, kb] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))!;
  return Number(kb) / 1024;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}

function tableOf(samples: ReadonlyMap<string, readonly Sample[]>): string {
  const names = [...samples.keys()];
  const rows = COLUMNS.map(([title, field, digits]) => {
    const cells = names.map((name) => shown(median(samples.get(name)!.map((one) => one[field])), digits));
    return `| ${title} | ${cells.join(" | ")} |`;
  });
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(["", ...names]), line(["---", ...names.map(() => "---:")]), ...rows].join("\n");
}

function shown(value: number, digits: number): string {
  const rounded = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return value.toLocaleString("en", rounded);
}

function pageOf(table: string): string {
  const [cpu] = cpus();
  return `# Many accounts with an operator

${values.accounts} accounts with ${values.users} users each, whose tokens lie in the directory of a full resolver; ${values.connections} of the users connect, ${AT_A_TIME} at a
time, stay, leave, and connect again. Medians of ${values.rounds} rounds of \`npm run bench:operator\`, on ${cpus().length} cores (${cpu?.model.trim() ?? "unknown"}) that the load shares with the
server. A user presents a token and signs the server's text, so that each connect takes two verifications of Ed25519.

${table}
`;
}
