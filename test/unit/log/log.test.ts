import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { defaultLogOptions, openLog, type Log, type LogOptions } from "../../../src/log/log.ts";

const stamped: unknown = expect.stringMatching(/^shoal\.log\.\d{4}(\.\d\d){5}\.\d{9}$/);

let folder: string;
let file: string;
let log: Log;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "shoal-log-"));
  file = join(folder, "shoal.log");
});

afterEach(() => {
  log?.[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

function open(options: Partial<LogOptions>): Log["logger"] {
  log = openLog({ ...defaultLogOptions, file, ...options });
  return log.logger;
}

function lines(path = file): string[] {
  return readFileSync(path, "utf8").split("\n").slice(0, -1);
}

describe("the log", () => {
  it("writes JSON where no terminal is, with the fields of child loggers and without secrets", () => {
    const logger = open({ format: "auto" });
    logger.child({ peer: "1.2.3.4:5", cid: 6 }).warn("Went wrong", { pass: "x", url: "nats://a:b@c" });
    const [line] = lines();
    expect(JSON.parse(line!)).toEqual({
      level: "warn",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      pid: process.pid,
      peer: "1.2.3.4:5",
      cid: 6,
      pass: "[REDACTED]",
      url: "nats://[REDACTED]@c",
      msg: "Went wrong",
    });
  });

  it("leaves the time out when asked to", () => {
    open({ format: "json", time: "none" }).info("x");
    expect(JSON.parse(lines()[0]!)).toEqual({ level: "info", pid: process.pid, msg: "x" });
  });

  it("writes the classic line, without colour in a file", () => {
    open({ format: "classic", time: "none" }).error("No good", { port: 1 });
    expect(lines()).toEqual([`[${process.pid}] [ERR] No good port=1`]);
  });

  it("switches debug and trace at run time, each for itself, also for children made before", () => {
    const logger = open({ format: "classic", time: "none" });
    const child = logger.child({ peer: "p", cid: 1 });
    const both = (): void => {
      child.debug("d");
      child.trace("t");
    };
    both();
    log.setSwitches({ debug: false, trace: true });
    expect([child.tracing, child.debugging]).toEqual([true, false]);
    both();
    log.setSwitches({ debug: true, trace: false });
    both();
    expect(lines().map((line) => line.slice(-16))).toEqual(
      ["] p - cid:1 - t", "] p - cid:1 - d"].map((end) => expect.stringContaining(end)),
    );
  });

  it("appends, and goes on in a new file after a rotation", () => {
    open({ format: "classic", time: "none" }).info("one");
    log[Symbol.dispose]();
    const logger = open({ format: "classic", time: "none" });
    logger.info("two");
    renameSync(file, `${file}.1`);
    logger.info("three");
    log.reopen();
    logger.info("four");
    const texts = (path: string): string[] => lines(path).map((line) => line.split(" ").at(-1)!);
    expect(texts(`${file}.1`)).toEqual(["one", "two", "three"]);
    expect(texts(file)).toEqual(["four"]);
    expect(statSync(file).mode & 0o777).toBe(0o640 & ~process.umask());
  });

  it("moves a full file aside and removes the oldest", () => {
    const logger = open({ format: "classic", time: "none", rotation: { sizeMaxBytes: 1000, filesMax: 3 } });
    for (let i = 0; i < 100; i++) logger.info(`line ${i} ${"x".repeat(80)}`);
    const names = readdirSync(folder).sort();
    expect(names).toEqual(["shoal.log", stamped, stamped]);
    const texts = names.flatMap((name) => lines(join(folder, name)));
    expect(texts.length).toBeLessThan(40);
    expect(texts.join()).toContain("line 99 ");
    for (const name of names) expect(statSync(join(folder, name)).size).toBeLessThan(1200);
  });

  it("writes on where a full file cannot be moved", () => {
    const logger = open({ format: "classic", time: "none", rotation: { sizeMaxBytes: 100 } });
    renameSync(folder, `${folder}-moved`);
    try {
      for (let i = 0; i < 20; i++) logger.info("x".repeat(80));
      expect(lines(join(`${folder}-moved`, "shoal.log"))).toHaveLength(20);
    } finally {
      renameSync(`${folder}-moved`, folder);
    }
  });

  it("keeps the open file when the new one cannot be opened", () => {
    const logger = open({ format: "classic", time: "none" });
    renameSync(folder, `${folder}-moved`);
    try {
      expect(() => log.reopen()).toThrow(/cannot open the log file .*shoal\.log \(ENOENT\): check/);
      logger.info("still here");
      expect(lines(join(`${folder}-moved`, "shoal.log"))).toHaveLength(1);
    } finally {
      renameSync(`${folder}-moved`, folder);
    }
  });

  it("says which file cannot be opened and why", () => {
    file = join(folder, "absent", "x.log");
    expect(() => openLog({ ...defaultLogOptions, file })).toThrow(/cannot open the log file .*absent/);
  });
});

describe("a destination that takes nothing", () => {
  it.runIf(process.platform === "linux")("costs lines, which are counted, never the server", () => {
    file = "/dev/full";
    const logger = open({ format: "json" });
    for (let i = 0; i < 400; i++) logger.info("x".repeat(4000));
    expect(log.snapshot().linesLost).toBeGreaterThan(200);
  });
});
