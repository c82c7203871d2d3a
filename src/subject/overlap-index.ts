/**
 * Finds patterns that meet another pattern: a tree of their tokens, so that the work grows with what a pattern may meet and not with how
 * many there are. Each pattern belongs to one owner.
 *
 * Invariant: a node without patterns and without children is not there.
 */
import { assert } from "../base/assert.ts";

interface Node<T> {
  readonly children: Map<string, Node<T>>;
  /** Owners of the patterns that end here. */
  readonly owners: Set<T>;
}

function newNode<T>(): Node<T> {
  return { children: new Map(), owners: new Set() };
}

export class OverlapIndex<T> {
  private readonly root = newNode<T>();

  add(pattern: string, owner: T): void {
    let node = this.root;
    for (const token of pattern.split(".")) {
      let child = node.children.get(token);
      if (child === undefined) node.children.set(token, (child = newNode()));
      node = child;
    }
    node.owners.add(owner);
  }

  remove(pattern: string, owner: T): void {
    const path: [Node<T>, string][] = [];
    let node = this.root;
    for (const token of pattern.split(".")) {
      path.push([node, token]);
      const child = node.children.get(token);
      assert(child !== undefined, "a pattern that is removed has been added");
      node = child;
    }
    node.owners.delete(owner);
    for (const [parent, token] of path.toReversed()) {
      const child = parent.children.get(token)!;
      if (child.owners.size > 0 || child.children.size > 0) return;
      parent.children.delete(token);
    }
  }

  /** Whether a pattern of another owner can cover a subject that this one covers, too. */
  meets(pattern: string, owner: T): boolean {
    return meetsBelow(this.root, pattern.split("."), 0, owner);
  }
}

function meetsBelow<T>(node: Node<T>, tokens: readonly string[], at: number, owner: T): boolean {
  if (at === tokens.length) return hasOther(node.owners, owner);
  const token = tokens[at]!;
  if (token === ">") return [...node.children.values()].some((child) => hasAny(child, owner));
  const rest = node.children.get(">");
  if (rest !== undefined && hasOther(rest.owners, owner)) return true;
  if (token === "*") {
    for (const [name, child] of node.children)
      if (name !== ">" && meetsBelow(child, tokens, at + 1, owner)) return true;
    return false;
  }
  for (const name of [token, "*"]) {
    const child = node.children.get(name);
    if (child !== undefined && meetsBelow(child, tokens, at + 1, owner)) return true;
  }
  return false;
}

function hasAny<T>(node: Node<T>, owner: T): boolean {
  if (hasOther(node.owners, owner)) return true;
  for (const child of node.children.values()) if (hasAny(child, owner)) return true;
  return false;
}

function hasOther<T>(owners: ReadonlySet<T>, owner: T): boolean {
  return owners.size > 1 || (owners.size === 1 && !owners.has(owner));
}
