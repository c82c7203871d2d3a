/** TLS of one shoal: half handshakes by the thousand, certificates that are exchanged, what monitoring and the log say of them. */
import { X509Certificate } from "node:crypto";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { PortTls } from "../../src/ports/port-tls.ts";
import { silentLogger, type Logger } from "../../src/base/logger.ts";
import { VirtualClock } from "../../src/base/clock.ts";
import type { ConfigOverrides } from "../../src/config/config.ts";
import type { TlsConfig } from "../../src/config/values/tls.ts";
import { Authority, missingOpenssl, type Certificate } from "../support/certificates.ts";
import { waitFor } from "../support/cluster-wait.ts";
import { httpsGet, type HttpsAnswer } from "../support/https-get.ts";
import { startInProcess, type InProcessServer } from "../support/in-process-server.ts";
import { converse, line } from "../support/tls-client.ts";
import { plainTls } from "../support/tls-config.ts";

const isMissing = missingOpenssl();
const DAY_MS = 86_400_000;
let authority: Authority;
let certificate: Certificate;
const open: Socket[] = [];

beforeAll(() => {
  if (isMissing) return;
  authority = new Authority();
  certificate = authority.issue();
});
afterAll(() => authority?.[Symbol.dispose]());
afterEach(() => open.splice(0).forEach((socket) => socket.destroy()));

function tlsConfig(overrides: Partial<TlsConfig> = {}, own = certificate): TlsConfig {
  return { ...plainTls(own), caFile: authority.caFile, ...overrides };
}

const trusting = (): { ca: Buffer } => ({ ca: readFileSync(authority.caFile) });

function start(tls: TlsConfig, more: ConfigOverrides = {}): Promise<InProcessServer> {
  return startInProcess({ ...more, client: { tls, ...more.client } });
}

describe.skipIf(isMissing)("half handshakes", () => {
  it("held open by the thousand keep nobody out", async () => {
    await using started = await start(tlsConfig());
    const { server, port } = started;
    for (let i = 0; i < 1000; i++) open.push(connect(port, "127.0.0.1"));
    // Half of them say the beginning of a ClientHello.
    for (const socket of open.slice(500)) socket.write(Buffer.from("160301", "hex"));
    await waitFor("all to be connected", () => server.clients.sessions.size === 1000);
    const { outcome, socket } = await converse(port, { tls: trusting() });
    expect(outcome).toBe("PONG");
    expect(server.clients.handshakes.size).toBe(1000);
    socket.destroy();
  });

  it("end at their time", async () => {
    await using started = await start(tlsConfig({ timeoutMs: 200 }));
    for (let i = 0; i < 50; i++) open.push(connect(started.port, "127.0.0.1"));
    for (const socket of open) socket.on("error", () => undefined).resume();
    await waitFor("all to be refused", () => started.server.clients.counters.tlsFailures === 50);
    expect(started.server.clients.sessions.size).toBe(0);
    expect(started.server.clients.handshakes.size).toBe(0);
  });

  it("that are trickled end at their time as well", async () => {
    await using started = await start(tlsConfig({ timeoutMs: 500 }));
    const slow = connect(started.port, "127.0.0.1");
    open.push(slow);
    slow.on("error", () => undefined).resume();
    const trickle = setInterval(() => slow.write(Buffer.from([0x16])), 20);
    try {
      await waitFor("it to be refused", () => started.server.clients.counters.tlsFailures === 1);
    } finally {
      clearInterval(trickle);
    }
    expect(started.server.clients.sessions.size).toBe(0);
  });

  it("do not hold up the end of the server", async () => {
    const started = await start(tlsConfig());
    open.push(connect(started.port, "127.0.0.1"));
    await waitFor("it to be connected", () => started.server.clients.sessions.size === 1);
    await started[Symbol.asyncDispose]();
    expect(started.server.clients.sessions.size).toBe(0);
  });
});

describe.skipIf(isMissing)("the first word", () => {
  it("is TLS where that is asked for", async () => {
    await using started = await start(tlsConfig({ handshakeFirst: true }));
    const { outcome, info, socket } = await converse(started.port, { isFirst: true, tls: trusting() });
    expect(outcome).toBe("PONG");
    expect(info).toContain('"tls_required":true');
    socket.destroy();
  });

  it("of a full server is why it refuses, in plaintext", async () => {
    await using started = await start(tlsConfig(), { client: { maxConnections: 1 } });
    const first = await converse(started.port, { tls: trusting() });
    const second = connect(started.port, "127.0.0.1");
    expect(await line(second)).toMatch(/^INFO /);
    expect(await line(second)).toBe("-ERR 'maximum connections exceeded'");
    first.socket.destroy();
  });
});

describe.skipIf(isMissing)("bytes over TLS", () => {
  it("come out as they went in, in pieces of any size", async () => {
    await using started = await start(tlsConfig());
    const { socket } = await converse(started.port, { tls: trusting() });
    const sizes = [0, 1, 100, 16_383, 16_384, 16_385, 65_536, 131_073, 1_000_000];
    const payloads = sizes.map((size) => Buffer.alloc(size, "abcdefghijklmnopqrstuvwxyz0123456789"));
    const expected = Buffer.concat(
      payloads.map((payload) => Buffer.concat([Buffer.from(`MSG a 1 ${payload.length}\r\n`), payload, CRLF])),
    );
    const received: Buffer[] = [];
    let length = 0;
    socket.on("data", (chunk: Buffer) => (length += received.push(chunk) && chunk.length));
    socket.resume();
    socket.write("SUB a 1\r\n");
    for (const payload of payloads) {
      socket.write(Buffer.concat([Buffer.from(`PUB a ${payload.length}\r\n`), payload, CRLF]));
    }
    await waitFor("all of them", () => length >= expected.length);
    expect(Buffer.concat(received).equals(expected)).toBe(true);
    socket.destroy();
  });

  it("that nobody reads end the connection, as in plaintext", async () => {
    const limits = { maxPendingBytes: 2_000_000, maxPayloadBytes: 1_000_000 };
    await using started = await start(tlsConfig(), { client: limits });
    const { clients } = started.server;
    const reader = await converse(started.port, { tls: trusting() });
    reader.socket.write("SUB a 1\r\nPING\r\n");
    expect(await line(reader.socket)).toBe("PONG");
    const writer = await converse(started.port, { tls: trusting() });
    const message = Buffer.concat([Buffer.from("PUB a 500000\r\n"), Buffer.alloc(500_000), CRLF]);
    await waitFor("the reader to be cut", () => {
      if (writer.socket.writableLength < 1_000_000) writer.socket.write(message);
      return clients.counters.slowConsumers === 1;
    });
    reader.socket.destroy();
    writer.socket.destroy();
  });
});

const CRLF = Buffer.from("\r\n");

async function until(socket: Socket, wanted: string): Promise<void> {
  let text = "";
  do text = await line(socket);
  while (text !== wanted);
}

describe.skipIf(isMissing)("certificates", () => {
  /** Files whose content can be exchanged. */
  function exchangeable(first: Certificate): Certificate & { become(next: Certificate): void } {
    const certFile = join(authority.folder, "live.pem");
    const keyFile = join(authority.folder, "live-key.pem");
    const become = (next: Certificate): void => {
      copyFileSync(next.certFile, certFile);
      copyFileSync(next.keyFile, keyFile);
    };
    become(first);
    return { ...first, certFile, keyFile, become };
  }

  it("are read again for new connections; those that stand do not notice", async () => {
    const live = exchangeable(certificate);
    await using started = await start(tlsConfig({}, live));
    const before = await converse(started.port, { tls: trusting() });
    const next = authority.issue({ subject: "/CN=next" });
    live.become(next);
    expect(await started.server.reload("files")).toMatchObject({ kind: "reloaded", changed: [] });
    const after = await converse(started.port, { tls: trusting() });
    expect(subjectShownTo(after.socket)).toBe("next");
    expect(subjectShownTo(before.socket)).toBe("localhost");
    before.socket.write("PING\r\n");
    expect(await line(before.socket)).toBe("PONG");
    before.socket.destroy();
    after.socket.destroy();
  });

  it("are read again when their files change, once certificate and key go together", async () => {
    const live = exchangeable(certificate);
    const config = { server: { watchFiles: "always" as const }, client: { tls: tlsConfig({}, live) } };
    await using started = await startInProcess(config);
    const next = authority.issue({ subject: "/CN=renewed" });
    copyFileSync(next.certFile, live.certFile);
    const { reloadRecord } = started.server.rooms;
    await waitFor("the half of it to be refused", () => reloadRecord.current.failure !== null);
    copyFileSync(next.keyFile, live.keyFile);
    await waitFor("the other half", () => reloadRecord.current.failure === null);
    const { socket } = await converse(started.port, { tls: trusting() });
    expect(subjectShownTo(socket)).toBe("renewed");
    socket.destroy();
  });

  it("are asked for from a reload on, and no more from another one on; those that stand do not notice", async () => {
    await using started = await startInProcess();
    const { port } = started;
    const plain = await converse(port, { isPlain: true });
    expect((await started.reload({ client: { tls: tlsConfig() } })).kind).toBe("reloaded");
    const secured = await converse(port, { tls: trusting() });
    expect(secured.outcome).toBe("PONG");
    expect((await converse(port, { isPlain: true })).outcome).not.toBe("PONG");
    await started.reload({ client: { tls: tlsConfig(), allowNonTls: true } });
    expect((await converse(port, { isPlain: true })).outcome).toBe("PONG");
    await started.reload({});
    expect(JSON.parse((await converse(port, { isPlain: true })).info.slice(5))).not.toHaveProperty(
      "tls_available",
    );
    for (const { socket } of [plain, secured]) {
      socket.write("PUB x 0\r\n\r\nPING\r\n");
      await until(socket, "PONG");
      socket.destroy();
    }
  });

  it("are asked for on routes from a reload on; routes that stand do not notice", async () => {
    await using a = await startInProcess({ cluster: { name: "c" } });
    const route = { host: "localhost", port: a.routePort, user: null, password: null };
    await using b = await startInProcess({ cluster: { name: "c", routes: [route] } });
    const connected = ({ server }: InProcessServer): number =>
      server.cluster?.snapshot()?.size.connected ?? 0;
    await waitFor("the mesh", () => connected(a) === 2 && (b.server.cluster?.snapshot()?.complete ?? false));
    const standing = [...a.server.cluster!.sessions.keys()];
    const tls = tlsConfig({ verify: "required" });
    await a.reload({ cluster: { name: "c", tls } });
    await b.reload({ cluster: { name: "c", routes: [route], tls } });
    expect([...a.server.cluster!.sessions.keys()]).toEqual(standing);
    for (const session of a.server.cluster!.sessions.values()) session.closeSaying(null, "Test");
    const isSecure = (): boolean => {
      const sessions = [...a.server.cluster!.sessions.values()];
      return sessions.length >= standing.length && sessions.every(({ wire }) => wire.security !== null);
    };
    await waitFor("the routes to be secured", isSecure);
  });

  it("that are wrong change nothing", async () => {
    const live = exchangeable(certificate);
    await using started = await start(tlsConfig({}, live));
    writeFileSync(live.certFile, "no certificate");
    expect(await started.server.reload("files")).toEqual({
      kind: "refused",
      messages: [expect.stringContaining(`TLS: cannot use ${live.certFile}`)],
    });
    live.become(certificate);
    copyFileSync(authority.issue().keyFile, live.keyFile);
    expect(await started.server.reload("files")).toEqual({
      kind: "refused",
      messages: [expect.stringContaining("with the key")],
    });
    const { outcome, socket } = await converse(started.port, { tls: trusting() });
    expect(outcome).toBe("PONG");
    socket.destroy();
  });

  it("that are missing keep the server from starting", async () => {
    const nowhere = { ...certificate, certFile: "/nowhere/cert.pem" };
    await expect(start(tlsConfig({}, nowhere))).rejects.toThrow("TLS: cannot read /nowhere/cert.pem: ENOENT");
  });

  it("that end are told of from 30 days before, each day, and when they have ended", () => {
    const lines: string[] = [];
    const say =
      (level: string) =>
      (text: string): void =>
        void lines.push(`${level}: ${text}`);
    const logger: Logger = { ...silentLogger, warn: say("warn"), error: say("error") };
    const twenty = authority.issue({ days: 20 });
    const notAfterMs = new X509Certificate(readFileSync(twenty.certFile)).validToDate.getTime();
    const clock = new VirtualClock(notAfterMs - 31 * DAY_MS + 1);
    const terms = { client: tlsConfig({}, twenty), cluster: null, websocket: null, allowsPlain: false };
    using watched = new PortTls(terms, clock, logger);
    watched.watchExpiry();
    expect(lines).toEqual([]);
    clock.advance(2 * DAY_MS);
    expect(lines).toEqual([
      "warn: TLS certificate of the client port expires in 29 days",
      "warn: TLS certificate of the client port expires in 28 days",
    ]);
    clock.advance(30 * DAY_MS);
    expect(lines.at(-1)).toBe("error: TLS certificate of the client port has expired");
    expect(watched.certificates).toMatchObject([{ port: "client", subject: "CN=localhost" }]);
  });
});

function subjectShownTo(socket: Socket | TLSSocket): unknown {
  return socket instanceof TLSSocket ? socket.getPeerCertificate().subject.CN : null;
}

describe.skipIf(isMissing)("monitoring over TLS", () => {
  const secured = (more: ConfigOverrides["monitor"] = {}): Promise<InProcessServer> =>
    start(tlsConfig({ verify: "required" }), { monitor: { host: "127.0.0.1", httpsPort: 0, ...more } });

  it("tells of connections with TLS and their certificates", async () => {
    await using started = await secured();
    const holder = authority.issue({ subject: "/C=US/O=example/CN=alice/emailAddress=a@b.c" });
    const identity = { cert: readFileSync(holder.certFile), key: readFileSync(holder.keyFile) };
    const client = await converse(started.port, { tls: { ...trusting(), ...identity } });
    const connz = (await get(started, "/connz?auth=1")).json as { connections: object[] };
    expect(connz.connections[0]).toMatchObject({
      tls_version: "1.3",
      tls_cipher_suite: "TLS_AES_128_GCM_SHA256",
      tls_peer_certs: [
        {
          subject: "CN=alice,O=example,C=US,1.2.840.113549.1.9.1=#0c056140622e63",
          spki_sha256: holder.pin,
          cert_sha256: expect.stringMatching(/^[\da-f]{64}$/) as unknown,
        },
        { subject: "CN=authority" },
      ],
    });
    const varz = (await get(started, "/varz")).json as { tls_cert_not_after: string };
    expect(varz).toMatchObject({
      tls_required: true,
      tls_verify: true,
      tls_timeout: 30,
      https_port: started.server.monitorPort,
      http_port: 0,
    });
    expect(Date.parse(varz.tls_cert_not_after)).toBe(started.server.rooms.tls.notAfterMs("client"));
    client.socket.destroy();
  });

  it("is for those who may ask; probes are answered in any case", async () => {
    const secrets = { user: "ops", password: "s3cret", token: "t0ken" };
    await using started = await secured(secrets);
    const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`;
    const statusOf = async (path: string, authorization?: string): Promise<number> =>
      (await get(started, path, authorization)).status;
    expect(await statusOf("/varz")).toBe(401);
    expect(await statusOf("/")).toBe(401);
    expect(await statusOf("/varz", basic("ops:wrong"))).toBe(401);
    expect(await statusOf("/varz", basic("ops:s3cret"))).toBe(200);
    expect(await statusOf("/varz", "Bearer wrong")).toBe(401);
    expect(await statusOf("/varz", "Bearer t0ken")).toBe(200);
    expect(await statusOf("/varz", "bearer t0ken")).toBe(200);
    for (const path of ["/healthz", "/livez", "/readyz", "/startupz"]) expect(await statusOf(path)).toBe(200);
  });

  it("tells of no server, name or address to those who have no credentials", async () => {
    await using started = await secured({ user: null, password: null, token: "t0ken" });
    const { id } = started.server.identity;
    const jsonOf = async (path: string, token?: string): Promise<unknown> =>
      (await get(started, path, token)).json;
    const well = { status: "ok", reasons: [], state: "ready" };
    for (const path of ["/livez", "/readyz", "/startupz"]) expect(await jsonOf(path)).toEqual(well);
    expect(await jsonOf("/readyz", "Bearer t0ken")).toMatchObject({ server_id: id, peers: { seen: 0 } });
    const waiting = { status: "unavailable", reasons: ["expected servers"], state: "ready", expect: 2 };
    expect(await jsonOf("/readyz?expect=2")).toEqual(waiting);
  });

  it("is not kept from anybody by handshakes that nobody ends", async () => {
    await using started = await secured();
    for (let i = 0; i < 200; i++) open.push(connect(started.server.monitorPort!, "127.0.0.1"));
    for (const socket of open) socket.on("error", () => undefined);
    expect((await get(started, "/healthz")).status).toBe(200);
  });

  it("shows the new certificate after they were read again", async () => {
    const live = authority.issue({ subject: "/CN=old" });
    await using started = await start(tlsConfig({}, live), { monitor: { host: "127.0.0.1", httpsPort: 0 } });
    expect((await get(started, "/healthz")).subject).toBe("old");
    const next = authority.issue({ subject: "/CN=new" });
    copyFileSync(next.certFile, live.certFile);
    copyFileSync(next.keyFile, live.keyFile);
    await started.server.reload("files");
    expect((await get(started, "/healthz")).subject).toBe("new");
  });

  function get({ server }: InProcessServer, path: string, authorization?: string): Promise<HttpsAnswer> {
    return httpsGet({ port: server.monitorPort!, path, authorization, ...trusting() });
  }
});
