/**
 * Feeds bytes to the configuration as a file in the NATS format and in YAML. Whatever they are, the answer is a result,
 * never an exception, and what one run accepts the next accepts with the same digest.
 */
import { parseYaml } from "../src/config/formats/yaml.ts";
import { loadConfig } from "../src/config/load.ts";

export function fuzz(bytes: Uint8Array): void {
  for (const file of ["fuzz.conf", "fuzz.yaml"]) {
    const load = (): string => {
      const read = (path: string): Uint8Array => readOnly(file, path, bytes);
      const result = loadConfig(["-c", file], { FUZZ: "a" }, read, parseYaml);
      return result.kind === "run" ? result.digest : result.kind;
    };
    if (load() !== load()) throw new Error(`${file}: two runs over the same bytes differ`);
  }
}

function readOnly(file: string, path: string, bytes: Uint8Array): Uint8Array {
  if (path === file) return bytes;
  throw Object.assign(new Error("not there"), { code: "ENOENT" });
}
