/**
 * Takes over from the configuration in force whatever a new one has the same, so that every comparison after it ends where nothing has
 * changed: it finds the same object. In pieces, since either may have thousands of accounts.
 */
import { PieceLength, type Pieces } from "../base/pieces.ts";
import { sameValues } from "../base/same-values.ts";
import type { Config } from "./config.ts";

/** `next`, made of parts of `before` as far as they are equal. */
export function* sharedWith(before: Config, next: Config): Pieces<Config> {
  return yield* new Sharing().share(before, next);
}

/** By what items of lists are found again when others come or go before them. */
const NAME_KEYS = ["name", "user", "subject", "source"] as const;

type Fields = Readonly<Record<string, unknown>>;

class Sharing {
  private readonly pace = new PieceLength();

  *share<T>(before: T, next: T): Pieces<T> {
    if (Object.is(before, next)) return before;
    if (this.pace.isOver()) yield;
    if (Array.isArray(before) && Array.isArray(next)) return (yield* this.shareItems(before, next)) as T;
    if (isFields(before) && isFields(next)) return (yield* this.shareFields(before, next)) as T;
    return sameValues(before, next) ? before : next;
  }

  private *shareItems(before: readonly unknown[], next: readonly unknown[]): Pieces<readonly unknown[]> {
    const known = new Map(before.map((item, i) => [keyOf(item, i), item]));
    const items: unknown[] = [];
    let isSame = before.length === next.length;
    for (const [i, item] of next.entries()) {
      const key = keyOf(item, i);
      // Where nothing came or went, also for names that are there twice.
      const old = i < before.length && keyOf(before[i], i) === key ? before[i] : known.get(key);
      const shared = old === undefined ? item : yield* this.share(old, item);
      items.push(shared);
      isSame = isSame && Object.is(shared, before[i]);
    }
    return isSame ? before : items;
  }

  private *shareFields(before: Fields, next: Fields): Pieces<Fields> {
    const keys = Object.keys(next);
    const found: Record<string, unknown> = {};
    let isSame = keys.length === Object.keys(before).length;
    for (const key of keys) {
      const isKnown = Object.hasOwn(before, key);
      found[key] = isKnown ? yield* this.share(before[key], next[key]) : next[key];
      isSame = isSame && isKnown && Object.is(found[key], before[key]);
    }
    return isSame ? before : found;
  }
}

function keyOf(item: unknown, index: number): unknown {
  if (!isFields(item)) return typeof item === "string" ? item : index;
  const named = NAME_KEYS.find((key) => typeof item[key] === "string");
  return named === undefined ? index : item[named];
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
