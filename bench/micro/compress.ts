/** What S2 costs for 64 KiB of messages, which is what one write takes: to pack, to unpack, and the checksum alone. */
import { unpackBlock } from "../../src/compress/block-decoder.ts";
import { BlockEncoder, packedMax, type Level } from "../../src/compress/block-encoder.ts";
import { maskedCrc } from "../../src/compress/crc32c.ts";
import { sink, type Case } from "./case.ts";

const LEVELS: readonly Level[] = ["fast", "better", "best"];
const SIZE = 64 * 1024;

export function compressCases(): Case[] {
  const block = messages();
  const words = new DataView(block.buffer, block.byteOffset, SIZE);
  const sum = (count: number): number => {
    for (let i = 0; i < count; i++) sink.value += maskedCrc(words, 0, SIZE);
    return count;
  };
  return [{ name: "checksum of 64 KiB", run: sum }, ...LEVELS.flatMap((level) => casesOf(level, block))];
}

function casesOf(level: Level, block: Uint8Array): Case[] {
  const encoder = new BlockEncoder(level);
  const target = new Uint8Array(packedMax(SIZE));
  const packed = target.slice(0, encoder.pack(block, target));
  const back = new Uint8Array(SIZE);
  const pack = (count: number): number => {
    for (let i = 0; i < count; i++) sink.value += encoder.pack(block, target);
    return count;
  };
  const unpack = (count: number): number => {
    for (let i = 0; i < count; i++) sink.value += unpackBlock(packed, back);
    return count;
  };
  const to = `to ${Math.round((100 * packed.length) / SIZE)}%`;
  return [
    { name: `pack 64 KiB of messages, ${level} (${to})`, run: pack },
    { name: `unpack 64 KiB of messages, ${level}`, run: unpack },
  ];
}

function messages(): Uint8Array {
  const lines: string[] = [];
  for (let i = 0, length = 0; length < SIZE; length += lines.at(-1)!.length) {
    const body = `{"id":${i * 7919},"customer":"c-${(i * 31) % 997}","status":"open","total":${(i * 37) % 1000}}`;
    lines.push(`LMSG orders.eu.${i++ % 7} ${body.length}\r\n${body}\r\n`);
  }
  return Buffer.from(lines.join("")).subarray(0, SIZE);
}
