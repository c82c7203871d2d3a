/**
 * The sublist: which of the items (subscriptions, or a peer's interest) match a subject. Items with a literal subject
 * lie in a map by subject, since nearly all do; those with wildcards lie in a trie by token. There is no cache here:
 * `core/interest` remembers what came out.
 */
import { hasWildcard } from "./subject.ts";

interface Node<T> {
  children: Map<string, Node<T>> | null;
  any: Node<T> | null; // `*`
  items: T[]; // patterns that end here
  rest: T[]; // patterns that end here with `>`
}

function newNode<T>(): Node<T> {
  return { children: null, any: null, items: [], rest: [] };
}

function isEmpty<T>(node: Node<T>): boolean {
  return (
    node.items.length === 0 &&
    node.rest.length === 0 &&
    node.any === null &&
    (node.children === null || node.children.size === 0)
  );
}

/** Order is of no meaning, so the last item takes the place of the removed one. */
function removeFrom<T>(items: T[], item: T): boolean {
  const at = items.indexOf(item);
  if (at < 0) return false;
  const last = items.pop() as T;
  if (at < items.length) items[at] = last;
  return true;
}

export class Sublist<T extends { readonly subject: string }> {
  /** A lone item stands without an array around it: a hundred thousand subjects with one subscription each are ordinary. */
  private readonly literals = new Map<string, T | T[]>();
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
    const present = this.literals.get(item.subject);
    if (present === undefined) this.literals.set(item.subject, item);
    else if (Array.isArray(present)) present.push(item);
    else this.literals.set(item.subject, [present, item]);
  }

  /** Returns false when the item was not there. */
  remove(item: T): boolean {
    const removed = hasWildcard(item.subject) ? this.removePattern(item) : this.removeLiteral(item);
    if (removed) this.count--;
    return removed;
  }

  /** Appends every item whose subject covers the literal `subject` to `into`. */
  match(subject: string, into: T[]): void {
    const literal = this.literals.get(subject);
    if (Array.isArray(literal)) for (const item of literal) into.push(item);
    else if (literal !== undefined) into.push(literal);
    if (!isEmpty(this.root)) matchTokens(this.root, subject.split("."), 0, into);
  }

  *[Symbol.iterator](): Generator<T> {
    for (const entry of this.literals.values()) {
      if (Array.isArray(entry)) yield* entry;
      else yield entry;
    }
    yield* below(this.root);
  }

  private removeLiteral(item: T): boolean {
    const present = this.literals.get(item.subject);
    if (present === item) return this.literals.delete(item.subject);
    if (!Array.isArray(present) || !removeFrom(present, item)) return false;
    if (present.length === 1) this.literals.set(item.subject, present[0]!);
    return true;
  }

  private insertPattern(item: T): void {
    const tokens = item.subject.split(".");
    let node = this.root;
    for (let i = 0; i < tokens.length; i++) {
      const token = tokens[i]!;
      if (token === ">" && i === tokens.length - 1) {
        node.rest.push(item);
        return;
      }
      node = token === "*" ? (node.any ??= newNode()) : childOf(node, token);
    }
    node.items.push(item);
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
  if (depth === tokens.length) return removeFrom(node.items, item);
  const token = tokens[depth]!;
  if (token === ">" && depth === tokens.length - 1) return removeFrom(node.rest, item);
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
    for (const item of node.items) into.push(item);
    return;
  }
  for (const item of node.rest) into.push(item);
  if (node.any !== null) matchTokens(node.any, tokens, depth + 1, into);
  const child = node.children?.get(tokens[depth]!);
  if (child !== undefined) matchTokens(child, tokens, depth + 1, into);
}

function* below<T>(node: Node<T>): Generator<T> {
  yield* node.items;
  yield* node.rest;
  if (node.any !== null) yield* below(node.any);
  for (const child of node.children?.values() ?? []) yield* below(child);
}
