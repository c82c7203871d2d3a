/** What the tests of the codec pack and unpack. */

export function messages(count: number): Buffer {
  const lines = Array.from({ length: count }, (_, i) => {
    const body = `{"id":${i * 7919},"customer":"c-${(i * 31) % 97}","status":"open","total":${(i * 37) % 1000}}`;
    return `LMSG orders.eu.${i % 7} ${body.length}\r\n${body}\r\n`;
  });
  return Buffer.from(lines.join(""));
}

/** Bytes that do not compress, the same each time. */
export function noise(length: number): Buffer {
  let state = 12_345;
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    bytes[i] = state >>> 16;
  }
  return bytes;
}

/** Runs of each length for which repeats have a form of their own. */
export function runs(): Buffer {
  return Buffer.concat([
    Buffer.from("abcdefgh12345678"),
    ...[9, 70, 263, 264, 700, 66_000, 140_000].map((length, i) => Buffer.alloc(length, 97 + i)),
    Buffer.alloc(3000, "0123456789"),
  ]);
}
