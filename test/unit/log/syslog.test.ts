import { createSocket, type Socket as DatagramSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { hostname } from "node:os";
import { describe, expect, it } from "vitest";
import { defaultLogOptions, openLog, type Log, type LogOptions } from "../../../src/log/log.ts";
import { formatSyslog } from "../../../src/log/syslog-line.ts";
import { SyslogSink } from "../../../src/log/syslog-sink.ts";
import { waitFor } from "../../support/cluster-wait.ts";
import { freePort } from "../../support/free-port.ts";

function openTo(protocol: "udp" | "tcp", port: number, options: Partial<LogOptions> = {}): Log {
  return openLog({ ...defaultLogOptions, syslog: { protocol, host: "127.0.0.1", port }, ...options });
}

async function listenUdp(): Promise<{ socket: DatagramSocket; port: number; received: string[] }> {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await once(socket, "listening");
  const received: string[] = [];
  socket.on("message", (bytes) => received.push(bytes.toString()));
  return { socket, port: socket.address().port, received };
}

/** Takes connections, and reads what they say where asked to. */
class TcpServer implements Disposable {
  text = "";
  readonly sockets: Socket[] = [];
  private readonly server: Server;

  private constructor(server: Server, reads: "reads" | "never reads") {
    this.server = server;
    server.on("connection", (socket) => {
      this.sockets.push(socket);
      socket.on("error", () => undefined);
      if (reads === "never reads") socket.pause();
      else socket.setEncoding("utf8").on("data", (chunk: string) => (this.text += chunk));
    });
  }

  static async listen(port: number, reads: "reads" | "never reads" = "reads"): Promise<TcpServer> {
    const server = createServer({ pauseOnConnect: reads === "never reads" });
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return new TcpServer(server, reads);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get lines(): string[] {
    return this.text.split("\n").slice(0, -1);
  }

  [Symbol.dispose](): void {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}

describe("a line for syslog", () => {
  const line = { level: "info", pid: 7, timeMs: 0, hostName: "h", event: undefined, text: "x y" } as const;

  it("has the header of RFC 5424, with the facility of daemons and the severity of the level", () => {
    expect(formatSyslog({ ...line, event: "ready" })).toBe(
      "<29>1 1970-01-01T00:00:00.000Z h shoal 7 ready - x y",
    );
    const priorities = (["trace", "debug", "info", "warn", "error", "fatal"] as const).map(
      (level) => formatSyslog({ ...line, level }).split(">")[0],
    );
    expect(priorities).toEqual(["<31", "<31", "<29", "<28", "<27", "<26"]);
  });

  it("has no spaces in the words of the header, and none that is empty", () => {
    expect(formatSyslog({ ...line, timeMs: null, hostName: "a b\n", event: "é" })).toBe(
      "<29>1 - ab shoal 7 - - x y",
    );
    expect(formatSyslog({ ...line, hostName: "", event: "e".repeat(40) })).toContain(
      ` - shoal 7 ${"e".repeat(32)} - `,
    );
  });
});

describe("a log that goes to syslog", () => {
  it("sends a datagram for each line, without secrets and line breaks", async () => {
    const { socket, port, received } = await listenUdp();
    using log = openTo("udp", port);
    log.logger.info("Ready", { event: "ready", url: "nats://a:b@c" });
    log.logger.child({ peer: "p", cid: 1 }).warn("two\nlines", { pass: "x" });
    await waitFor("two datagrams", () => received.length === 2);
    socket.close();
    const head = (priority: number, event: string): string =>
      `<${priority}>1 TIME ${hostname()} shoal ${process.pid} ${event} - `;
    expect(received.map((line) => line.replace(/\d{4}-\S+Z/, "TIME"))).toEqual([
      `${head(29, "ready")}Ready event=ready url=nats://[REDACTED]@c`,
      `${head(28, "-")}p - cid:1 - two\\u000alines pass=[REDACTED]`,
    ]);
  });

  it("cuts a line that is too long for a datagram", async () => {
    const { socket, port, received } = await listenUdp();
    using log = openTo("udp", port);
    log.logger.info(
      "x",
      Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${i}`, "y".repeat(4000)])),
    );
    await waitFor("the datagram", () => received.length === 1);
    socket.close();
    expect(received[0]).toHaveLength(8192);
  });

  it("sends JSON where that is asked for", async () => {
    using server = await TcpServer.listen(0);
    using log = openTo("tcp", server.port, { format: "json" });
    log.logger.error("No good", { port: 1 });
    await waitFor("the line", () => server.lines.length === 1);
    expect(JSON.parse(server.lines[0]!.replace(/^.*? - - /, ""))).toMatchObject({
      level: "error",
      msg: "No good",
      port: 1,
    });
  });

  it("moves at a reload, and a file comes before it", async () => {
    using first = await TcpServer.listen(0);
    using second = await TcpServer.listen(0);
    using log = openTo("tcp", first.port);
    log.logger.info("one");
    await waitFor("the first line", () => first.lines.length === 1);
    const syslog = { protocol: "tcp", host: "127.0.0.1", port: second.port } as const;
    log.prepare({ ...defaultLogOptions, syslog }).apply();
    log.logger.info("two");
    await waitFor("the second line", () => second.lines.length === 1);
    log.prepare({ ...defaultLogOptions, syslog, file: "/dev/null" }).apply();
    log.logger.info("three");
    await waitFor("the end of the connection", () => second.sockets[0]!.readyState !== "open");
    expect([first.lines.length, second.lines.length]).toEqual([1, 1]);
  });
});

describe("a syslog server that is away", () => {
  it("gets over TCP what was said meanwhile, in order; its absence is told once", async () => {
    const port = await freePort();
    const told: string[] = [];
    using sink = new SyslogSink({ protocol: "tcp", host: "127.0.0.1", port }, (reason) => told.push(reason));
    for (let i = 0; i < 3; i++) sink.write(`early ${i}`);
    await waitFor("a failure", () => told.length > 0);
    using server = await TcpServer.listen(port);
    await waitFor("the lines", () => server.lines.length === 3);
    server.sockets[0]!.destroy();
    await waitFor("another connection", () => server.sockets.length === 2);
    sink.write("late");
    await waitFor("the last line", () => server.lines.length === 4);
    expect(server.lines).toEqual(["early 0", "early 1", "early 2", "late"]);
    expect(told).toEqual([expect.stringContaining("ECONNREFUSED")]);
    expect(sink.linesLost).toBe(0);
  });

  it("costs lines beyond the bound, which are counted", () => {
    using sink = new SyslogSink({ protocol: "tcp", host: "127.0.0.1", port: 9 }, () => undefined);
    for (let i = 0; i < 3000; i++) sink.write("x".repeat(1024));
    expect(sink.linesLost).toBe(3000 - 1024);
  });

  it("costs lines when it does not read, too", async () => {
    using server = await TcpServer.listen(0, "never reads");
    using sink = new SyslogSink({ protocol: "tcp", host: "127.0.0.1", port: server.port }, () => undefined);
    await waitFor("the connection", () => server.sockets.length === 1);
    // What the system buffers is taken; then the bound holds.
    const line = "x".repeat(64 * 1024);
    await waitFor("a lost line", () => {
      for (let i = 0; i < 20; i++) sink.write(line);
      return sink.linesLost > 0;
    });
  });

  it("does no harm over UDP, and is found again where nobody listened", async () => {
    const first = await listenUdp();
    first.socket.close();
    await once(first.socket, "close");
    const told: string[] = [];
    using sink = new SyslogSink({ protocol: "udp", host: "127.0.0.1", port: first.port }, (reason) =>
      told.push(reason),
    );
    await waitFor("a failure", () => {
      sink.write("into the void");
      return told.length > 0;
    });
    const socket = createSocket("udp4").bind(first.port, "127.0.0.1");
    let text = "";
    socket.on("message", (bytes) => (text += bytes.toString()));
    await waitFor("a line", () => {
      sink.write("here");
      return text.includes("here");
    });
    socket.close();
    expect(told).toEqual([expect.stringContaining("ECONNREFUSED")]);
  });

  it("is told of where its name has no address", async () => {
    const told: string[] = [];
    using _ = new SyslogSink({ protocol: "udp", host: "nowhere.invalid", port: 514 }, (reason) =>
      told.push(reason),
    );
    await waitFor("the failure", () => told.length > 0);
    expect(told[0]).toContain("nowhere.invalid");
  });
});
