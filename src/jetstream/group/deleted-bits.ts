/**
 * The deleted sequences of a snapshot, where nats-server writes them as bits: nodes of a tree, each with 2048 sequences.
 *
 *     22, version, u32 nodes, u32 sequences; each node: u64 first sequence, u64 words of bits (32; 64 in version 1), u16 height
 */

export interface DeletedRun {
  readonly first: number;
  readonly count: number;
}

export const DELETED_BITS = 22;
const HEAD_BYTES = 10;
/** Words of a node, by version. */
const WORDS: readonly (number | undefined)[] = [undefined, 64, 32];

/** `end`: where they end. undefined: they cannot be read. */
export function readDeletedBits(
  data: Uint8Array,
  from: number,
): { readonly runs: readonly DeletedRun[]; readonly end: number } | undefined {
  const words = WORDS[data[from + 1] ?? 0];
  if (words === undefined || from + HEAD_BYTES > data.length) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const nodes = view.getUint32(from + 2, true);
  const nodeBytes = 8 + words * 8 + 2;
  const end = from + HEAD_BYTES + nodes * nodeBytes;
  if (end > data.length) return undefined;
  const runs: { first: number; count: number }[] = [];
  for (let at = from + HEAD_BYTES; at < end; at += nodeBytes) {
    const base = Number(view.getBigUint64(at, true));
    if (!Number.isSafeInteger(base + words * 64)) return undefined;
    for (let word = 0; word < words; word++) pushRuns(runs, base + word * 64, view, at + 8 + word * 8);
  }
  return { runs, end };
}

/** The runs of bits that are set in 64. One that follows on the last run makes that longer. */
function pushRuns(runs: { first: number; count: number }[], base: number, view: DataView, at: number): void {
  for (let half = 0; half < 2; half++) {
    const bits = view.getUint32(at + half * 4, true);
    for (let i = 0; bits >>> i !== 0; i++) {
      if (((bits >>> i) & 1) === 0) continue;
      const sequence = base + half * 32 + i;
      const last = runs.at(-1);
      if (last !== undefined && last.first + last.count === sequence) last.count++;
      else runs.push({ first: sequence, count: 1 });
      if (i === 31) break;
    }
  }
}
