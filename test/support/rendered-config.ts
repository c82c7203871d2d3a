/** The configuration file that the chart renders, and what the server says of it. */
import { execFile } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { render } from "./helm.ts";

const BINARY = join(import.meta.dirname, "../../bin/shoal");

/** `sets` are for --set-json, as `key=JSON`. */
export async function renderedConfig(...sets: string[]): Promise<{ text: string; verdict: string }> {
  const { manifests } = await render(...sets);
  const text = manifests.get("ConfigMap/release-shoal-config")!.data!["shoal.conf"]!;
  return { text, verdict: await verdictOn(text) };
}

/** Rejects where the server does not take it. */
export async function verdictOn(text: string): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), "shoal-test-")), "shoal.conf");
  await writeFile(file, text);
  const { stdout, stderr } = await promisify(execFile)(BINARY, ["-t", "-c", file]);
  return `${stdout}${stderr}`;
}
