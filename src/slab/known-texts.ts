/**
 * Texts of pieces of the slab that come again and again, such as the subjects of a stream: no text is made of a piece that is known. Bounded
 * by KEPT; a text takes the place of another one whose hash ends alike.
 */
import { isText, readText } from "./memory.ts";

/** A power of two. */
const KEPT = 2048;

export class KnownTexts {
  private last = "";
  /** By the hash; null: there has been one alone. */
  private kept: string[] | null = null;

  /** The text that lies there, which is a byte string. `hash` depends on the piece alone. */
  find(at: number, length: number, hash: number): string {
    const { last, kept } = this;
    if (last.length === length && isText(at, last)) return last;
    const place = hash & (KEPT - 1);
    const known = kept?.[place] ?? "";
    if (known.length === length && isText(at, known)) return (this.last = known);
    const text = readText(at, length);
    if (kept !== null) kept[place] = text;
    else if (last !== "") this.kept = new Array<string>(KEPT).fill("");
    return (this.last = text);
  }
}
