/**
 * Encrypts the bodies of the records of the journal where the store is encrypted. A body opens only as what it was written for: the group,
 * the index and term, and whether it is an entry, a snapshot, or a vote. Heads are in the clear.
 */
import { Seal, type Entropy, type SealKey } from "../seal.ts";
import { Kind, type JournalRecord } from "./journal-record.ts";

/** A record as far as its body is bound to it: it may be moved, and then has another kind and ordinal. */
export type BodyOwner = Pick<JournalRecord, "kind" | "group" | "index" | "term">;

export interface BodySeal {
  seal(body: Uint8Array, of: BodyOwner): Uint8Array;
  /** null: it is as good as damaged. */
  open(body: Buffer, of: BodyOwner): Buffer | null;
}

export const CLEAR_BODIES: BodySeal = { seal: (body) => body, open: (body) => body };

/** Keys are bound to the files that they are for. */
const SEALED_AS = "journal";

export class SealedBodies implements BodySeal {
  private readonly sealOfFiles: Seal;

  constructor(keys: readonly SealKey[], entropy: Entropy) {
    this.sealOfFiles = new Seal(keys, SEALED_AS, entropy);
  }

  seal(body: Uint8Array, of: BodyOwner): Uint8Array {
    return this.sealOfFiles.sealBody(body, about(of));
  }

  open(body: Buffer, of: BodyOwner): Buffer | null {
    return this.sealOfFiles.openBody(body, about(of));
  }
}

function about({ kind, group, index, term }: BodyOwner): Buffer {
  return Buffer.from(`${SORTS[kind] ?? kind} ${group} ${index} ${term}`, "latin1");
}

const SORTS: Readonly<Record<number, string>> = {
  [Kind.ENTRY]: "entry",
  [Kind.MOVED]: "entry",
  [Kind.INSTALLED]: "snapshot",
  [Kind.COMPACTED]: "snapshot",
};
