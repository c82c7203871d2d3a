/** Requests for an upgrade on memory wires: whole, in single bytes, too long, too slow, and too many. */
import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../../../src/base/clock.ts";
import { liveCell } from "../../../../src/base/live.ts";
import { silentLogger } from "../../../../src/base/logger.ts";
import type { Presented } from "../../../../src/links/client/arrival.ts";
import { WebSocketPort } from "../../../../src/ports/websocket/websocket-port.ts";
import { MemoryWire } from "../../../../src/transport/memory.ts";
import { readRequest, type UpgradeTerms } from "../../../../src/transport/websocket/request.ts";

const TERMS: UpgradeTerms = {
  compression: true,
  sameOrigin: false,
  allowedOrigins: [],
  headers: "",
  isSecured: false,
};
const HEADERS = {
  Host: "localhost:8080",
  Upgrade: "websocket",
  Connection: "Upgrade",
  "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version": "13",
};

function head(headers: Readonly<Record<string, string>> = {}): string {
  const all = Object.entries({ ...HEADERS, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET /path?query HTTP/1.1\r\n${all.join("")}\r\n`;
}

interface Rig {
  readonly port: WebSocketPort;
  readonly clock: VirtualClock;
  readonly clients: Presented[];
  readonly arrive: () => MemoryWire;
}

function rig(): Rig {
  const clock = new VirtualClock(1000);
  const clients: Presented[] = [];
  const port = new WebSocketPort({
    host: "",
    port: 0,
    settings: liveCell({
      compression: true,
      sameOrigin: false,
      allowedOrigins: [],
      headers: { "X-A": "b" },
      cookies: { jwt: null, user: "u", pass: "p", token: "t" },
      handshakeTimeoutMs: 5000,
      limits: { strangerMaxBytes: 1000, admittedMaxBytes: 1000 },
    }),
    tls: () => null,
    clock,
    logger: silentLogger,
    onClient(wire, presented) {
      clients.push(presented);
      wire.start({ onBytes: () => true, onWritten: () => undefined, onClosed: () => undefined });
    },
    onLeaf: null,
  });
  const arrive = (): MemoryWire => {
    const wire = new MemoryWire();
    port.accept(wire);
    return wire;
  };
  return { port, clock, clients, arrive };
}

describe("a request", () => {
  it("is taken in any pieces", () => {
    for (const length of [1, 2, 3, 50, 1000]) {
      const { port, clients, clock, arrive } = rig();
      const wire = arrive();
      const request = head({ Cookie: 'u=me; p="secret"; t=; other' });
      for (let from = 0; from < request.length; from += length)
        wire.receiveText(request.slice(from, from + length));
      expect(wire.takeText()).toContain(
        "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-A: b\r\n\r\n",
      );
      expect(clients).toEqual([{ jwt: "", user: "me", pass: "secret", authToken: "" }]);
      expect([port.openingCount, clock.timerCount]).toEqual([0, 0]);
    }
  });

  it("has to come in time", () => {
    const { port, clock, arrive } = rig();
    const wire = arrive();
    wire.receiveText(head().slice(0, 40));
    clock.advance(4999);
    expect(wire.state).toBe("open");
    clock.advance(1);
    expect([wire.state, wire.takeText()]).toEqual(["closing", ""]);
    expect(port.counters.abandoned).toBe(1);
    wire.hangUp();
    expect([port.openingCount, clock.timerCount]).toEqual([0, 0]);
  });

  it("has a bounded head", () => {
    const { port, arrive } = rig();
    const wire = arrive();
    for (let i = 0; i < 40 && wire.state === "open"; i++)
      wire.receiveText(`${i === 0 ? "GET / HTTP/1.1\r\n" : ""}X: ${"a".repeat(1000)}\r\n`);
    expect(wire.takeText()).toMatch(/^HTTP\/1\.1 431 /);
    expect([wire.state, port.counters.refused, port.openingCount]).toEqual(["closing", 1, 0]);
  });

  it("is given up for newer ones where too many are open", () => {
    const { port, arrive } = rig();
    const wires = Array.from({ length: 4097 }, arrive);
    expect(wires.map(({ state }) => state === "open")).toEqual(wires.map((_, i) => i > 0));
    expect([port.openingCount, port.counters.abandoned]).toEqual([4096, 1]);
  });

  it("ends with the port", () => {
    const { port, clock, arrive } = rig();
    const wire = arrive();
    port.stop();
    expect(wire.state).toBe("closing");
    wire.hangUp();
    expect([port.openingCount, clock.timerCount]).toEqual([0, 0]);
  });

  it.each([
    ["GET / HTTP/1.1\nHost: a\n\n", 400],
    ["\n", 400],
    ["GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400],
    [head({ "Transfer-Encoding": "chunked" }), 400],
    [head({ "Content-Length": "0, 5" }), 400],
  ])("is refused that others may read otherwise: %j", (text, status) => {
    const { arrive } = rig();
    const wire = arrive();
    wire.receiveText(text);
    expect(wire.takeText().slice(0, 12)).toBe(`HTTP/1.1 ${status}`);
  });

  it("is dropped without a word where something comes with it", () => {
    const { clients, arrive } = rig();
    const wire = arrive();
    wire.receiveText(`${head()}x`);
    expect([wire.takeText(), wire.state, clients]).toEqual(["", "closing", []]);
  });
});

describe("origins", () => {
  const ask = (origin: string, terms: Partial<UpgradeTerms>): string =>
    readRequest(head({ Origin: origin }), { ...TERMS, ...terms }).kind;
  const https = { scheme: "https", host: "ok.example", port: "443" };

  it.each([
    ["http://localhost:8080", { sameOrigin: true }, "upgrade"],
    ["http://LOCALHOST:8080", { sameOrigin: true }, "upgrade"],
    ["https://localhost:8080", { sameOrigin: true }, "refusal"],
    ["https://localhost:8080", { sameOrigin: true, isSecured: true }, "upgrade"],
    ["http://localhost", { sameOrigin: true }, "refusal"],
    ["null", { sameOrigin: true }, "refusal"],
    ["https://ok.example", { allowedOrigins: [https] }, "upgrade"],
    ["https://ok.example:443", { allowedOrigins: [https] }, "upgrade"],
    ["http://ok.example", { allowedOrigins: [https] }, "refusal"],
    ["https://ok.example.evil", { allowedOrigins: [https] }, "refusal"],
    ["https://evil@ok.example", { allowedOrigins: [https] }, "upgrade"],
    ["https://ok.example", { allowedOrigins: [https], sameOrigin: true }, "refusal"],
    ["anything", {}, "upgrade"],
  ] satisfies [string, Partial<UpgradeTerms>, string][])("%s with %o: %s", (origin, terms, kind) => {
    expect(ask(origin, terms)).toBe(kind);
  });
});

describe("compression", () => {
  it.each([
    ["permessage-deflate", true],
    ["permessage-deflate; client_max_window_bits", true],
    ["x-webkit-deflate-frame, permessage-deflate; server_no_context_takeover", true],
    ["permessage-deflate; server_max_window_bits=15", true],
    ["permessage-deflate; server_max_window_bits=10", false],
    ["permessage-deflate; server_max_window_bits=10, permessage-deflate", true],
    ["permessage-bzip2", false],
  ])("%s is agreed on: %s", (offer, isAgreed) => {
    const upgrade = readRequest(head({ "Sec-WebSocket-Extensions": offer }), TERMS);
    expect(upgrade).toMatchObject({ kind: "upgrade", compression: isAgreed });
    const off = readRequest(head({ "Sec-WebSocket-Extensions": offer }), { ...TERMS, compression: false });
    expect(off).toMatchObject({ kind: "upgrade", compression: false });
  });
});

it.each([
  ["1.2.3.4", "1.2.3.4"],
  ["::1", "::1"],
  ["1.2.3.4, 5.6.7.8", ""],
  ['evil"', ""],
])("takes an address that a proxy tells of, and nothing else: %s", (told, taken) => {
  expect(readRequest(head({ "X-Forwarded-For": told }), TERMS)).toMatchObject({ forwardedFor: taken });
});
