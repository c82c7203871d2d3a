/** Whether the bytes of a text message are UTF-8, in any pieces. Surrogates, overlong forms and what is beyond U+10FFFF are not. */
import { bytes } from "../../slab/memory.ts";

export class Utf8Check {
  /** Bytes that the character under way still takes, and the bounds of the next one. */
  private missing = 0;
  private low = 0x80;
  private high = 0xbf;

  /** Whether a character ends here. */
  get isComplete(): boolean {
    return this.missing === 0;
  }

  /** Takes the next `length` bytes of the slab. Returns false where they cannot be UTF-8. */
  accepts(from: number, length: number): boolean {
    for (let at = from; at < from + length; at++) {
      const byte = bytes[at]!;
      if (this.missing === 0) {
        if (byte >= 0x80 && !this.begin(byte)) return false;
      } else {
        if (byte < this.low || byte > this.high) return false;
        this.missing--;
        this.low = 0x80;
        this.high = 0xbf;
      }
    }
    return true;
  }

  private begin(byte: number): boolean {
    if (byte < 0xc2 || byte > 0xf4) return false;
    this.missing = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    if (byte === 0xe0) this.low = 0xa0;
    if (byte === 0xed) this.high = 0x9f;
    if (byte === 0xf0) this.low = 0x90;
    if (byte === 0xf4) this.high = 0x8f;
    return true;
  }
}
