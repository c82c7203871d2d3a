/**
 * nats.py and nats.go over TCP and over WebSocket, on both servers: messages, streams and buckets. They are programs of their own (`clients/`): NATS_PY names a Python that has nats-py
 * and aiohttp, and NATS_GO_SESSION what `clients/go` is built to. Without them the tests are skipped; `.ci/run` installs both.
 */
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bothServers, requireNatsServer } from "../support/both-servers.ts";
import { Authority, missingOpenssl } from "../support/certificates.ts";
import { freePort } from "../support/free-port.ts";
import { startServer, type ServerProcess } from "../support/nats-server.ts";
import { PATIENCE_MS, TEST_TIMEOUT_MS } from "../support/patience.ts";

requireNatsServer();

const python = process.env["NATS_PY"];
const goSession = process.env["NATS_GO_SESSION"];
const CLIENTS: readonly (readonly [name: string, who: string, command: readonly string[] | null])[] = [
  [
    "nats.py",
    "python",
    python === undefined ? null : [python, join(import.meta.dirname, "clients/session.py")],
  ],
  ["nats.go", "go", goSession === undefined ? null : [goSession]],
];
const isWithoutOpenssl = missingOpenssl();

let authority: Authority;

beforeAll(() => {
  if (!isWithoutOpenssl) authority = new Authority();
});

afterAll(() => authority?.[Symbol.dispose]());

/** Calls `work` with the URL of a server. */
async function onServer(
  command: string,
  scheme: "nats" | "ws" | "wss",
  work: (url: string) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "shoal-clients-"));
  const port = await freePort();
  const { certFile, keyFile } = scheme === "wss" ? authority.issue() : { certFile: "", keyFile: "" };
  const tls = scheme !== "wss" ? "no_tls: true" : `tls { cert_file: "${certFile}", key_file: "${keyFile}" }`;
  let server: ServerProcess | null = null;
  try {
    server = await startServer(
      command,
      `websocket { listen: "127.0.0.1:${port}", compression: true, ${tls} }\njetstream { store_dir: "${folder}" }`,
    );
    await work(`${scheme}://127.0.0.1:${scheme === "nats" ? server.port : port}`);
  } finally {
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

describe.each(CLIENTS)("%s", (name, who, command) => {
  for (const server of bothServers)
    it.skipIf(command === null).each([["nats"], ["ws"], ["wss"]] as const)(
      `publishes, asks, keeps and watches at ${server.name} by %s`,
      { timeout: TEST_TIMEOUT_MS },
      async (scheme) => {
        if (scheme === "wss" && isWithoutOpenssl) return;
        const [program = "", ...own] = command ?? [];
        await onServer(server.command, scheme, async (url) => {
          const more = scheme === "wss" ? [authority.caFile] : [];
          const { stdout } = await promisify(execFile)(program, [...own, url, ...more], {
            timeout: 2 * PATIENCE_MS,
          });
          expect(JSON.parse(stdout), name).toEqual({
            "in order": true,
            reply: `question heard by ${who}`,
            large: true,
            nobody: "no responders",
            pulled: ["0", "1", "2"],
            value: "blue",
            watched: ["blue"],
          });
        });
      },
    );
});
