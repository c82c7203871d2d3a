/**
 * Reading from a socket on loopback: straight into the window, as src/transport/tcp.ts does it, and by 'data' events. Processor
 * time of the reading thread per message; another thread sends.
 */
import { liveCell } from "../../src/base/live.ts";
import net from "node:net";
import { Worker } from "node:worker_threads";
import { READ_SIZE, READ_START } from "../../src/slab/layout.ts";
import { bytes } from "../../src/slab/memory.ts";
import { Inbound } from "../../src/links/trunk/inbound.ts";
import { ClientParser, type ClientOperations } from "../../src/protocol/client-parser.ts";
import { OpenWires } from "../../src/transport/open-wires.ts";
import { listenTcp, tcpWire } from "../../src/transport/tcp.ts";
import { sink } from "./case.ts";

const FRAME = `PUB orders.new 16\r\n${"x".repeat(16)}\r\n`;
const MESSAGES = 4_000_000;
const ROUNDS = 3;

const counted = (): true => {
  sink.value++;
  return true;
};
const operations = {
  mayBegin: () => true,
  onPublish: counted,
  onPublishAgain: counted,
} as unknown as ClientOperations;
const limits = liveCell({ maxPayloadBytes: 1024, maxControlLineBytes: 4096 });

export const readCases: readonly { readonly name: string; measure(): Promise<number> }[] = [
  { name: "16 bytes, straight into the window", measure: () => leastOf(intoWindow) },
  { name: "16 bytes, by 'data' events", measure: () => leastOf(byEvents) },
];

async function leastOf(way: () => Promise<number>): Promise<number> {
  let least = Infinity;
  for (let round = 0; round < ROUNDS; round++) least = Math.min(least, await way());
  return least;
}

async function intoWindow(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const wires = new OpenWires();
  const listener = await listenTcp("127.0.0.1", 0, (socket) => {
    const wire = tcpWire(socket, wires);
    const inbound = new Inbound(new ClientParser(operations, limits));
    const from = process.threadCpuUsage();
    wire.start({
      onBytes: (length) => inbound.take(length),
      onWritten: () => undefined,
      onClosed: () => resolve(perMessage(from)),
    });
  });
  send(listener.endpoint.port);
  const ns = await promise;
  listener.close();
  return ns;
}

async function byEvents(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const server = net.createServer((socket) => {
    const inbound = new Inbound(new ClientParser(operations, limits));
    const from = process.threadCpuUsage();
    socket.on("data", (data: Buffer) => {
      for (let at = 0; at < data.length; at += READ_SIZE) {
        const piece = data.subarray(at, at + READ_SIZE);
        bytes.set(piece, READ_START);
        inbound.take(piece.length);
      }
    });
    socket.on("close", () => resolve(perMessage(from)));
  });
  server.listen(0, "127.0.0.1", () => send((server.address() as net.AddressInfo).port));
  const ns = await promise;
  server.close();
  return ns;
}

function perMessage(from: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(from);
  return ((user + system) * 1000) / MESSAGES;
}

/** Sends from a thread of its own, whose processor time does not count. */
function send(port: number): void {
  const source = `
    const net = require("node:net");
    const { port, frame, messages } = require("node:worker_threads").workerData;
    const block = Buffer.from(frame.repeat(1000));
    let left = messages / 1000;
    const socket = net.connect(port, "127.0.0.1", more);
    socket.on("drain", more);
    function more() {
      while (left > 0 && (left--, socket.write(block)));
      if (left === 0) { left = -1; socket.end(); }
    }`;
  const worker = new Worker(source, { eval: true, workerData: { port, frame: FRAME, messages: MESSAGES } });
  worker.once("error", (error) => {
    throw error;
  });
}
