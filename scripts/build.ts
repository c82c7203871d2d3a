/**
 * Bundles the server (dist/main.js), the library (dist/index.js) and the health check of the image with everything they need but Node's own modules,
 * and the page of the monitoring port (dist/page.html), and writes the library's types. The source runs without this; the bundle starts faster and is what is published,
 * since Node strips no types under node_modules. What is imported lazily stays in chunks of its own.
 */
import { spawnSync } from "node:child_process";
import { existsSync, globSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build, type Metafile } from "esbuild";
import { bundlePage } from "../page/bundle.ts";

const root = join(import.meta.dirname, "..");
const dist = join(root, "dist");

/** Bundled CommonJS packages call `require` for Node's modules; an ES module has none. */
const requireBanner = `import { createRequire as createRequireHere } from "node:module";
const require = createRequireHere(import.meta.url);`;

async function bundle(): Promise<Metafile> {
  const result = await build({
    absWorkingDir: root,
    entryPoints: { main: "src/main.ts", index: "src/index.ts", healthcheck: "docker/healthcheck.ts" },
    outdir: dist,
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    splitting: true,
    chunkNames: "chunks/[name]-[hash]",
    sourcemap: true,
    sourcesContent: false,
    banner: { js: requireBanner },
    metafile: true,
  });
  return result.metafile;
}

/** The packages that the bundles are made of: folders such as node_modules/pino. */
function bundledPackages(...metafiles: readonly Metafile[]): string[] {
  const packages = new Set<string>();
  for (const input of metafiles.flatMap(({ inputs }) => Object.keys(inputs))) {
    const folder = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0];
    if (folder !== undefined) packages.add(folder);
  }
  return [...packages].sort();
}

/** The licences of the bundled packages ask to be passed on with the code. */
function writeLicences(packages: readonly string[]): void {
  const texts = packages.map((folder) => {
    const [file] = globSync("{LICENSE,LICENCE,license,UNLICENSE}*", { cwd: join(root, folder) });
    if (file === undefined)
      throw new Error(`${folder} is bundled but has no licence file: check what it is licensed under`);
    return `${folder.replace(/^.*node_modules\//, "")}\n\n${readFileSync(join(root, folder, file), "utf8").trim()}\n`;
  });
  writeFileSync(join(dist, "THIRD-PARTY-LICENSES"), texts.join(`\n${"-".repeat(80)}\n\n`));
}

function writeTypes(): void {
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  const project = join(import.meta.dirname, "types.tsconfig.json");
  const { status } = spawnSync(process.execPath, [tsc, "-p", project], { stdio: "inherit" });
  if (status !== 0 || !existsSync(join(dist, "types/index.d.ts"))) {
    throw new Error("the types of src/index.ts were not written: see the compiler's errors above");
  }
}

function printSizes(metafile: Metafile): void {
  for (const [file, { bytes }] of Object.entries(metafile.outputs)) {
    if (!file.endsWith(".map")) console.log(`${(bytes / 1024).toFixed(1).padStart(8)} KiB  ${file}`);
  }
}

/** The first run fills Node's compile cache, which makes each later start some 15 ms shorter; and shows that it runs. */
function runOnce(): void {
  const { status } = spawnSync(join(root, "bin/shoal"), ["--version"], { stdio: "inherit" });
  if (status !== 0) throw new Error("the bundle does not run: see its output above");
}

rmSync(dist, { recursive: true, force: true });
const metafile = await bundle();
const page = await bundlePage();
writeFileSync(join(dist, "page.html"), page.html);
const packages = bundledPackages(metafile, page.metafile);
writeLicences(packages);
writeFileSync(join(dist, "bundled.json"), `${JSON.stringify(packages, null, 2)}\n`);
writeTypes();
printSizes(metafile);
runOnce();
