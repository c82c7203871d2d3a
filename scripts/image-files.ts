/**
 * Lays out what the image adds to its base: the bundle, the default configuration, the list of what is in it, and the program
 * that runs first. Every file gets the time SOURCE_DATE_EPOCH (seconds, default 0), so that the same source gives the same image.
 *
 *     node scripts/image-files.ts TINI FOLDER      TINI: the init program; FOLDER is made
 */
import { spawnSync } from "node:child_process";
import { cpSync, globSync, mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const [tini, folder] = process.argv.slice(2);
if (tini === undefined || folder === undefined)
  throw new Error("usage: node scripts/image-files.ts TINI FOLDER");
const home = join(folder, "shoal");

mkdirSync(home, { recursive: true });
cpSync(tini, join(home, "tini"));
for (const file of ["package.json", "LICENSE", "NOTICE"]) cpSync(join(root, file), join(home, file));
cpSync(join(root, "docker/shoal.conf"), join(home, "shoal.conf"));
for (const file of globSync("{*.js,page.html,chunks/*.js,THIRD-PARTY-LICENSES}", {
  cwd: join(root, "dist"),
})) {
  if (file !== "index.js") cpSync(join(root, "dist", file), join(home, "dist", file));
}
writeFileSync(join(home, "sbom.cdx.json"), billOfMaterials());

const epoch = Number(process.env["SOURCE_DATE_EPOCH"] ?? 0);
for (const path of ["", ...globSync("**", { cwd: folder })]) utimesSync(join(folder, path), epoch, epoch);

/** In CycloneDX's format, without what would differ from one run to the next. */
function billOfMaterials(): string {
  const { stdout, status } = spawnSync(
    "npm",
    ["sbom", "--omit=dev", "--package-lock-only", "--sbom-format=cyclonedx"],
    {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  if (status !== 0) throw new Error("npm sbom failed: see its message above");
  const { serialNumber: _, ...bill } = JSON.parse(stdout) as {
    serialNumber: string;
    metadata: { timestamp?: string };
  };
  delete bill.metadata.timestamp;
  return JSON.stringify(bill, null, 2);
}
