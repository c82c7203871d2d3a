/**
 * Composes the tokens of YAML into documents piece by piece. The YAML package composes a document at once, which takes long for one of many
 * thousand lines: a collection is therefore emptied where it is found, and its items are composed apart, some at a time, by documents of
 * their own. What comes out is what the package makes of the whole: values, positions, and errors in the order of their places.
 *
 * Not cut are keys that are collections, what is nested deeper than is read, and files with directives: all of them are refused afterwards,
 * or are rare.
 */
import { Composer, isMap, isPair, isSeq, type CST, type Document, type YAMLParseError } from "yaml";
import { assert } from "../../base/assert.ts";
import { PieceLength, type Pieces } from "../../base/pieces.ts";
import { NESTING_DEPTH_MAX } from "./nats-conf/limits.ts";

type Collection = CST.BlockMap | CST.BlockSequence | CST.FlowCollection;
type Item = CST.CollectionItem;

export interface Composed {
  /** The first document; there is one, if an empty one. */
  readonly document: Document;
  /** Where a second document begins; null: there is none. */
  readonly secondAt: number | null;
  readonly errors: readonly YAMLParseError[];
}

/** Items, with those nested in them, that are composed at once; some ten microseconds each. */
const ITEMS_PER_PIECE = 200;

export function* composeYaml(
  tokens: readonly CST.Token[],
  textLength: number,
  itemsPerPiece = ITEMS_PER_PIECE,
): Pieces<Composed> {
  const whole = tokens.find((token) => token.type === "document");
  const value = whole?.value;
  const isWhole = tokens.some(({ type }) => type === "directive") || value === undefined;
  const large = isWhole || !isCollection(value) ? null : yield* largeIn(value, itemsPerPiece);
  const isCut = large !== null && isCollection(value) && large.has(value);
  const rest = isCut ? tokens.map((token) => (token === whole ? emptied(whole) : token)) : tokens;
  const [document, second] = compose(rest, textLength);
  assert(document !== undefined, "there is a document, if an empty one");
  const errors = [...document.errors];
  if (isCut) yield* new Filling(large, itemsPerPiece, errors).fill(document.contents, value);
  errors.sort((one, other) => one.pos[0] - other.pos[0]);
  return { document, secondAt: second === undefined ? null : (second.range?.[0] ?? 0), errors };
}

function compose(tokens: readonly CST.Token[], textLength: number): Document[] {
  const composer = new Composer({
    schema: "failsafe",
    prettyErrors: false,
    uniqueKeys: false,
    logLevel: "error",
  });
  return [...composer.compose(tokens, true, textLength)];
}

function isCollection(token: CST.Token | null | undefined): token is Collection {
  return token?.type === "block-map" || token?.type === "block-seq" || token?.type === "flow-collection";
}

/** The collections that have more items, with those nested in them, than fit into a piece. */
function* largeIn(root: Collection, itemsPerPiece: number): Pieces<ReadonlySet<Collection>> {
  const large = new Set<Collection>();
  const pace = new PieceLength();
  const open = [{ token: root, next: 0, items: 0 }];
  for (let top = open[0]; top !== undefined; top = open.at(-1)) {
    if (pace.isOver()) yield;
    const item: Item | undefined = top.token.items[top.next++];
    if (item !== undefined) {
      top.items++;
      const { value } = item;
      if (isCollection(value) && open.length <= NESTING_DEPTH_MAX)
        open.push({ token: value, next: 0, items: 0 });
      continue;
    }
    open.pop();
    if (top.items > itemsPerPiece) large.add(top.token);
    const parent = open.at(-1);
    if (parent !== undefined) parent.items += top.items;
  }
  return large;
}

/** Puts the items back into collections that were composed without them. */
class Filling {
  private readonly large: ReadonlySet<Collection>;
  private readonly itemsPerPiece: number;
  private readonly errors: YAMLParseError[];

  constructor(large: ReadonlySet<Collection>, itemsPerPiece: number, errors: YAMLParseError[]) {
    this.large = large;
    this.itemsPerPiece = itemsPerPiece;
    this.errors = errors;
  }

  *fill(into: unknown, token: Collection): Pieces<void> {
    // A tag that says otherwise makes something else of it, which is an error.
    if (!isMap(into) && !isSeq(into)) return;
    const items = token.items as readonly Item[];
    for (let from = 0; from < items.length;) {
      yield;
      const to = this.endOfPiece(token, from);
      const large = to === from + 1 && this.isLarge(items[from]!.value) ? items[from]!.value : null;
      const piece = items.slice(from, to);
      const added = this.composeItems(token, from, large === null ? piece : [emptied(piece[0]!)]);
      into.items.push(...(added as never[]));
      if (isCollection(large)) yield* this.fill(valueOf(added[0]), large);
      from = to;
    }
  }

  /** Where the piece ends that begins with this item: one with a large value has a piece of its own. */
  private endOfPiece({ type, items }: Collection, from: number): number {
    let count = 0;
    for (let at = from; at < items.length; at++) {
      const [item, next]: (Item | undefined)[] = [items[at], items[at + 1]];
      count += 1 + (isCollection(item!.value) ? item!.value.items.length : 0);
      const isEnough = count >= this.itemsPerPiece || this.isLarge(item!.value) || this.isLarge(next?.value);
      if (isEnough && (type !== "flow-collection" || canCut(item!, next))) return at + 1;
    }
    return items.length;
  }

  private isLarge(value: CST.Token | null | undefined): boolean {
    return isCollection(value) && this.large.has(value);
  }

  private composeItems(token: Collection, from: number, items: readonly Item[]): readonly unknown[] {
    const isFlow = token.type === "flow-collection";
    const part = isFlow ? flowPart(token, from > 0, items) : blockPart(token, from > 0, items);
    const whole: CST.Document = { type: "document", offset: part.offset, start: [], value: part };
    const [document] = compose([whole], part.offset);
    assert(document !== undefined, "a document comes out of one");
    this.errors.push(...document.errors);
    const { contents } = document;
    assert(isMap(contents) || isSeq(contents), "a collection comes out of one");
    return contents.items;
  }
}

/** The same with a collection that has no items as its value. */
function emptied<T extends { value?: CST.Token }>(holder: T): T {
  return { ...holder, value: { ...(holder.value as Collection), items: [] } };
}

/** The next item begins behind a comma, as a first one begins: nothing between two items would be judged in another way. */
function canCut(item: Item, next: Item | undefined): boolean {
  if (next === undefined) return true;
  return hasContent(item) && hasContent(next) && next.start.some(({ type }) => type === "comma");
}

function hasContent({ key, sep, value }: Item): boolean {
  return (key !== null && key !== undefined) || sep !== undefined || value !== undefined;
}

function flowPart(token: CST.FlowCollection, isLater: boolean, items: readonly Item[]): CST.FlowCollection {
  const [first, ...rest] = items;
  assert(first !== undefined, "a piece has items");
  const comma = isLater ? first.start.findIndex(({ type }) => type === "comma") : -1;
  const start = first.start.slice(comma + 1);
  const offset = comma === -1 ? token.offset : first.start[comma]!.offset;
  const isMapping = token.start.source === "{";
  const end: CST.SourceToken = {
    type: isMapping ? "flow-map-end" : "flow-seq-end",
    offset,
    indent: token.indent,
    source: isMapping ? "}" : "]",
  };
  return { ...token, offset, items: [{ ...first, start }, ...rest], end: [end] };
}

function blockPart<T extends CST.BlockMap | CST.BlockSequence>(
  token: T,
  isLater: boolean,
  items: readonly Item[],
): T {
  const { start, key, sep, value } = items[0]!;
  const first = start[0] ?? key ?? sep?.[0] ?? value;
  return { ...token, offset: isLater && first !== undefined ? first.offset : token.offset, items };
}

/** The value in the one item of a piece: of a map, of a sequence, or of a sequence of pairs. */
function valueOf(added: unknown): unknown {
  if (isPair(added)) return added.value;
  if (!isMap(added)) return added;
  const [pair] = added.items;
  return pair === undefined ? added : pair.value;
}
