/**
 * Compiles the load generator when it is needed. The program is kept in a cache folder under the hash of its sources, so
 * a change is compiled again and nothing has to be cleaned.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";

const sourceFolder = import.meta.dirname;
const cacheFolder = join(sourceFolder, "../../node_modules/.cache/shoal-bench");
const compilerArguments = ["-O2", "-std=gnu11", "-Wall", "-Wextra"];

/** Path of the compiled generator. Throws with what to do when there is no compiler or it reports an error. */
export function buildLoadGenerator(): string {
  if (process.platform !== "linux")
    throw new Error(
      "The load generator needs Linux (epoll and /proc); run the benchmark in a container or VM.",
    );
  const sources = readdirSync(sourceFolder).filter((file) => /\.[ch]$/.test(file));
  const hash = createHash("sha256").update(compilerArguments.join(" "));
  for (const file of sources.toSorted()) hash.update(readFileSync(join(sourceFolder, file)));
  const program = join(cacheFolder, `load-${hash.digest("hex").slice(0, 16)}`);
  if (!existsSync(program)) compile(sources, program);
  return program;
}

function compile(sources: string[], program: string): void {
  const compiler = process.env["CC"] ?? "gcc";
  const inputs = sources.filter((file) => file.endsWith(".c")).map((file) => join(sourceFolder, file));
  const unfinished = `${program}.${process.pid}`;
  mkdirSync(cacheFolder, { recursive: true });
  try {
    execFileSync(compiler, [...compilerArguments, "-o", unfinished, ...inputs], {
      stdio: ["ignore", "inherit", "inherit"],
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT")
      throw new Error(
        `The load generator is written in C and '${compiler}' was not found. Install a compiler ` +
          `(Debian: apt-get install gcc libc6-dev; Alpine: apk add gcc musl-dev linux-headers) or name one in CC.`,
      );
    throw new Error(`'${compiler}' could not compile the load generator; its messages are above.`, {
      cause: error,
    });
  }
  renameSync(unfinished, program);
}
