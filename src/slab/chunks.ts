/** Chunks, which outboxes fill and sockets write. `limitSlab` bounds their number. */
import { assert } from "../base/assert.ts";
import { headsInUse } from "./heads.ts";
import { AREA, FRAME_ROOM, SLACK } from "./layout.ts";

export const CHUNK_SIZE = 64 * 1024;
const CHUNK_STRIDE = FRAME_ROOM + CHUNK_SIZE + SLACK;
const FIRST_CHUNK = AREA.chunks.at + FRAME_ROOM;
const CHUNKS_MOST = Math.floor(AREA.chunks.size / CHUNK_STRIDE);

const freeChunks: number[] = [];
let chunksEnd = FIRST_CHUNK;
let chunkLimit = CHUNKS_MOST;
let chunksMade = 0;
let chunksInUse = 0;

/** Returns the offset of a chunk of CHUNK_SIZE bytes, or 0 when the limit is reached. */
export function takeChunk(): number {
  const free = freeChunks.pop();
  if (free !== undefined) {
    chunksInUse++;
    return free;
  }
  if (chunksMade >= chunkLimit) return 0;
  const at = chunksEnd;
  chunksEnd += CHUNK_STRIDE;
  chunksMade++;
  chunksInUse++;
  return at;
}

/** Whether a chunk begins at this offset of the slab: its spare bytes in front belong to who writes it. */
export function hasFrameRoom(at: number): boolean {
  return at >= FIRST_CHUNK && (at - FIRST_CHUNK) % CHUNK_STRIDE === 0;
}

/** Last in, first out: the chunk that was written last is still in the processor's cache. */
export function releaseChunk(at: number): void {
  assert(at >= FIRST_CHUNK, "release of a chunk that was never taken");
  chunksInUse--;
  freeChunks.push(at);
}

/** Bounds the memory of chunks, in bytes. Existing chunks stay. */
export function limitSlab(bytesMax: number): void {
  chunkLimit = Math.max(16, Math.min(CHUNKS_MOST, Math.floor(bytesMax / CHUNK_STRIDE)));
}

export interface SlabSnapshot {
  readonly chunksInUse: number;
  readonly chunksMade: number;
  readonly chunkLimit: number;
  readonly headsBytes: number;
}

export function slabSnapshot(): SlabSnapshot {
  return { chunksInUse, chunksMade, chunkLimit, headsBytes: headsInUse() };
}
