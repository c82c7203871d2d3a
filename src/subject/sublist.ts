/**
 * The sublist: which of the items (subscriptions, or a peer's interest) match a subject. Items with a literal subject
 * lie in a map by subject, since nearly all do; those with wildcards lie in a trie by token. There is no cache here:
 * `core/interest` remembers what came out.
 */
import { hasWildcard } from "./subject.ts";

/**
 * A lone item stands without a set around it: a hundred thousand subjects with one subscription each are ordinary. A set,
 * since a hundred thousand subscriptions to one subject must go as fast as they came.
 */
type Bag<T> = T | Set<T> | null;

interface Node<T> {
  children: Map<string, Node<T>> | null;
  any: Node<T> | null; // `*`
  items: Bag<T>; // patterns that end here
  rest: Bag<T>; // patterns that end here with `>`
}

function newNode<T>(): Node<T> {
  return { children: null, any: null, items: null, rest: null };
}

function isEmpty<T>(node: Node<T>): boolean {
  return (
    node.items === null &&
    node.rest === null &&
    node.any === null &&
    (node.children === null || node.children.size === 0)
  );
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

export class Sublist<T extends { readonly subject: string }> {
  private readonly literals = new Map<string, Bag<T>>();
  private readonly root: Node<T> = newNode();
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

  /** Appends every item whose subject covers the literal `subject` to `into`. */
  match(subject: string, into: T[]): void {
    append(this.literals.get(subject) ?? null, into);
    if (!isEmpty(this.root)) matchTokens(this.root, subject.split("."), 0, into);
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
    let node = this.root;
    for (let i = 0; i < tokens.length; i++) {
      const token = tokens[i]!;
      if (token === ">" && i === tokens.length - 1) {
        node.rest = withItem(node.rest, item);
        return;
      }
      node = token === "*" ? (node.any ??= newNode()) : childOf(node, token);
    }
    node.items = withItem(node.items, item);
  }

  private removePattern(item: T): boolean {
    return removeBelow(this.root, item.subject.split("."), 0, item);
  }
}

function childOf<T>(node: Node<T>, token: string): Node<T> {
  node.children ??= new Map();
  let child = node.children.get(token);
  if (child === undefined) {
    child = newNode();
    node.children.set(token, child);
  }
  return child;
}

function removeBelow<T>(node: Node<T>, tokens: string[], depth: number, item: T): boolean {
  const token = tokens[depth];
  if (token === undefined || (token === ">" && depth === tokens.length - 1)) {
    const place = token === undefined ? "items" : "rest";
    const present = holds(node[place], item);
    node[place] = withoutItem(node[place], item);
    return present;
  }
  const child = token === "*" ? node.any : (node.children?.get(token) ?? null);
  if (child === null) return false;
  const removed = removeBelow(child, tokens, depth + 1, item);
  if (removed && isEmpty(child)) {
    if (token === "*") node.any = null;
    else node.children?.delete(token);
  }
  return removed;
}

/**
 * Depth is bounded by the tokens of a subject, which a control line bounds. A subject's `*` or `>` token is literal
 * here, as in nats-server: it meets wildcards only.
 */
function matchTokens<T>(node: Node<T>, tokens: string[], depth: number, into: T[]): void {
  if (depth === tokens.length) {
    append(node.items, into);
    return;
  }
  append(node.rest, into);
  if (node.any !== null) matchTokens(node.any, tokens, depth + 1, into);
  const child = node.children?.get(tokens[depth]!);
  if (child !== undefined) matchTokens(child, tokens, depth + 1, into);
}

function* below<T>(node: Node<T>): Generator<T> {
  yield* itemsOf(node.items);
  yield* itemsOf(node.rest);
  if (node.any !== null) yield* below(node.any);
  for (const child of node.children?.values() ?? []) yield* below(child);
}

function* itemsOf<T>(bag: Bag<T>): Generator<T> {
  if (bag instanceof Set) yield* bag;
  else if (bag !== null) yield bag;
}
