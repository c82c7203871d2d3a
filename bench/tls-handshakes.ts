/**
 * Whether handshakes leave memory behind: one shoal in this process, clients in another one that connect over TLS, ask for a
 * PONG and go; each tenth goes in the midst of its handshake. After each round, with garbage collected, what the server holds.
 *
 *     node --expose-gc bench/tls-handshakes.ts [--rounds 6] [--handshakes 10000]
 */
import { execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect as connectTcp, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { parseArgs } from "node:util";
import { Server } from "../src/app/server.ts";
import { silentLogger } from "../src/base/logger.ts";
import type { Config } from "../src/config/config.ts";
import { loadConfig } from "../src/config/load.ts";

const AT_ONCE = 16;
const MB = 1024 * 1024;

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "6" },
    handshakes: { type: "string", default: "10000" },
    /** The process of the clients. */
    port: { type: "string" },
    ca: { type: "string" },
  },
});

await (values.port === undefined
  ? serve()
  : beClients(Number(values.port), readFileSync(values.ca!), Number(values.handshakes)));

async function serve(): Promise<void> {
  const { gc } = globalThis;
  if (gc === undefined) throw new Error("run it with node --expose-gc");
  const folder = mkdtempSync(join(tmpdir(), "shoal-bench-tls-"));
  const [certFile, keyFile] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  makeCertificate(certFile, keyFile);
  const server = new Server({ config: configFor(certFile, keyFile), logger: silentLogger });
  try {
    await server.start();
    const { port } = server.clientEndpoint!;
    console.log("| handshakes | resident MB | heap MB | outside the heap MB | connections | under way |");
    console.log("| ---: | ---: | ---: | ---: | ---: | ---: |");
    for (let round = 0; round <= Number(values.rounds); round++) {
      if (round > 0) await runClients(port, certFile);
      await gc({ execution: "async", type: "major" });
      const { rss, heapUsed, external } = process.memoryUsage();
      const { sessions, handshakes, totalConnections } = server.clients;
      const figures = [rss, heapUsed, external].map((bytes) => (bytes / MB).toFixed(1));
      console.log(`| ${[totalConnections, ...figures, sessions.size, handshakes.size].join(" | ")} |`);
    }
  } finally {
    server.stop();
    await server.closed();
    rmSync(folder, { recursive: true, force: true });
  }
}

function configFor(certFile: string, keyFile: string): Config {
  const text = `listen: "127.0.0.1:-1"\ntls { cert_file: "${certFile}", key_file: "${keyFile}" }`;
  const loaded = loadConfig(["-c", "bench.conf"], {}, () => Buffer.from(text));
  if (loaded.kind !== "run") throw new Error("no configuration");
  return loaded.config;
}

function makeCertificate(certFile: string, keyFile: string): void {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const files = ["-keyout", keyFile, "-out", certFile, "-days", "2"];
  execFileSync("openssl", ["req", "-x509", ...key, ...files, ...names], { stdio: "ignore" });
}

async function runClients(port: number, ca: string): Promise<void> {
  const told = ["--port", String(port), "--ca", ca, "--handshakes", values.handshakes];
  const clients = fork(import.meta.filename, told);
  const [code] = (await once(clients, "close")) as [number | null];
  if (code !== 0) throw new Error("the clients failed");
}

async function beClients(port: number, ca: Buffer, count: number): Promise<void> {
  let begun = 0;
  const oneByOne = async (): Promise<void> => {
    while (begun < count) await (++begun % 10 === 0 ? leaveEarly(port) : converse(port, ca));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, oneByOne));
}

async function converse(port: number, ca: Buffer): Promise<void> {
  const socket = connectTcp(port, "127.0.0.1");
  await once(socket, "data");
  const secured = connectTls({ socket, ca, servername: "localhost" });
  await once(secured, "secureConnect");
  secured.write('CONNECT {"verbose":false}\r\nPING\r\n');
  await once(secured, "data");
  await ended(secured);
}

/** After the beginning of a ClientHello. */
async function leaveEarly(port: number): Promise<void> {
  const socket = connectTcp(port, "127.0.0.1");
  await once(socket, "data");
  socket.write(Buffer.from("160301", "hex"));
  await ended(socket);
}

async function ended(socket: Socket): Promise<void> {
  socket.on("error", () => undefined).resume();
  socket.end();
  await once(socket, "close");
}
