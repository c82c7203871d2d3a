/**
 * Lays out what the image adds to its base: the bundle, the default configuration, the list of what is in it, and the program
 * that runs first. Every file gets the time SOURCE_DATE_EPOCH (seconds, default 0), so that the same source gives the same image.
 *
 *     node scripts/image-files.ts TINI RUNTIME FOLDER
 *
 * TINI: the unpacked package of the init program, with its .deb beside it; RUNTIME: the base image's files; FOLDER is made.
 */
import { createHash } from "node:crypto";
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { billOfMaterials, type Lockfile } from "./image-files/bill.ts";

const root = join(import.meta.dirname, "..");
const [tini, runtime, folder] = process.argv.slice(2);
if (tini === undefined || runtime === undefined || folder === undefined)
  throw new Error("usage: node scripts/image-files.ts TINI RUNTIME FOLDER");
const home = join(folder, "shoal");
const initProgram = join(tini, "usr/bin/tini-static");

mkdirSync(home, { recursive: true });
cpSync(initProgram, join(home, "tini"));
for (const file of ["package.json", "LICENSE", "NOTICE"]) cpSync(join(root, file), join(home, file));
cpSync(join(root, "docker/shoal.conf"), join(home, "shoal.conf"));
for (const file of globSync("{*.js,page.html,chunks/*.js,THIRD-PARTY-LICENSES}", {
  cwd: join(root, "dist"),
})) {
  if (file !== "index.js") cpSync(join(root, "dist", file), join(home, "dist", file));
}
writeFileSync(join(home, "sbom.cdx.json"), `${JSON.stringify(bill(tini, runtime), null, 2)}\n`);

const epoch = Number(process.env["SOURCE_DATE_EPOCH"] ?? 0);
for (const path of ["", ...globSync("**", { cwd: folder })]) utimesSync(join(folder, path), epoch, epoch);

function bill(tiniFolder: string, runtimeFolder: string): object {
  const read = (name: string): string => readFileSync(join(root, name), "utf8");
  const { name, version, license } = JSON.parse(read("package.json")) as Record<
    "name" | "version" | "license",
    string
  >;
  const [deb] = globSync("tini_*.deb", { cwd: join(tiniFolder, "..") });
  const parts = /^tini_(.*)_(.*)\.deb$/.exec(deb ?? "");
  if (parts === null) throw new Error(`no tini_VERSION_ARCHITECTURE.deb beside ${tiniFolder}`);
  const statuses = globSync("var/lib/dpkg/status.d/*", { cwd: runtimeFolder, exclude: ["**/*.md5sums"] });
  return billOfMaterials({
    name,
    version,
    license,
    bundled: JSON.parse(read("dist/bundled.json")) as string[],
    lockfile: JSON.parse(read("package-lock.json")) as Lockfile,
    nodeVersion: nodeVersion(join(runtimeFolder, "nodejs/bin/node")),
    tini: {
      version: parts[1]!.replace("%3a", ":"),
      architecture: parts[2]!,
      sha256: createHash("sha256").update(readFileSync(initProgram)).digest("hex"),
    },
    baseStatuses: statuses.sort().map((file) => readFileSync(join(runtimeFolder, file), "utf8")),
  });
}

/** Read from the program, which may be another platform's and cannot be asked: it holds the URL that it is released at. */
function nodeVersion(program: string): string {
  if (!existsSync(program)) throw new Error(`the base image has no ${program}`);
  const version = /\/node-v(\d+\.\d+\.\d+)\.tar\.gz/.exec(readFileSync(program, "latin1"))?.[1];
  if (version === undefined) throw new Error(`${program} does not tell its version`);
  return version;
}
