/**
 * Looks up again what the image and the compose file are made of: the digests behind the tags that they name, and the checksums of
 * tini. A build takes exactly these, so this runs when a newer base is wanted; the change is reviewed like any other.
 *
 *     node scripts/image-pins.ts [--check]      --check: exit code 1 when something newer is there, and nothing is written
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { debianFile } from "./image-pins/debian.ts";
import { digestOf, parseImage } from "./image-pins/registry.ts";

const root = join(import.meta.dirname, "..");
const FILES = ["Dockerfile", "docker-compose.yml", "test/kubernetes/witness/Dockerfile"];
const PINNED = /([a-z0-9][a-z0-9./-]*:[\w.-]+)@(sha256:[0-9a-f]{64})/g;
const ARCHIVE = "http://deb.debian.org/debian";
const SUITE = "bookworm";
const ARCHITECTURES = ["amd64", "arm64"];

const isCheck = process.argv.includes("--check");
const digests = new Map<string, Promise<string>>();

for (const file of FILES) {
  const text = readFileSync(join(root, file), "utf8");
  let renewed = text;
  for (const [whole, name] of text.matchAll(PINNED)) {
    const digest = digests.get(name!) ?? digestOf(parseImage(name!));
    digests.set(name!, digest);
    renewed = renewed.replaceAll(whole, `${name}@${await digest}`);
  }
  put(file, text, renewed);
}
const files = await Promise.all(ARCHITECTURES.map((one) => debianFile(ARCHIVE, SUITE, one, "tini")));
const sums = files.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join("");
put("docker/tini.sha256", readFileSync(join(root, "docker/tini.sha256"), "utf8"), sums);

function put(file: string, before: string, after: string): void {
  if (before === after) return;
  console.log(`${file}: ${isCheck ? "something newer is there" : "renewed"}`);
  if (isCheck) process.exitCode = 1;
  else writeFileSync(join(root, file), after);
}
