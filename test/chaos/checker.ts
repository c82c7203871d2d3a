/**
 * Judges a chaos run: what servers acknowledged against what they hold, and what they delivered. Pure; each violation is a sentence.
 *
 * - Nothing that was acknowledged is missing, each at the sequence that its acknowledgement named.
 * - No id is stored twice, and nothing is stored that nobody sent.
 * - What began after another one was acknowledged has a higher sequence.
 * - Each revision of a key was put upon the one before it, so that no change was lost.
 * - Each message reached each consumer, and does not come again once its acknowledgement was confirmed.
 * - All copies of a stream are the same.
 */
import type { Copy, Delivery, Publish, Put, Stored } from "./history.ts";

/** Violations of one kind that are named; the others are counted. */
const NAMED_MAX = 5;
/** A delivery that was under way before an acknowledgement was confirmed has arrived after this time: longer than any pause or partition of a run. */
const UNDER_WAY_MS = 40_000;

export function checkPublishes(stream: string, publishes: readonly Publish[], copy: Copy): string[] {
  const own = publishes.filter((one) => one.stream === stream);
  const sent = new Set(own.map(({ id }) => id));
  return [
    ...checkAcknowledged(own, copy),
    ...named(`${copy.server} holds what nobody sent to ${stream}`, unknown(copy.messages, sent)),
    ...named(`${copy.server} holds more than once of ${stream}`, doubles(copy.messages)),
    ...named(`${stream} has a later message before an earlier one`, outOfOrder(own)),
  ];
}

export function checkPuts(puts: readonly Put[], copy: Copy): string[] {
  const byId = new Map(puts.map((one) => [one.id, one]));
  return [
    ...checkAcknowledged(puts, copy),
    ...named(`${copy.server} holds what nobody put`, unknown(copy.messages, byId)),
    ...named(`${copy.server} holds a change more than once`, doubles(copy.messages)),
    ...named("a later change has a lower revision", outOfOrder(puts)),
    ...named(`changes on ${copy.server} were made upon others than those before them`, lost(byId, copy)),
  ];
}

/** Judges a stream whose messages leave it once they are acknowledged. */
export function checkWork(
  stream: string,
  publishes: readonly Publish[],
  deliveries: readonly Delivery[],
): string[] {
  const own = publishes.filter((one) => one.stream === stream);
  const delivered = new Set(deliveries.filter((one) => one.stream === stream).map(({ id }) => id));
  const missing = own.filter(({ acknowledged, id }) => acknowledged !== undefined && !delivered.has(id));
  return [
    ...named(`acknowledged in ${stream}, and never delivered`, missing.map(describe)),
    ...named(`${stream} has a later message before an earlier one`, outOfOrder(own)),
    ...checkRepeated(deliveries.filter((one) => one.stream === stream)),
  ];
}

/** Nothing is left of a work queue whose messages all were acknowledged. */
export function checkEmpty({ stream, server, messages }: Copy): string[] {
  return named(
    `left in ${stream} on ${server}`,
    messages.map(({ seq, id }) => `${seq} ${id}`),
  );
}

/** Each message of the copy came to the consumer. */
export function checkConsumer(consumer: string, deliveries: readonly Delivery[], copy: Copy): string[] {
  const own = deliveries.filter((one) => one.consumer === consumer);
  const delivered = new Set(own.map(({ seq }) => seq));
  const missing = copy.messages.filter(({ seq }) => !delivered.has(seq)).map(({ seq, id }) => `${seq} ${id}`);
  return [...named(`never delivered to ${consumer}`, missing), ...checkRepeated(own)];
}

/** Copies of one stream. */
export function checkCopies(copies: readonly Copy[]): string[] {
  const [first, ...others] = copies;
  return others.flatMap((other) => {
    const held = new Map(other.messages.map((one) => [one.seq, JSON.stringify(one)]));
    const seqs = new Set([...first!.messages, ...other.messages].map(({ seq }) => seq));
    const own = new Map(first!.messages.map((one) => [one.seq, JSON.stringify(one)]));
    const differing = [...seqs].filter((seq) => held.get(seq) !== own.get(seq)).sort((a, b) => a - b);
    const ends =
      first!.lastSeq === other.lastSeq ? [] : [`last sequences ${first!.lastSeq} and ${other.lastSeq}`];
    const at = differing.map((seq) => `${seq}: ${own.get(seq) ?? "nothing"} / ${held.get(seq) ?? "nothing"}`);
    return named(`${first!.stream} differs on ${first!.server} and ${other.server}`, [...ends, ...at]);
  });
}

/** Each acknowledged record is in the copy, at its sequence. */
function checkAcknowledged(records: readonly (Publish | Put)[], copy: Copy): string[] {
  const held = new Map(copy.messages.map(({ seq, id }) => [seq, id]));
  const missing: string[] = [];
  const moved: string[] = [];
  const ids = new Set(held.values());
  for (const record of records) {
    const { acknowledged, id } = record;
    if (acknowledged === undefined || held.get(acknowledged.seq) === id) continue;
    (ids.has(id) ? moved : missing).push(describe(record));
  }
  const { stream, server } = copy;
  return [
    ...named(`acknowledged in ${stream}, and not on ${server}`, missing),
    ...named(`acknowledged in ${stream}, and elsewhere on ${server}`, moved),
  ];
}

function unknown(messages: readonly Stored[], sent: { has(id: string): boolean }): string[] {
  return messages.filter(({ id }) => !sent.has(id)).map(({ seq, id }) => `${seq} ${id}`);
}

function doubles(messages: readonly Stored[]): string[] {
  const seqs = new Map<string, number>();
  const found: string[] = [];
  for (const { seq, id } of messages) {
    const before = seqs.get(id);
    if (before !== undefined) found.push(`${id} at ${before} and ${seq}`);
    seqs.set(id, seq);
  }
  return found;
}

/** Those that were acknowledged before one with a lower sequence began. */
function outOfOrder(records: readonly (Publish | Put)[]): string[] {
  const sure = records
    .filter(({ acknowledged }) => acknowledged !== undefined)
    .toSorted((a, b) => a.acknowledged!.seq - b.acknowledged!.seq);
  const found: string[] = [];
  let latest: Publish | Put | undefined;
  for (const record of sure) {
    if (latest !== undefined && record.acknowledged!.atMs < latest.startMs)
      found.push(`${describe(latest)} before ${describe(record)}`);
    if (latest === undefined || record.startMs > latest.startMs) latest = record;
  }
  return found;
}

function lost(puts: ReadonlyMap<string, Put>, copy: Copy): string[] {
  const revisions = new Map<string, number>();
  const found: string[] = [];
  for (const { seq, subject, id } of copy.messages) {
    const before = revisions.get(subject) ?? 0;
    const put = puts.get(id);
    if (put !== undefined && put.expected !== before)
      found.push(`${id} at ${seq} expected ${put.expected}, after ${before} of ${subject}`);
    revisions.set(subject, seq);
  }
  return found;
}

function checkRepeated(deliveries: readonly Delivery[]): string[] {
  const confirmed = new Map<string, number>();
  for (const { consumer, seq, confirmedMs } of deliveries) {
    const key = `${consumer} ${seq}`;
    if (confirmedMs !== undefined) confirmed.set(key, Math.min(confirmedMs, confirmed.get(key) ?? Infinity));
  }
  const repeated = deliveries.filter(
    ({ consumer, seq, atMs }) => atMs > (confirmed.get(`${consumer} ${seq}`) ?? Infinity) + UNDER_WAY_MS,
  );
  return named(
    "delivered again, long after its acknowledgement was confirmed",
    repeated.map(({ consumer, seq }) => `${seq} to ${consumer}`),
  );
}

function describe({ id, acknowledged }: Publish | Put): string {
  return `${id} (${acknowledged?.seq})`;
}

function named(what: string, cases: readonly string[]): string[] {
  if (cases.length === 0) return [];
  const more = cases.length > NAMED_MAX ? ", …" : "";
  return [`${what}: ${cases.length} (${cases.slice(0, NAMED_MAX).join(", ")}${more})`];
}
