/** The state of the layer above in a simulation: the operations that it has applied, in order. */
import type { PeerState } from "../../../src/raft/messages.ts";

export interface StoredSnapshot {
  readonly index: number;
  readonly term: number;
  readonly peers: PeerState;
  readonly data: Uint8Array;
  readonly operations: readonly string[];
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export const Snapshots = {
  encode: (operations: readonly string[]): Uint8Array => encoder.encode(operations.join(" ")),
  decode: (data: Uint8Array): string[] => decoder.decode(data).split(" ").filter(Boolean),
};
