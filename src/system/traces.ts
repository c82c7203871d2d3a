/** Publishes traces of messages in the account where each message was published, compressed as the message requests. */
import { gzipSync } from "node:zlib";
import type { Crossed } from "../core/crossed.ts";
import type { MessageTrace, TraceEncoding } from "../protocol/message-trace.ts";
import type { Stamp } from "./stamp.ts";

/** The account of the traced message. */
export type TraceSender = Pick<Crossed, "send">;

export function sendTrace(account: TraceSender, trace: MessageTrace, stamp: Stamp): void {
  const json = Buffer.from(trace.toJson(stamp.next()));
  const [name, payload] = encoded(json, trace.encoding);
  const headers = name === "" ? "" : `NATS/1.0\r\nContent-Encoding: ${name}\r\n\r\n`;
  account.send(trace.destination, payload, "", headers);
}

function encoded(json: Uint8Array, encoding: TraceEncoding): [name: string, payload: Uint8Array] {
  switch (encoding) {
    case "none":
      return ["", json];
    case "gzip":
      return ["gzip", gzipSync(json)];
    case "snappy":
      return ["snappy", framed(json)];
    case "unsupported":
      return ["identity", json];
  }
}

/** Longest chunk in Snappy's framing format. */
const CHUNK_MAX = 65_536;
const STREAM_IDENTIFIER = Buffer.from("\xff\x06\x00\x00sNaPpY", "latin1");
const UNCOMPRESSED = 0x01;
const CHECKSUM_LENGTH = 4;

/** Snappy's framing format with uncompressed chunks, which every Snappy decoder reads. Exported for its test. */
export function framed(data: Uint8Array): Uint8Array {
  const pieces: Uint8Array[] = [STREAM_IDENTIFIER];
  for (let from = 0; from < data.length; from += CHUNK_MAX) {
    const chunk = data.subarray(from, from + CHUNK_MAX);
    const head = Buffer.alloc(4 + CHECKSUM_LENGTH);
    head[0] = UNCOMPRESSED;
    head.writeUIntLE(chunk.length + CHECKSUM_LENGTH, 1, 3);
    head.writeUInt32LE(maskedChecksum(chunk), 4);
    pieces.push(head, chunk);
  }
  return Buffer.concat(pieces);
}

/** CRC-32C, masked as Snappy demands, since the data may contain checksums itself. */
function maskedChecksum(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = (crc >>> 8) ^ TABLE[(crc ^ byte) & 0xff]!;
  crc = ~crc >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

const CASTAGNOLI = 0x82f63b78;
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ CASTAGNOLI : crc >>> 1;
  return crc;
});
