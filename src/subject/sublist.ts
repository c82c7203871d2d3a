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
    if (!isEmpty(this.root)) matchTokens(this.root, subject.split("."), into);
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
    const tokens = item.subject.split(".");
    const isOpen = tokens.at(-1) === ">";
    const depth = isOpen ? tokens.length - 1 : tokens.length;
    let node = this.root;
    // The deepest node that holds something beside the way to the item: where the rest is cut off.
    let kept = node;
    let keptDepth = 0;
    for (let i = 0; i < depth; i++) {
      const child = branch(node, tokens[i]!);
      if (child === null) return false;
      if (holdsMoreThan(node, child)) {
        kept = node;
        keptDepth = i;
      }
      node = child;
    }
    const place = isOpen ? "rest" : "items";
    if (!holds(node[place], item)) return false;
    node[place] = withoutItem(node[place], item);
    if (depth > 0 && isEmpty(node)) cutBranch(kept, tokens[keptDepth]!);
    return true;
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

function branch<T>(node: Node<T>, token: string): Node<T> | null {
  return token === "*" ? node.any : (node.children?.get(token) ?? null);
}

function holdsMoreThan<T>(node: Node<T>, child: Node<T>): boolean {
  if (node.items !== null || node.rest !== null) return true;
  const children = node.children?.size ?? 0;
  return node.any === child ? children > 0 : node.any !== null || children > 1;
}

function cutBranch<T>(node: Node<T>, token: string): void {
  if (token === "*") node.any = null;
  else node.children?.delete(token);
}

/**
 * Walks without recursion, since a subject may have as many tokens as a control line has room for. Branches that wait are at most
 * one for each token. A subject's `*` or `>` token is literal here, as in nats-server: it meets wildcards only.
 */
function matchTokens<T>(root: Node<T>, tokens: readonly string[], into: T[]): void {
  const waiting: Node<T>[] = [];
  const depths: number[] = [];
  let node: Node<T> | undefined = root;
  let depth = 0;
  while (node !== undefined) {
    let next: Node<T> | undefined;
    if (depth === tokens.length) append(node.items, into);
    else {
      append(node.rest, into);
      next = node.children?.get(tokens[depth]!);
      const { any }: Node<T> = node;
      if (any !== null && next !== undefined) {
        waiting.push(next);
        depths.push(depth + 1);
      }
      if (any !== null) next = any;
    }
    depth = next === undefined ? (depths.pop() ?? 0) : depth + 1;
    node = next ?? waiting.pop();
  }
}

/** Without recursion, as `matchTokens`. */
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
    if (node.any !== null) levels.push([node.any].values());
  }
}

function* itemsOf<T>(bag: Bag<T>): Generator<T> {
  if (bag instanceof Set) yield* bag;
  else if (bag !== null) yield bag;
}
