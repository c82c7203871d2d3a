/**
 * What a flood of wrong passwords does to others who connect:
 *
 *     node bench/auth-flood.ts [--server COMMAND] [--seconds 10] [--flooders 50]
 *
 * Flooders present ever new wrong passwords of a user whose password is a bcrypt hash (cost 11), over and over. Beside
 * them, one after the other, come clients with a plain password, without credentials, with the right password of another
 * hash for the first time, and with that of one that was seen before. Prints how many of each were admitted, and how long it took.
 */
import { hashSync } from "bcryptjs";
import { connect as dial, type Socket } from "node:net";
import { parseArgs } from "node:util";
import { startServer } from "../test/support/nats-server.ts";

const { values } = parseArgs({
  options: {
    server: { type: "string", default: "bin/shoal" },
    seconds: { type: "string", default: "10" },
    flooders: { type: "string", default: "50" },
  },
});
const FIRST_TIMERS = 40;
const COST = 11;

const hashed = (password: string): string => JSON.stringify(hashSync(password, COST));
const others = Array.from({ length: FIRST_TIMERS }, (_, i) => `other${i}`);
const listed = others.map((name) => `{ user: ${name}, password: ${hashed(name)} }`);
const server = await startServer(
  values.server,
  `authorization { timeout: 30, users: [ { user: plain, password: p }, { user: known, password: ${hashed("k")} },
   { user: victim, password: ${hashed("v")} }, ${listed.join(", ")} ] }
   no_auth_user: plain`,
);

/** Resolves with the answer to a PING behind CONNECT: PONG, or an error. */
function attempt(credentials: object): Promise<"admitted" | "refused"> {
  return new Promise((resolve) => {
    const socket: Socket = dial({ host: server.host, port: server.port });
    const hello = { verbose: false, pedantic: false, ...credentials };
    socket.on("error", () => resolve("refused"));
    socket.on("close", () => resolve("refused"));
    socket.on("data", (data) => {
      const text = data.toString("latin1");
      if (text.startsWith("INFO ")) socket.write(`CONNECT ${JSON.stringify(hello)}\r\nPING\r\n`);
      if (!text.includes("PONG\r\n")) return;
      resolve("admitted");
      socket.end();
    });
  });
}

let isOver = false;
let refusals = 0;
let guess = 0;

async function flood(): Promise<void> {
  while (!isOver) {
    if ((await attempt({ user: "victim", pass: `guess ${guess++}` })) === "refused") refusals++;
  }
}

interface Tally {
  readonly tookMs: number[];
  refused: number;
}

async function come(tally: Tally, credentials: object): Promise<void> {
  const from = performance.now();
  if ((await attempt(credentials)) === "refused") tally.refused++;
  else tally.tookMs.push(performance.now() - from);
}

const kinds: readonly (readonly [name: string, credentials: (turn: number) => object | null])[] = [
  ["plain password", () => ({ user: "plain", pass: "p" })],
  ["no credentials", () => ({})],
  ["hash, seen before", () => ({ user: "known", pass: "k" })],
  ["hash, first time", (turn) => (turn < FIRST_TIMERS ? { user: others[turn], pass: others[turn] } : null)],
];
const tallies = kinds.map((): Tally => ({ tookMs: [], refused: 0 }));

async function visit(index: number): Promise<void> {
  for (let turn = 0; !isOver; turn++) {
    const credentials = kinds[index]![1](turn);
    if (credentials === null) return;
    await come(tallies[index]!, credentials);
  }
}

await attempt({ user: "known", pass: "k" });
const timer = setTimeout(() => (isOver = true), Number(values.seconds) * 1000);
await Promise.all([
  ...Array.from({ length: Number(values.flooders) }, () => flood()),
  ...kinds.map((_, index) => visit(index)),
]);
clearTimeout(timer);
console.log(`${values.server}: ${refusals} wrong passwords refused in ${values.seconds} s`);
for (const [index, [name]] of kinds.entries()) {
  const { tookMs, refused } = tallies[index]!;
  const sorted = tookMs.toSorted((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.floor(sorted.length * share)] ?? NaN).toFixed(1);
  console.log(
    `${name.padEnd(18)} ${String(sorted.length).padStart(6)} admitted ${refused} refused; ms: median ${at(0.5)}, 99 % ${at(0.99)}`,
  );
}
await server.stop();
