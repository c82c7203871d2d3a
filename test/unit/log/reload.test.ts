/** What of a log can change while it is written to. */
import { createSocket } from "node:dgram";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { defaultLogOptions, openLog, type Log, type LogOptions } from "../../../src/log/log.ts";

let folder = "";
let file = "";
let log: Log;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "log-reload-"));
  file = join(folder, "log");
  log = openLog(classic());
});
afterEach(() => {
  log[Symbol.dispose]();
  rmSync(folder, { recursive: true, force: true });
});

function classic(changes: Partial<LogOptions> = {}): LogOptions {
  return { ...defaultLogOptions, format: "classic", time: "none", file, ...changes };
}

function become(changes: Partial<LogOptions>): void {
  log.prepare(classic(changes)).apply();
}

const lines = (): string[] => readFileSync(file, "utf8").trim().split("\n");

describe("a log that is written to", () => {
  it("begins and ends to tell of debug and trace, in loggers that are there", () => {
    const child = log.logger.child({ peer: "1.2.3.4:5", cid: 6 });
    child.debug("unsaid");
    become({ debug: true, trace: true });
    child.debug("said");
    child.trace("traced");
    become({});
    child.trace("unsaid");
    expect(lines().map((line) => line.split(" - ").at(-1))).toEqual(["said", "traced"]);
  });

  it("changes how lines show the time", () => {
    log.logger.info("one");
    become({ time: "utc" });
    log.logger.info("two");
    become({ time: "none" });
    log.logger.info("three");
    expect(lines().map((line) => /^\[\d+\] \d{4}\//.test(line))).toEqual([false, true, false]);
  });

  it("begins to be rotated, and keeps fewer files", () => {
    for (let i = 0; i < 20; i++) log.logger.info("a line of some length");
    expect(readdirSync(folder)).toEqual(["log"]);
    become({ rotation: { sizeMaxBytes: 100 } });
    for (let i = 0; i < 20; i++) log.logger.info("a line of some length");
    expect(readdirSync(folder).length).toBeGreaterThan(3);
    become({ rotation: { sizeMaxBytes: 100, filesMax: 2 } });
    for (let i = 0; i < 20; i++) log.logger.info("a line of some length");
    expect(readdirSync(folder)).toHaveLength(2);
  });

  it("goes to another place, and stays where it is when that is given up", () => {
    const other = join(folder, "other");
    const prepared = log.prepare(classic({ file: other }));
    log.logger.info("here");
    prepared.discard?.();
    log.logger.info("still here");
    expect(() => log.prepare(classic({ file: join(folder, "nowhere", "log") }))).toThrow(
      "cannot open the log file",
    );
    become({ file: other });
    log.logger.info("there");
    expect(lines()).toHaveLength(2);
    expect(existsSync(other) && readFileSync(other, "utf8")).toContain("there");
  });

  it("goes to syslog, and to another one", async () => {
    const received: string[] = [];
    for (const part of ["first", "second"]) {
      const socket = createSocket("udp4");
      await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
      const heard = new Promise<string>((resolve) =>
        socket.once("message", (bytes) => resolve(bytes.toString())),
      );
      const { port } = socket.address();
      log.prepare({ ...defaultLogOptions, syslog: { protocol: "udp", host: "127.0.0.1", port } }).apply();
      log.logger.info(part);
      received.push(await heard);
      socket.close();
    }
    expect(received).toEqual([expect.stringContaining("first"), expect.stringContaining("second")]);
  });
});
