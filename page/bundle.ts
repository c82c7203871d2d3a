/** Makes the page that `/` of the monitoring port serves: one HTML file with its script and style in it. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { build, type Metafile } from "esbuild";

const folder = import.meta.dirname;

export interface BundledPage {
  readonly html: string;
  readonly metafile: Metafile;
}

export async function bundlePage(): Promise<BundledPage> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: join(folder, ".."),
    entryPoints: [join(folder, "main.ts"), join(folder, "style.css")],
    outdir: join(folder, "out"),
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: "esm",
    target: ["es2022", "chrome110", "firefox115", "safari16.4"],
    charset: "utf8",
  });
  const output = (ending: string): string => {
    const file = outputFiles.find(({ path }) => path.endsWith(ending));
    if (file === undefined) throw new Error(`bug: esbuild wrote no ${ending}`);
    return file.text.trim();
  };
  const [script, style] = [output(".js"), output(".css")];
  if (/<\/(script|style)/i.test(script + style))
    throw new Error("a closing tag within the page's own script");
  const template = await readFile(join(folder, "index.html"), "utf8");
  const html = template
    .replace("<!--style-->", () => `<style>${style}</style>`)
    .replace("<!--script-->", () => `<script type="module">${script}</script>`);
  return { html, metafile };
}
