/**
 * The one table of addresses in the slab. Every area has a name, a start, and a size; all arithmetic over areas is done here.
 *
 *     0                                                               read window
 *     | nowhere | scratch areas ... | headroom: rest of a partial frame | READ_SIZE | heads arena | staging | chunks ... |
 *
 * Invariants, asserted when the module is loaded: areas are disjoint, in order, aligned to words of 8 bytes, and lie within what is
 * reserved. Address 0 belongs to no area that is ever handed out, so that 0 can mean "none".
 *
 * The address space is reserved once and costs no memory before it is touched.
 */
import { assert } from "../base/assert.ts";

const MIB = 1024 * 1024;
/** Longest control line that any configuration may allow: subjects and replies are no longer. */
export const LINE_MAX = MIB;
/** Longest partial frame that is kept in front of the read window; a larger one is collected in a buffer of its own. */
export const CARRY_MAX = 64 * 1024;
/** What one read takes at most: at 128 KiB messages cost up to a fifth more (docs/decisions/0001), at 512 KiB hardly less. */
export const READ_SIZE = 256 * 1024;
export const RESERVED = 1024 * MIB;
/** Copies go by words of 8 bytes and may touch up to this many bytes past the end of what they copy. */
export const SLACK = 64;
/** Spare bytes in front of each chunk, for wires that frame what they write: the longest head of a WebSocket frame has 14. */
export const FRAME_ROOM = 16;
/** What may be left of a frame's head, or of a control frame, in front of framed bytes: 14 and 125 bytes. */
export const FRAME_REST_MAX = 144;
/** Bytes of a head besides its subject: the verb, blanks, the sizes. */
const HEAD_REST = 64;
/** Heads that a plan may have, one for each dialect, each with the longest subject and the longest name of an account. */
const SPARE_HEADS = 4;
const SPARE_HEAD_SIZE = 2 * LINE_MAX + HEAD_REST + SLACK;
/** The headroom holds a partial frame of at most CARRY_MAX, or the head of a large frame. */
const HEADROOM_SIZE = LINE_MAX + CARRY_MAX + 4096;
const HEADS_SIZE = 32 * MIB;
/** Messages that the server makes: two heads of the longest subject and reply, or many shorter ones. */
const STAGING_SIZE = 8 * MIB;

export interface Area {
  /** Offset in the slab. */
  readonly at: number;
  readonly size: number;
  /** `at + size`. */
  readonly end: number;
}

type AreaName = (typeof SIZES)[number][0];

/** In order. The comment at AREA explains the names. */
const SIZES = [
  ["nowhere", SLACK],
  ["hashed", LINE_MAX + SLACK],
  ["mapped", LINE_MAX + SLACK],
  ["shownHead", LINE_MAX + HEAD_REST + SLACK],
  ["shadowHead", LINE_MAX + HEAD_REST + SLACK],
  ["spareHeads", SPARE_HEADS * SPARE_HEAD_SIZE],
  ["headroom", HEADROOM_SIZE],
  ["readWindow", READ_SIZE],
  ["behindWindow", 4096],
  ["framedRest", FRAME_REST_MAX],
  ["framed", READ_SIZE],
  ["heads", HEADS_SIZE],
  ["staging", STAGING_SIZE],
] as const;

function layOut(): Record<AreaName | "chunks", Area> {
  const areas: Partial<Record<AreaName | "chunks", Area>> = {};
  let end = 0;
  for (const [name, size] of SIZES) {
    areas[name] = { at: end, size, end: end + size };
    end += size;
  }
  areas.chunks = { at: end, size: RESERVED - end, end: RESERVED };
  return areas as Record<AreaName | "chunks", Area>;
}

/**
 * - hashed: a subject that is hashed for a look-up.
 * - mapped: the subject that a mapping gives to one message.
 * - shownHead: the head that shows a routed message under another subject than it is matched on.
 * - shadowHead: the head under which an importer gets a message.
 * - spareHeads: heads of one plan that find no room in the arena; the message under way may read them.
 * - headroom, readWindow: what sockets read into, with the rest of a partial frame in front. Parsers put a line feed behind it.
 * - framed: what came over a wire whose frames are not taken apart in place, with what was left of the previous read in front.
 * - heads: the arena of plans' heads. staging: messages that the server makes. chunks: what outboxes fill.
 */
export const AREA = layOut();

/** Throws if areas overlap or are misplaced. */
export function checkAreas(areas: readonly Area[]): void {
  let end = 0;
  for (const area of areas) {
    assert(area.at >= end, "areas of the slab are disjoint and in order");
    assert(area.at % 8 === 0, "areas of the slab begin at a word");
    assert(area.size > 0 && area.end === area.at + area.size, "an area ends behind its size");
    end = area.end;
  }
  assert(end <= RESERVED, "areas of the slab lie within what is reserved");
}

checkAreas(Object.values(AREA));
assert(AREA.spareHeads.size >= SPARE_HEADS * SPARE_HEAD_SIZE, "all heads of a subject of any length fit");
assert(AREA.staging.size >= 2 * (2 * LINE_MAX + HEAD_REST + SLACK), "a message of any subject can be staged");
assert(AREA.headroom.size >= 4 * READ_SIZE, "what a waiting session holds fits in front of the read window");
assert(FRAME_REST_MAX >= 14 + 125, "a whole control frame fits in front of framed bytes");

/** Where sockets read to. */
export const READ_START = AREA.readWindow.at;
