/**
 * The digest of a configuration file, equal to the `config_digest` of nats-server for the same values: SHA-256 over the
 * values as JSON in the manner of Go (keys sorted by bytes, `<`, `>` and `&` escaped, a new line at the end).
 */
import { createHash, type Hash } from "node:crypto";

import { PieceLength, type Pieces } from "../../base/pieces.ts";
import type { ConfNode, MapNode } from "./nats-conf/node.ts";

export function* configDigest(root: MapNode): Pieces<string> {
  const digest = new Digest();
  yield* digest.add(root);
  return digest.finish();
}

const SURROGATE = /[\ud800-\udfff]/;
/** Text is handed to the hash in pieces of this length at least. */
const PIECE_LENGTH = 8192;

class Digest {
  private readonly hash: Hash = createHash("sha256");
  private readonly pace = new PieceLength();
  private text = "";

  finish(): string {
    this.hash.update(`${this.text}\n`);
    return `sha256:${this.hash.digest("hex")}`;
  }

  *add(node: ConfNode): Pieces<void> {
    if (this.pace.isOver()) yield;
    switch (node.kind) {
      case "map":
        return yield* this.addMap(node);
      case "array": {
        let before = "[";
        for (const item of node.items) {
          this.write(before);
          yield* this.add(item);
          before = ",";
        }
        return this.write(node.items.length === 0 ? "[]" : "]");
      }
      case "string":
      case "date":
        return this.write(quote(node.value));
      case "int":
      case "float":
      case "bool":
        return this.write(String(node.value));
    }
  }

  private *addMap(map: MapNode): Pieces<void> {
    const entries = [...map.entries.values()];
    // Without surrogates, UTF-16 is in the order of the bytes of UTF-8.
    if (entries.some(({ key }) => SURROGATE.test(key)))
      entries.sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
    else entries.sort((a, b) => (a.key < b.key ? -1 : 1));
    let before = "{";
    for (const { key, node } of entries) {
      this.write(`${before}${quote(key)}:`);
      yield* this.add(node);
      before = ",";
    }
    this.write(entries.length === 0 ? "{}" : "}");
  }

  private write(text: string): void {
    this.text += text;
    if (this.text.length < PIECE_LENGTH) return;
    this.hash.update(this.text);
    this.text = "";
  }
}

function quote(text: string): string {
  return JSON.stringify(text).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
