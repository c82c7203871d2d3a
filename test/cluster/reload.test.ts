/** Reloads of real processes: by signals, by files that change, in all ways in which files change; and what they leave alone. */
import { connect, type NatsConnection } from "@nats-io/transport-node";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { waitFor } from "../support/cluster-wait.ts";
import { RawConnection } from "../support/raw-connection.ts";
import { ServerProcess } from "./server-process.ts";

const cleanup: (() => unknown)[] = [];
let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "reload-"));
  cleanup.push(() => rmSync(folder, { recursive: true, force: true }));
});
afterEach(async () => {
  for (const act of cleanup.splice(0).reverse()) await act();
});

interface Running {
  readonly process: ServerProcess;
  readonly port: number;
  readonly ports: Readonly<Record<"nats" | "monitoring" | "cluster", string[] | undefined>>;
}

async function start(file: string, ...args: readonly string[]): Promise<Running> {
  const process = new ServerProcess([
    "-c",
    file,
    ...args,
    "-a",
    "127.0.0.1",
    "-p",
    "-1",
    "--ports_file_dir",
    folder,
  ]);
  cleanup.push(() => process[Symbol.asyncDispose]());
  const ports = await waitFor(
    "the ports file",
    () => {
      const text = textOf(join(folder, `shoal_${process.child.pid}.ports`));
      return text === "" ? undefined : (JSON.parse(text) as Running["ports"]);
    },
    () => process.tail(),
  );
  await process.says("Ready");
  return { process, ports, port: Number(new URL(ports.nats![0]!).port) };
}

async function configured(config: string): Promise<Running & { readonly file: string }> {
  const file = join(folder, "server.conf");
  writeFileSync(file, config);
  return { ...(await start(file)), file };
}

/** "" while there is none. */
function textOf(file: string): string {
  return existsSync(file) ? readFileSync(file, "utf8") : "";
}

function count({ process }: Running, event: string): number {
  return process.lines.filter((line) => line.event === event).length;
}

async function reloads(
  server: Running,
  act: () => void,
  event = "config_reloaded",
): Promise<Record<string, unknown>> {
  const before = count(server, event);
  act();
  await waitFor(
    event,
    () => count(server, event) > before,
    () => server.process.tail(),
  );
  return server.process.lines.filter((line) => line.event === event).at(-1) as unknown as Record<
    string,
    unknown
  >;
}

function hangUp({ process }: Running): void {
  process.child.kill("SIGHUP");
}

async function metric({ ports }: Running, name: string): Promise<string | undefined> {
  const response = await fetch(new URL("/metrics", ports.monitoring![0]));
  return (await response.text())
    .split("\n")
    .find((line) => line.startsWith(`nats_${name} `))
    ?.split(" ")[1];
}

async function varz({ ports }: Running): Promise<Record<string, unknown>> {
  const response = await fetch(new URL("/varz", ports.monitoring![0]));
  return (await response.json()) as Record<string, unknown>;
}

const users = (...names: string[]): string =>
  `authorization { users: [ ${names.map((name) => `{user: ${name}, password: geheim-${name}}`).join(", ")} ] }\n`;
const as = (name: string): object => ({ user: name, pass: `geheim-${name}` });

describe("a signal", () => {
  it("that finds a bad file changes nothing, and says where", async () => {
    const server = await configured(`http: 127.0.0.1:-1\n${users("ann", "bob")}`);
    const before = await varz(server);
    const bob = await RawConnection.greeted(server.port, as("bob"));
    cleanup.push(() => bob.destroy());
    writeFileSync(server.file, `http: 127.0.0.1:-1\n${users("ann")}  max_payload: many\n`);
    const refused = await reloads(server, () => hangUp(server), "reload_refused");
    expect(refused).toMatchObject({
      level: "error",
      file: server.file,
      line: 3,
      column: 16,
      reason: "signal",
    });
    expect(await metric(server, "config_last_reload_successful")).toBe("0");
    expect(await metric(server, 'config_reloads_total{outcome="refused"}')).toBe("1");
    const place = `config_reload_failure{file="${server.file}",line="3",column="16"}`;
    expect(await metric(server, place)).toBe("1");
    bob.send("PING\r\n");
    await bob.until("an answer", () => bob.text.split("PONG\r\n").length > 2);
    expect(await varz(server)).toMatchObject({
      config_digest: before["config_digest"],
      config_load_time: before["config_load_time"],
    });
    writeFileSync(server.file, `http: 127.0.0.1:-1\n${users("ann")}  max_payload: 1000\n`);
    await reloads(server, () => hangUp(server));
    await bob.closed();
    expect(await metric(server, "config_last_reload_successful")).toBe("1");
    expect(await metric(server, place)).toBeUndefined();
    const after = await varz(server);
    expect(after["max_payload"]).toBe(1000);
    expect(after["config_digest"]).not.toBe(before["config_digest"]);
    expect(JSON.stringify(server.process.lines)).not.toContain("geheim");
  });

  it("that finds files which cannot be read or opened says which option asks for them", async () => {
    const server = await configured("http: 127.0.0.1:-1\n");
    for (const [option, line, column] of [
      ["tls: { cert_file: /nowhere/cert.pem, key_file: /nowhere/key.pem }", 2, 6],
      ["log_file: /nowhere/shoal.log", 2, 11],
    ] as const) {
      writeFileSync(server.file, `http: 127.0.0.1:-1\n${option}\n`);
      const refused = await reloads(server, () => hangUp(server), "reload_refused");
      expect(refused).toMatchObject({ file: server.file, line, column });
      const place = `config_reload_failure{file="${server.file}",line="${line}",column="${column}"}`;
      expect(await metric(server, place)).toBe("1");
    }
    // as when somebody has begun to write it
    writeFileSync(server.file, "");
    expect(await reloads(server, () => hangUp(server), "reload_refused")).toMatchObject({
      file: server.file,
      line: 1,
      column: 1,
    });
  });

  it("is remembered by a server that is starting", async () => {
    const file = join(folder, "server.conf");
    writeFileSync(file, "max_payload: 1000\n");
    const process = new ServerProcess(["-c", file, "-a", "127.0.0.1", "-p", "-1"]);
    cleanup.push(() => process[Symbol.asyncDispose]());
    await process.says("Starting shoal");
    process.child.kill("SIGHUP");
    await process.says("Reloaded server configuration");
  });

  it("changes the log, the files that tell of the process, and what is traced of those who are there", async () => {
    const server = await configured("");
    const client = await RawConnection.greeted(server.port);
    cleanup.push(() => client.destroy());
    const [log, pid, ports] = [join(folder, "log"), join(folder, "pid"), join(folder, "ports")];
    mkdirSync(ports);
    writeFileSync(server.file, `log_file: "${log}"\nlog_format: classic\ntrace: true\npid_file: "${pid}"\n`);
    hangUp(server);
    await waitFor("the log file", () => textOf(log).includes("Reloaded server configuration"));
    expect(textOf(log)).toMatch(/^\[\d+\] .* \[INF\] Reloaded: /);
    expect(textOf(pid)).toBe(String(server.process.child.pid));
    client.send("SUB foo 1\r\n");
    await waitFor("the trace", () => textOf(log).includes("<<- [SUB foo 1]"));
    // A file without a word is one that is being written.
    writeFileSync(server.file, "");
    hangUp(server);
    await waitFor("the refusal", () => textOf(log).includes("Failed to reload server configuration"));
    writeFileSync(server.file, "debug: false");
    await reloads(server, () => hangUp(server));
    expect(existsSync(pid)).toBe(false);
    const traced = textOf(log);
    client.send("SUB bar 2\r\nPUB bar 1\r\nx\r\n");
    await client.has("MSG bar 2 1\r\nx\r\n");
    expect(textOf(log)).toBe(traced);
    // A log file that cannot be opened keeps all of it from being applied.
    writeFileSync(server.file, `max_payload: 10\nlog_file: "${join(folder, "nowhere", "log")}"\n`);
    await reloads(server, () => hangUp(server), "reload_refused");
    client.send(`PUB bar 20\r\n${"x".repeat(20)}\r\n`);
    await client.has(`MSG bar 2 20\r\n${"x".repeat(20)}\r\n`);
  });

  it("that comes a thousand times loses no message", async () => {
    const server = await configured(users("ann", "bob"));
    const open = (name: string): Promise<NatsConnection> =>
      connect({ servers: `127.0.0.1:${server.port}`, user: name, pass: `geheim-${name}`, reconnect: false });
    const [publisher, subscriber] = [await open("ann"), await open("bob")];
    cleanup.push(
      () => publisher.close(),
      () => subscriber.close(),
    );
    const seen: number[] = [];
    subscriber.subscribe("load", { callback: (_, message) => void seen.push(Number(message.string())) });
    await subscriber.flush();
    let sent = 0;
    for (let round = 0; round < 100; round++) {
      const next = `${users("ann", "bob", `user-${round}`)}max_payload: ${100_000 + round}\n`;
      writeFileSync(`${server.file}~`, next);
      renameSync(`${server.file}~`, server.file);
      for (let i = 0; i < 10; i++) {
        hangUp(server);
        for (let j = 0; j < 50; j++) publisher.publish("load", String(sent++));
      }
      await publisher.flush();
    }
    await waitFor("all messages", () => seen.length === sent);
    expect(seen).toEqual(Array.from({ length: sent }, (_, i) => i));
    await waitFor("the last value", () =>
      server.process.lines.some((line) => (line as { after?: unknown }).after === 100_099),
    );
    expect([publisher.isClosed(), subscriber.isClosed()]).toEqual([false, false]);
  });
});

describe("files that change", () => {
  /** As Kubernetes mounts a ConfigMap: files are links through `..data`, which is exchanged by a rename. */
  class Mount {
    readonly path: string;
    private version = 0;

    constructor(path: string, files: Readonly<Record<string, string>>) {
      this.path = path;
      mkdirSync(path);
      this.exchange(files);
      for (const name of Object.keys(files)) symlinkSync(join("..data", name), join(path, name));
    }

    exchange(files: Readonly<Record<string, string>>): void {
      const name = `..2026_${++this.version}`;
      mkdirSync(join(this.path, name));
      for (const [file, text] of Object.entries(files)) writeFileSync(join(this.path, name, file), text);
      symlinkSync(name, join(this.path, "..data_tmp"));
      renameSync(join(this.path, "..data_tmp"), join(this.path, "..data"));
      for (const old of readdirSync(this.path).filter((each) => each.startsWith("..2026_") && each !== name))
        rmSync(join(this.path, old), { recursive: true });
    }
  }

  it("are found where Kubernetes has mounted them, with those that are included", async () => {
    const conf = 'include "users.conf"\nhttp: 127.0.0.1:-1\n';
    const mount = new Mount(join(folder, "etc"), { "server.conf": conf, "users.conf": users("ann", "bob") });
    const server = await start(join(mount.path, "server.conf"));
    const [ann, bob] = [
      await RawConnection.greeted(server.port, as("ann")),
      await RawConnection.greeted(server.port, as("bob")),
    ];
    cleanup.push(
      () => ann.destroy(),
      () => bob.destroy(),
    );
    const reloaded = await reloads(server, () =>
      mount.exchange({ "server.conf": conf, "users.conf": users("ann") }),
    );
    expect(reloaded["reason"]).toBe("files");
    await bob.closed();
    ann.send("SUB x 1\r\nPUB x 0\r\n\r\n");
    await ann.has("MSG x 1 0\r\n\r\n");
    const refused = await reloads(
      server,
      () => mount.exchange({ "server.conf": `${conf}max_payload: many`, "users.conf": users("ann") }),
      "reload_refused",
    );
    expect(refused).toMatchObject({ line: 3, reason: "files" });
    await reloads(server, () => mount.exchange({ "server.conf": conf, "users.conf": users("ann", "cid") }));
    const cid = await RawConnection.greeted(server.port, as("cid"));
    cleanup.push(() => cid.destroy());
  });

  it("are left alone elsewhere, unless it is asked for", async () => {
    const server = await configured("max_payload: 1000\n");
    writeFileSync(server.file, "max_payload: 2000\n");
    // A signal comes after what a watcher would have seen.
    const reloaded = await reloads(server, () => hangUp(server));
    expect(reloaded["reason"]).toBe("signal");
    writeFileSync(server.file, "max_payload: 3000\nreload { watch: always }\n");
    await reloads(server, () => hangUp(server));
    writeFileSync(server.file, "max_payload: 4000\nreload { watch: always }\n");
    await waitFor("the value of the file", () =>
      server.process.lines.some((line) => (line as { after?: unknown }).after === 4000),
    );
    // The line that says so follows that of the option.
    await waitFor("the reload by the watcher", () =>
      server.process.lines.some(
        (line) => line.event === "config_reloaded" && (line as { reason?: unknown }).reason === "files",
      ),
    );
  });

  it("are read once they are whole, and once more if they were not", async () => {
    const server = await configured(`reload { watch: always }\n${users("ann", "bob")}`);
    const bob = await RawConnection.greeted(server.port, as("bob"));
    cleanup.push(() => bob.destroy());
    const whole = `reload { watch: always }\n${users("ann", "bob", "cid")}max_payload: 5000\n`;
    const half = whole.slice(0, whole.indexOf("bob"));
    await reloads(server, () => writeFileSync(server.file, half), "reload_refused");
    await reloads(server, () => writeFileSync(server.file, whole));
    bob.send("PING\r\n");
    await bob.until("an answer", () => bob.text.split("PONG\r\n").length > 2);
    // The way editors do it: another file takes the name.
    writeFileSync(`${server.file}~`, whole.replace("5000", "6000"));
    renameSync(`${server.file}~`, server.file);
    await waitFor("the value of the file", () =>
      server.process.lines.some((line) => (line as { after?: unknown }).after === 6000),
    );
  });
});
