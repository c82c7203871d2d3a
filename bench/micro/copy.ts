/** Ways to copy a few bytes inside the slab, from places that move, as messages do. */
import { READ_START } from "../../src/slab/layout.ts";
import { bytes, copy, copyLong, text, words } from "../../src/slab/memory.ts";
import type { Case } from "./case.ts";

const LENGTHS = [16, 40, 64, 128, 512, 4096];
const AREA = 64 * 1024;
const FROM = READ_START;
const TO = READ_START + 4 * 1024 * 1024;

type Way = (to: number, from: number, length: number) => void;
const ways: readonly (readonly [string, Way])[] = [
  ["by words of 8 bytes", byWords],
  ["memory.copy of WebAssembly (copyLong)", copyLong],
  ["the choice of the two (copy)", copy],
  ["copyWithin", (to, from, length) => void bytes.copyWithin(to, from, from + length)],
  ["TypedArray.set", (to, from, length) => bytes.set(bytes.subarray(from, from + length), to)],
  ["Buffer.copy", (to, from, length) => void text.copy(text, to, from, from + length)],
];

export function copyCases(): Case[] {
  return LENGTHS.flatMap((length) =>
    ways.map(([name, way]) => ({ name: `${length} bytes, ${name}`, run: looped(way, length) })),
  );
}

/** A loop of its own for each way, so that the compiler sees one way alone, as in the server. */
function looped(way: Way, length: number): Case["run"] {
  const source = `return (count) => { for (let i = 0; i < count; i++) {
    const offset = (i * 191) % ${AREA - length}; way(${TO} + offset, ${FROM} + offset, ${length}); } return count; }`;
  // oxlint-disable-next-line typescript/no-implied-eval -- the text stands above
  return (new Function("way", source) as (way: Way) => Case["run"])(way);
}

function byWords(to: number, from: number, length: number): void {
  for (let i = 0; i < length; i += 8) words.setBigUint64(to + i, words.getBigUint64(from + i, true), true);
}
