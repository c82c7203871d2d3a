/**
 * The sublist: which of the items (subscriptions, or a peer's interest) match a subject. Items with a literal subject
 * lie in a map by subject, since nearly all do; those with wildcards lie in a trie by token. There is no cache here:
 * `core/interest` remembers what came out.
 *
 * Patterns such as `a.*.x`, `*.a.x` can make a trie in which every subject walks far and finds nothing. Each node therefore knows,
 * by 32 bits each, how the patterns below it end: a branch is entered only if one of them may end as the subject does.
 */
import { WideMap } from "../base/wide-map.ts";
import { hasWildcard } from "./subject.ts";

/**
 * A lone item stands without a set around it: a hundred thousand subjects with one subscription each are ordinary. A set,
 * since a hundred thousand subscriptions to one subject must go as fast as they came.
 */
type Bag<T> = T | Set<T> | null;

class Node<T> {
  readonly token: string;
  /** The only child by a literal token; null: there is none, or there are more. A map for one child would be most of the memory. */
  lone: Node<T> | null = null;
  /** Two children or more by literal tokens. */
  children: WideMap<Node<T>> | null = null;
  any: Node<T> | null = null; // `*`
  items: Bag<T> = null; // patterns that end here
  rest: Bag<T> = null; // patterns that end here with `>`
  /** `Ends.tail` of all patterns that go through here, and of some that are gone. */
  tails = 0;
  /** The same of `Ends.length`. */
  lengths = 0;

  constructor(token: string) {
    this.token = token;
  }

  get isEmpty(): boolean {
    return (
      this.items === null &&
      this.rest === null &&
      this.any === null &&
      this.lone === null &&
      this.children === null
    );
  }
}

/** How a pattern or a subject ends, as bits. A pattern can match a subject only if they have a bit in common. */
interface Ends {
  /** One bit for the number of tokens and the last one, if that is a literal token. All bits of a pattern that ends with `>`. */
  readonly tail: number;
  /** One bit for the number of tokens, if the last one is `*`, and of subjects. */
  readonly length: number;
}

function endsOf(tokens: readonly string[], last: string): Ends {
  let hash = tokens.length;
  for (let i = 0; i < last.length; i++) hash = (Math.imul(hash, 31) + last.charCodeAt(i)) | 0;
  return { tail: 1 << (hash ^ (hash >>> 5) ^ (hash >>> 15)), length: 1 << tokens.length };
}

function endsOfPattern(tokens: readonly string[]): Ends {
  const last = tokens.at(-1)!;
  const ends = endsOf(tokens, last);
  return { tail: last === ">" ? -1 : last === "*" ? 0 : ends.tail, length: last === "*" ? ends.length : 0 };
}

function withItem<T>(bag: Bag<T>, item: T): Bag<T> {
  if (bag === null) return item;
  if (bag instanceof Set) return bag.add(item);
  return new Set<T>([bag, item]);
}

function withoutItem<T>(bag: Bag<T>, item: T): Bag<T> {
  if (bag === item) return null;
  if (!(bag instanceof Set) || !bag.delete(item) || bag.size > 1) return bag;
  const [last] = bag;
  return last as T;
}

function holds<T>(bag: Bag<T>, item: T): boolean {
  return bag instanceof Set ? bag.has(item) : bag === item;
}

function append<T>(bag: Bag<T>, into: T[]): void {
  if (bag instanceof Set) for (const item of bag) into.push(item);
  else if (bag !== null) into.push(bag);
}

/** Nodes that `matchBelow` enters at most. */
const BELOW_MAX = 1000;

export class Sublist<T extends { readonly subject: string }> {
  private readonly literals = new WideMap<Bag<T>>();
  private readonly root = new Node<T>("");
  private count = 0;

  get size(): number {
    return this.count;
  }

  insert(item: T): void {
    this.count++;
    if (hasWildcard(item.subject)) {
      this.insertPattern(item);
      return;
    }
    const { subject } = item;
    this.literals.set(subject, withItem(this.literals.get(subject) ?? null, item));
  }

  /** Returns false when the item was not there. */
  remove(item: T): boolean {
    const removed = hasWildcard(item.subject) ? this.removePattern(item) : this.removeLiteral(item);
    if (removed) this.count--;
    return removed;
  }

  /** Appends every item whose subject covers the literal `subject` to `into`. Returns how many nodes of the trie it took. */
  match(subject: string, into: T[]): number {
    append(this.literals.get(subject) ?? null, into);
    return this.matchPatterns(subject, into);
  }

  /** The same of items with wildcards alone. */
  matchPatterns(subject: string, into: T[]): number {
    return this.root.isEmpty ? 0 : matchTokens(this.root, subject.split("."), into);
  }

  /** Items of the literal `subject` itself, in an array of the caller's own. A hundred thousand of them are copied by the engine at once. */
  itemsOf(subject: string): T[] {
    const bag = this.literals.get(subject) ?? null;
    return bag instanceof Set ? [...bag] : bag === null ? [] : [bag];
  }

  has(item: T): boolean {
    const { subject } = item;
    if (!hasWildcard(subject)) return holds(this.literals.get(subject) ?? null, item);
    const place = this.placeOf(subject.split("."));
    return place !== null && holds(place.node[place.bag], item);
  }

  hasLiteral(subject: string): boolean {
    return this.literals.has(subject);
  }

  /**
   * Appends every item with wildcards that covers `prefix`, which ends with a dot, and any `count` tokens behind it. False: there may be
   * others, which cover it with certain tokens alone, and what was appended counts for nothing.
   */
  matchBelow(prefix: string, count: number, into: T[]): boolean {
    const tokens = prefix.split(".");
    const known = tokens.length - 1;
    const waiting = [this.root];
    const depths = [0];
    for (let entered = 0; entered < BELOW_MAX; entered++) {
      const node = waiting.pop();
      if (node === undefined) return true;
      const depth = depths.pop()!;
      if (depth === known + count) {
        append(node.items, into);
        continue;
      }
      append(node.rest, into);
      if (depth >= known && (node.lone !== null || node.children !== null)) return false;
      const token = tokens[depth]!;
      const child = depth >= known || token === "*" ? null : branch(node, token);
      for (const next of [child, node.any]) {
        if (next === null) continue;
        waiting.push(next);
        depths.push(depth + 1);
      }
    }
    return false;
  }

  *[Symbol.iterator](): Generator<T> {
    for (const bag of this.literals.values()) yield* itemsOf(bag);
    yield* below(this.root);
  }

  private removeLiteral(item: T): boolean {
    const present = this.literals.get(item.subject) ?? null;
    if (!holds(present, item)) return false;
    const rest = withoutItem(present, item);
    if (rest === null) this.literals.delete(item.subject);
    else if (rest !== present) this.literals.set(item.subject, rest);
    return true;
  }

  private insertPattern(item: T): void {
    const tokens = item.subject.split(".");
    const ends = endsOfPattern(tokens);
    let node = this.root;
    mark(node, ends);
    for (let i = 0; i < tokens.length; i++) {
      const token = tokens[i]!;
      if (token === ">" && i === tokens.length - 1) {
        node.rest = withItem(node.rest, item);
        return;
      }
      node = token === "*" ? (node.any ??= new Node("*")) : childOf(node, token);
      mark(node, ends);
    }
    node.items = withItem(node.items, item);
  }

  /** Where a pattern of these tokens lies; null: nowhere. */
  private placeOf(tokens: readonly string[]): Place<T> | null {
    const isOpen = tokens.at(-1) === ">";
    const depth = isOpen ? tokens.length - 1 : tokens.length;
    let node = this.root;
    let kept = node;
    let cut: Node<T> | null = null;
    for (let i = 0; i < depth; i++) {
      const child = branch(node, tokens[i]!);
      if (child === null) return null;
      if (cut === null || holdsMoreThan(node, child)) {
        kept = node;
        cut = child;
      }
      node = child;
    }
    return { node, bag: isOpen ? "rest" : "items", kept, cut };
  }

  private removePattern(item: T): boolean {
    const place = this.placeOf(item.subject.split("."));
    if (place === null) return false;
    const { node, bag, kept, cut } = place;
    if (!holds(node[bag], item)) return false;
    node[bag] = withoutItem(node[bag], item);
    if (cut !== null && node.isEmpty) cutBranch(kept, cut);
    return true;
  }
}

interface Place<T> {
  readonly node: Node<T>;
  readonly bag: "items" | "rest";
  /** The deepest node above `node` that holds something beside the way to it. */
  readonly kept: Node<T>;
  /** Its child on the way: goes with `node`. null: `node` is the root. */
  readonly cut: Node<T> | null;
}

function mark<T>(node: Node<T>, { tail, length }: Ends): void {
  node.tails |= tail;
  node.lengths |= length;
}

/** Makes it where it is missing. */
function childOf<T>(node: Node<T>, token: string): Node<T> {
  const known = branch(node, token);
  if (known !== null) return known;
  const child = new Node<T>(token);
  if (node.children !== null) node.children.set(token, child);
  else if (node.lone === null) node.lone = child;
  else {
    node.children = new WideMap<Node<T>>().set(node.lone.token, node.lone).set(token, child);
    node.lone = null;
  }
  return child;
}

function branch<T>(node: Node<T>, token: string): Node<T> | null {
  if (token === "*") return node.any;
  const { lone, children } = node;
  if (lone !== null) return lone.token === token ? lone : null;
  return children === null ? null : (children.get(token) ?? null);
}

function holdsMoreThan<T>(node: Node<T>, child: Node<T>): boolean {
  if (node.items !== null || node.rest !== null) return true;
  if (node.any === child) return node.lone !== null || node.children !== null;
  return node.any !== null || node.children !== null;
}

function cutBranch<T>(node: Node<T>, child: Node<T>): void {
  if (node.any === child) node.any = null;
  else if (node.lone === child) node.lone = null;
  else if (node.children !== null) {
    node.children.delete(child.token);
    if (node.children.size === 0) node.children = null;
  }
}

/**
 * Walks without recursion, since a subject may have as many tokens as a control line has room for. Branches that wait are at most
 * one for each token. A subject's `*` or `>` token is literal here, as in nats-server: it meets wildcards only. Returns how many
 * nodes it entered.
 */
function matchTokens<T>(root: Node<T>, tokens: readonly string[], into: T[]): number {
  const { tail, length } = endsOf(tokens, tokens.at(-1)!);
  if (!mayMatch(root, tail, length)) return 0;
  const waiting: Node<T>[] = [];
  const depths: number[] = [];
  let node: Node<T> | undefined = root;
  let depth = 0;
  let entered = 0;
  while (node !== undefined) {
    entered++;
    let next: Node<T> | null = null;
    if (depth === tokens.length) append(node.items, into);
    else {
      append(node.rest, into);
      const token: string = tokens[depth]!;
      const child: Node<T> | null = token === "*" ? null : branch(node, token);
      if (child !== null && mayMatch(child, tail, length)) next = child;
      const { any }: Node<T> = node;
      if (any !== null && mayMatch(any, tail, length)) {
        if (next !== null) {
          waiting.push(next);
          depths.push(depth + 1);
        }
        next = any;
      }
    }
    depth = next === null ? (depths.pop() ?? 0) : depth + 1;
    node = next ?? waiting.pop();
  }
  return entered;
}

function mayMatch<T>(node: Node<T>, tail: number, length: number): boolean {
  return (node.tails & tail) !== 0 || (node.lengths & length) !== 0;
}

/** Without recursion, as `matchTokens`. What is inserted or removed meanwhile may be met or not; all else is met. */
function* below<T>(root: Node<T>): Generator<T> {
  const levels: Iterator<Node<T>>[] = [[root].values()];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    const next = level.next();
    if (next.done === true) {
      levels.pop();
      continue;
    }
    const node = next.value;
    yield* itemsOf(node.items);
    yield* itemsOf(node.rest);
    if (node.children !== null) levels.push(node.children.values());
    if (node.lone !== null) levels.push([node.lone].values());
    if (node.any !== null) levels.push([node.any].values());
  }
}

function* itemsOf<T>(bag: Bag<T>): Generator<T> {
  if (bag instanceof Set) yield* bag;
  else if (bag !== null) yield bag;
}
