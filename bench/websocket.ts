/**
 * WebSocket beside nats-server: one publisher and one subscriber over WebSocket, both servers in turns in one run. Frames are masked and
 * hold as many messages as clients put into one write. Reports messages per second and the servers' processor time for each message.
 *
 *     node bench/websocket.ts --nats-server nats-server [--rounds 5] [--seconds 2] [--sizes 16,128,1024]
 */
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { constants, deflateRawSync } from "node:zlib";

const { values } = parseArgs({
  options: {
    "nats-server": { type: "string", default: "nats-server" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "2" },
    sizes: { type: "string", default: "16,128,1024" },
  },
});
const programs = { shoal: join(import.meta.dirname, "../bin/shoal"), "nats-server": values["nats-server"] };
const folder = mkdtempSync(join(tmpdir(), "shoal-bench-websocket-"));
const TICK_MS = 1000 / Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
/** What a client writes at once. */
const FRAME_BYTES = 16 * 1024;
const BLOCK_BYTES = 512 * 1024;
const PING = Buffer.from("PING\r\n");
const PONG = Buffer.from("PONG\r\n");

interface Run {
  readonly messagesPerSecond: number;
  readonly cpuNsPerMessage: number;
}

type Mode = "plain" | "compressed";

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function main(): Promise<void> {
  console.log("| Messages | Compression | Server | messages/s | CPU of the server per message |");
  console.log("| --- | --- | --- | --- | --- |");
  for (const mode of ["plain", "compressed"] as const) {
    for (const size of values.sizes.split(",").map(Number)) {
      const runs = new Map<string, Run[]>();
      for (let round = 0; round < Number(values.rounds); round++) {
        const entries = Object.entries(programs);
        for (const [name, program] of round % 2 === 0 ? entries : entries.toReversed())
          runs.set(name, [...(runs.get(name) ?? []), await measure(program, mode, size)]);
      }
      for (const [name, list] of runs) {
        const rate = Math.round(median(list.map((run) => run.messagesPerSecond))).toLocaleString("en");
        const cpu = Math.round(median(list.map((run) => run.cpuNsPerMessage)));
        console.log(`| ${size} B | ${mode === "plain" ? "no" : "yes"} | ${name} | ${rate} | ${cpu} ns |`);
      }
    }
  }
}

async function measure(program: string, mode: Mode, size: number): Promise<Run> {
  const config = join(folder, "server.conf");
  writeFileSync(
    config,
    `listen: "127.0.0.1:-1"\nwebsocket { listen: "127.0.0.1:-1", no_tls: true, compression: true }\n`,
  );
  const server = spawn(program, ["-c", config], { stdio: ["ignore", "pipe", "pipe"] });
  try {
    const port = await webSocketPort(server);
    const subscriber = await open(port, mode);
    const publisher = await open(port, mode);
    subscriber.say("SUB a 1\r\n");
    await subscriber.caughtUp();
    const { block, messages } = blockOf(mode, size);
    await flow(publisher, subscriber, block, messages, 500); // warms up
    const cpuBefore = cpuMs(server);
    const { sent, seconds } = await flow(
      publisher,
      subscriber,
      block,
      messages,
      Number(values.seconds) * 1000,
    );
    const cpu = cpuMs(server) - cpuBefore;
    publisher.socket.destroy();
    subscriber.socket.destroy();
    return { messagesPerSecond: sent / seconds, cpuNsPerMessage: (cpu * 1e6) / sent };
  } finally {
    server.kill("SIGKILL");
  }
}

async function flow(
  publisher: Peer,
  subscriber: Peer,
  block: Buffer,
  messages: number,
  forMs: number,
): Promise<{ readonly sent: number; readonly seconds: number }> {
  const started = performance.now();
  let sent = 0;
  while (performance.now() - started < forMs) {
    await publisher.write(block);
    sent += messages;
  }
  await publisher.caughtUp();
  await subscriber.caughtUp();
  return { sent, seconds: (performance.now() - started) / 1000 };
}

/** Frames to write again and again. */
function blockOf(mode: Mode, size: number): { readonly block: Buffer; readonly messages: number } {
  const text =
    '{"id":"4711","name":"sensor","at":"2026-01-01T00:00:00Z","values":[1.25,2.5,3.75],"ok":true} ';
  const line = `PUB a ${size}\r\n`;
  const perFrame = Math.max(1, Math.floor(FRAME_BYTES / (line.length + size + 2)));
  const frames: Buffer[] = [];
  let messages = 0;
  for (let bytes = 0; bytes < BLOCK_BYTES; messages += perFrame) {
    const operations = Array.from({ length: perFrame }, (_, i) => {
      const payload = `${messages + i}${text.repeat(Math.ceil(size / text.length))}`.slice(0, size);
      return `${line}${payload}\r\n`;
    });
    bytes += perFrame * (line.length + size + 2);
    frames.push(frame(Buffer.from(operations.join("")), mode));
  }
  return { block: Buffer.concat(frames), messages };
}

function frame(payload: Buffer, mode: Mode): Buffer {
  const options = { level: 1, finishFlush: constants.Z_SYNC_FLUSH };
  const data = mode === "plain" ? payload : deflateRawSync(payload, options).subarray(0, -4);
  const { length } = data;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head[0] = mode === "plain" ? 0x82 : 0xc2;
  head[1] = 0x80 | (length < 126 ? length : length < 65_536 ? 126 : 127);
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
  const mask = Buffer.of(0x37, 0xfa, 0x21, 0x3d);
  return Buffer.concat([head, mask, data.map((byte, i) => byte ^ mask[i & 3]!)]);
}

interface Peer {
  readonly socket: Socket;
  say(text: string): void;
  write(block: Buffer): Promise<void>;
  /** Resolves when all that was said before has been read over there, and all that came of it here. */
  caughtUp(): Promise<void>;
}

async function open(port: number, mode: Mode): Promise<Peer> {
  const buffer = Buffer.alloc(256 * 1024);
  let tail = Buffer.alloc(0);
  let isUpgraded = false;
  let changed = (): void => undefined;
  const onread = {
    buffer,
    callback(length: number): boolean {
      tail = Buffer.concat([tail.subarray(-PONG.length), buffer.subarray(Math.max(0, length - 64), length)]);
      isUpgraded ||= buffer.toString("latin1", 0, 12) === "HTTP/1.1 101";
      changed();
      return true;
    },
  };
  const socket = connect({ port, host: "127.0.0.1", noDelay: true, onread });
  socket.on("error", () => undefined);
  const extension = mode === "plain" ? "" : "Sec-WebSocket-Extensions: permessage-deflate\r\n";
  const request =
    "Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
  socket.write(`GET / HTTP/1.1\r\n${request}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${extension}\r\n`);
  const until = (is: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      changed = () => void (is() && resolve());
      changed();
    });
  await until(() => isUpgraded);
  const peer: Peer = {
    socket,
    say: (text) => void socket.write(frame(Buffer.from(text), "plain")),
    write: (block) => new Promise((resolve) => void socket.write(block, () => resolve())),
    async caughtUp() {
      tail = Buffer.alloc(0);
      const ask = (): void => void socket.write(frame(PING, "plain"));
      ask();
      // A PONG that comes with much else is compressed with it, and not found: the next one comes alone.
      const again = setInterval(ask, 10);
      await until(() => tail.subarray(-PONG.length).equals(PONG));
      clearInterval(again);
    },
  };
  peer.say('CONNECT {"verbose":false,"pedantic":false}\r\n');
  await peer.caughtUp();
  return peer;
}

function webSocketPort(server: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    let said = "";
    const look = (chunk: Buffer): void => {
      said += chunk.toString();
      const [, port] = /websocket clients on ws:\/\/127\.0\.0\.1:(\d+)/.exec(said) ?? [];
      if (port !== undefined && said.includes("Server is ready")) resolve(Number(port));
    };
    server.stdout!.on("data", look);
    server.stderr!.on("data", look);
  });
}

function cpuMs({ pid }: ChildProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

function median(list: readonly number[]): number {
  return list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)]!;
}
