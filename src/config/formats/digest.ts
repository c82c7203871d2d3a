/**
 * The digest of a configuration file, equal to the `config_digest` of nats-server for the same values: SHA-256 over the
 * values as JSON in the manner of Go (keys sorted by bytes, `<`, `>` and `&` escaped, a new line at the end).
 */

import { createHash } from "node:crypto";

import type { ConfNode, MapNode } from "./nats-conf/node.ts";

export function configDigest(root: MapNode): string {
  return `sha256:${createHash("sha256")
    .update(`${toJson(root)}\n`)
    .digest("hex")}`;
}

const SURROGATE = /[\ud800-\udfff]/;

function toJson(node: ConfNode): string {
  switch (node.kind) {
    case "map": {
      const entries = [...node.entries.values()];
      // Without surrogates, UTF-16 is in the order of the bytes of UTF-8.
      if (entries.some(({ key }) => SURROGATE.test(key)))
        entries.sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
      else entries.sort((a, b) => (a.key < b.key ? -1 : 1));
      return `{${entries.map(({ key, node: value }) => `${quote(key)}:${toJson(value)}`).join(",")}}`;
    }
    case "array":
      return `[${node.items.map(toJson).join(",")}]`;
    case "string":
    case "date":
      return quote(node.value);
    case "int":
    case "float":
    case "bool":
      return String(node.value);
  }
}

function quote(text: string): string {
  return JSON.stringify(text).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
