/** A shoal of its own process with a configuration file that tests change, and what it wrote: to its log file and to standard error. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitFor } from "../support/cluster-wait.ts";

export const shoalProgram = join(import.meta.dirname, "../../bin/shoal");

export class LoggingServer implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "shoal-logs-"));
  readonly logFile = join(this.folder, "shoal.log");
  stderr = "";
  /** Of clients. */
  port = 0;
  /** "" without monitoring. */
  monitorUrl = "";
  private child: ChildProcess | undefined;
  private readonly configFile = join(this.folder, "server.conf");

  /** Resolves when it serves clients. `lines` are those of its configuration, beside the ports. */
  static async start(lines: (server: LoggingServer) => string): Promise<LoggingServer> {
    const server = new LoggingServer();
    server.configure(lines(server));
    await server.run();
    return server;
  }

  get pid(): number {
    return this.child?.pid ?? 0;
  }

  get isRunning(): boolean {
    return this.child?.exitCode === null && this.child.signalCode === null;
  }

  configure(lines: string): void {
    writeFileSync(
      this.configFile,
      `listen: "127.0.0.1:-1"\nports_file_dir: "${this.folder}"\nlog_format: json\n${lines}\n`,
    );
  }

  /** Tells the server to read its configuration, and waits until it says that it has. */
  async reload(lines: string): Promise<void> {
    const count = (): number => this.log().split('"event":"config_reloaded"').length;
    const before = count();
    this.configure(lines);
    this.signal("SIGHUP");
    await waitFor(
      "the reload",
      () => count() > before,
      () => this.log(),
    );
  }

  signal(name: NodeJS.Signals): void {
    this.child?.kill(name);
  }

  log(file = this.logFile): string {
    return existsSync(file) ? readFileSync(file, "utf8") : "";
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child !== undefined && this.isRunning) {
      this.child.kill("SIGKILL");
      await once(this.child, "close");
    }
    rmSync(this.folder, { recursive: true });
  }

  private async run(): Promise<void> {
    const child = spawn(shoalProgram, ["-c", this.configFile], { stdio: ["ignore", "ignore", "pipe"] });
    this.child = child;
    child.stderr.setEncoding("utf8").on("data", (text: string) => (this.stderr += text));
    const portsFile = join(this.folder, `shoal_${child.pid}.ports`);
    const ports = await waitFor(
      "the server to serve clients",
      () => {
        if (!this.isRunning) throw new Error("the server has ended");
        return this.log(portsFile).endsWith("}") && this.log(portsFile);
      },
      () => this.stderr + this.log(),
    );
    const { nats, monitoring } = JSON.parse(ports) as { nats: [string]; monitoring?: [string] };
    this.port = Number(new URL(nats[0]).port);
    this.monitorUrl = monitoring?.[0] ?? "";
  }
}
