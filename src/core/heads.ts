/**
 * Heads: what stands before the tail of a message, in the words of each protocol that a receiver may speak. A plan writes them when it is
 * built, for the dialects that its receivers need: one that is written later could find the arena full, and evict the plan in use.
 *
 *     client   HMSG subject              and, one byte further, MSG subject: clients, leaf nodes
 *     route    RMSG account subject      with another first byte HMSG: routes, gateways
 *
 * Invariant: what is written into a head ends with its blank, within the room that was taken for it.
 */
import { assert } from "../base/assert.ts";
import { releaseHead, takeHead } from "../slab/heads.ts";
import { bytes, copy, writeText } from "../slab/memory.ts";

/** Which head a neighbour's messages begin with. */
export type HeadDialect = "client" | "route";

/** Where a head lies, with the blank behind it. */
interface HeadPlace {
  readonly at: number;
  readonly length: number;
}

/** What a neighbour reads of the plan that it forwards a message by. */
export interface Heads {
  readonly account: string;
  readonly subjectAt: number;
  readonly subjectLength: number;
  /** Those with plain subscriptions. */
  readonly neighbours: readonly unknown[];
  readonly clientHead: HeadPlace;
  /** null: none of its receivers speaks it. */
  readonly routeHead: Head | null;
}

const BLANK = 0x20;
const VERB_LENGTH = 5;

export class Head {
  readonly at: number;
  length: number;
  private readonly room: number;
  /** With the blank behind it. */
  private readonly builtLength: number;

  /** `before`: what stands between the verb and the subject. `restRoom`: bytes for what follows the subject, see `setRest`. */
  constructor(verb: "HMSG" | "RMSG", before: string, subject: string, restRoom: number) {
    this.length = this.builtLength = VERB_LENGTH + before.length + subject.length + 1;
    this.room = this.builtLength + restRoom;
    this.at = takeHead(this.room);
    writeText(this.at, `${verb} ${before}${subject} `);
  }

  /** Puts what lies at `at` behind the subject that the head was built for. */
  setRest(at: number, length: number): void {
    const { builtLength } = this;
    assert(builtLength + length <= this.room, "the rest of a subject fits into its room");
    const to = this.at + builtLength - 1;
    copy(to, at, length);
    bytes[to + length] = BLANK;
    this.length = builtLength + length;
  }

  release(): void {
    releaseHead(this.at, this.room);
  }
}

/** Where the subject begins in a head without anything before it. */
export function subjectIn(head: Head): number {
  return head.at + VERB_LENGTH;
}
