/**
 * The image beside one that holds nothing but nats-server: size, and how long `docker run` takes until a client is greeted. Needs
 * a Docker engine, the image "shoal" and nats-server on PATH; nats-server's image is built here, FROM scratch, as theirs is.
 *
 *     node bench/image.ts --nats-server PATH [--runs 7]      PATH: one that is linked statically
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: { runs: { type: "string", default: "7" }, "nats-server": { type: "string" } },
});
const docker = (...args: string[]): string => execFileSync("docker", args, { encoding: "utf8" }).trim();

const natsServer = values["nats-server"];
if (natsServer === undefined) throw new Error("--nats-server PATH is missing");
buildNatsServer(natsServer);
for (const image of ["shoal:latest", "shoal-bench-nats-server:latest"]) {
  const size = Number(docker("image", "inspect", "--format", "{{.Size}}", image));
  const packed = Number(
    execFileSync("sh", ["-c", `docker save ${image} | gzip | wc -c`], { encoding: "utf8" }),
  );
  const times: number[] = [];
  for (let run = 0; run < Number(values.runs); run++) times.push(await startOnce(image));
  times.sort((a, b) => a - b);
  const median = times[times.length >> 1]!;
  console.log(
    `${image}: ${mb(size)} MB, ${mb(packed)} MB packed, greets after ${median.toFixed(0)} ms (median of ${times.length})`,
  );
}

function buildNatsServer(program: string): void {
  const folder = mkdtempSync(join(tmpdir(), "nats-server-image-"));
  copyFileSync(program, join(folder, "nats-server"));
  writeFileSync(
    join(folder, "Dockerfile"),
    'FROM scratch\nCOPY nats-server /\nENTRYPOINT ["/nats-server"]\n',
  );
  docker("build", "--quiet", "--tag", "shoal-bench-nats-server", folder);
}

async function startOnce(image: string): Promise<number> {
  const started = performance.now();
  const id = docker("run", "--detach", image);
  const isRunning = (): boolean => docker("inspect", "--format", "{{.State.Running}}", id) === "true";
  const address = docker(
    "inspect",
    "--format",
    "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
    id,
  );
  while (!(await greets(address))) if (!isRunning()) throw new Error(`${image} ended: ${docker("logs", id)}`);
  const took = performance.now() - started;
  docker("rm", "--force", id);
  return took;
}

function greets(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port: 4222 });
    socket.once("error", () => resolve(false));
    socket.once("data", () => {
      socket.destroy();
      resolve(true);
    });
  });
}

function mb(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}
