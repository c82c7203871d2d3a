/** How many messages an outbox holds: told by its bytes, since nothing is counted for each message on its way out. */

/** So much is looked at; the rest is taken to be like it. */
const LOOKED_AT_MAX = 1024 * 1024;
const M = 0x4d;
const S = 0x53;
const LF = 0x0a;
const ZERO = 0x30;

/** The first piece may begin amidst a large message, which is not counted then. */
export function countMessages(pieces: readonly Uint8Array[]): number {
  let count = 0;
  let lookedAt = 0;
  let skip = 0;
  let total = 0;
  for (const piece of pieces) {
    total += piece.length;
    if (lookedAt >= LOOKED_AT_MAX) continue;
    lookedAt += piece.length;
    let at = skip;
    while (at < piece.length) {
      const lineEnd = piece.indexOf(LF, at);
      if (lineEnd < 0) {
        at = piece.length;
      } else if (isMessage(piece, at)) {
        count++;
        at = lineEnd + 1 + lastNumber(piece, lineEnd - 2) + 2;
      } else {
        at = lineEnd + 1;
      }
    }
    skip = at - piece.length;
  }
  return lookedAt === 0 ? 0 : Math.round((count * total) / lookedAt);
}

/** MSG and HMSG to clients, RMSG and HMSG to other servers. */
function isMessage(piece: Uint8Array, at: number): boolean {
  return (
    (piece[at] === M && piece[at + 1] === S) ||
    (piece[at + 1] === M && piece[at + 2] === S && piece[at] !== M)
  );
}

/** The decimal number whose last digit is at `to`. */
function lastNumber(piece: Uint8Array, to: number): number {
  let value = 0;
  let unit = 1;
  for (let at = to; piece[at]! >= ZERO && piece[at]! <= ZERO + 9; at--) {
    value += (piece[at]! - ZERO) * unit;
    unit *= 10;
  }
  return value;
}
