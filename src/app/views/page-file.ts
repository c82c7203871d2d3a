/** Finds the page that the monitoring port shows: a file beside the bundle, or, in a checkout, bundled now from page/. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** The folder of the bundle and that of its chunks. */
const PLACES = ["page.html", "../page.html"];

/** null where there is none: then the list of endpoints has to do. */
export async function readPage(): Promise<string | null> {
  for (const place of PLACES) {
    const text = await readFile(join(import.meta.dirname, place), "utf8").catch(() => null);
    if (text !== null) return text;
  }
  return bundledNow();
}

async function bundledNow(): Promise<string | null> {
  const bundler = new URL("../../../page/bundle.ts", import.meta.url).href;
  try {
    const { bundlePage } = (await import(bundler)) as { bundlePage: () => Promise<{ html: string }> };
    return (await bundlePage()).html;
  } catch {
    return null; // an installation without tools for development
  }
}
