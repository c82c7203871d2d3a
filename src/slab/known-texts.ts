/**
 * Texts of pieces of the slab that come again and again, such as the subjects of a stream: no text is made of a piece that is known. Bounded
 * by KEPT: two texts whose hashes end alike are kept, a third takes the place of the older one.
 */
import { isText, readText } from "./memory.ts";

/** A power of two. */
const KEPT = 4096;

export class KnownTexts {
  private last = "";
  /** By the hash; null: there has been one alone. */
  private kept: string[] | null = null;

  /** The text that lies there, which is a byte string. `hash` depends on the piece alone. */
  find(at: number, length: number, hash: number): string {
    const { last, kept } = this;
    if (last.length === length && isText(at, last)) return last;
    const place = hash & (KEPT - 2);
    if (kept !== null) {
      const newer = kept[place]!;
      if (newer.length === length && isText(at, newer)) return (this.last = newer);
      const older = kept[place + 1]!;
      if (older.length === length && isText(at, older)) return (this.last = older);
    }
    const text = readText(at, length);
    if (kept !== null) {
      kept[place + 1] = kept[place]!;
      kept[place] = text;
    } else if (last !== "") this.kept = new Array<string>(KEPT).fill("");
    return (this.last = text);
  }
}
