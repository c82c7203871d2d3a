/**
 * Reads the NATS configuration format (JSON is a part of it) into a tree of nodes with positions. Reads no file and no
 * environment itself: both come through ParseContext.
 *
 * It accepts what nats-server 2.15 accepts (`-t`, and its digest of the values). Kinder on purpose: `[1]` without a
 * space, a `,` after a new line in a list, `key{`, the escapes of JSON, durations such as 1.5s. Stricter on purpose: an
 * opened `{` must be closed, sizes must fit in 64 bits, a key needs a value.
 */
import { atOnce, PieceLength, type Pieces } from "../../../base/pieces.ts";
import { Cursor } from "./cursor.ts";
import { NESTING_DEPTH_MAX, type Budget } from "./limits.ts";
import { ConfError, nodeSize, type ConfEntry, type ConfNode, type MapNode, type SourceText } from "./node.ts";
import { scalarFromWord, variableName } from "./scalars.ts";

export interface ParseContext {
  readonly budget: Budget;
  /** Reads the file that an `include` names; throws ConfError. */
  include(path: string, at: ConfNode["at"]): Pieces<MapNode>;
  /** The text of an environment variable, for `$NAME` that no block defines. */
  environment(name: string): string | undefined;
}

/** In pieces, since a file may have hundreds of thousands of values. */
export function parseConf(source: SourceText, context: ParseContext): Pieces<MapNode> {
  return new Parser(source, context, new Set()).parseDocument();
}

/** Reads one value: what an environment variable or a flag holds. */
export function parseConfValue(source: SourceText, context: ParseContext): ConfNode {
  return new Parser(source, context, new Set()).parseOnlyValue();
}

type Scope = Map<string, ConfEntry>;

class Parser {
  private readonly cursor: Cursor;
  private readonly context: ParseContext;
  /** The blocks being read, outermost first: where `$name` is looked up. */
  private readonly scopes: Scope[] = [];
  /** Environment variables being expanded, against cycles. */
  private readonly expanding: Set<string>;
  private depth = 0;
  private readonly pace = new PieceLength();

  constructor(source: SourceText, context: ParseContext, expanding: Set<string>) {
    this.cursor = new Cursor(source);
    this.context = context;
    this.expanding = expanding;
  }

  *parseDocument(): Pieces<MapNode> {
    const at = this.cursor.at();
    const scope: Scope = new Map();
    this.scopes.push(scope);
    yield* this.parseEntries(scope, null);
    return this.mapNode(scope, at);
  }

  parseOnlyValue(): ConfNode {
    this.cursor.skipSpace();
    const node = atOnce(this.parseValue());
    this.cursor.skipSpace();
    if (!this.cursor.isAtEnd()) this.cursor.fail("only one value");
    return node;
  }

  /** Reads entries up to the `}` of the block opened at `open`, or up to the end of the text. */
  private *parseEntries(scope: Scope, open: number | null): Pieces<void> {
    const { cursor } = this;
    for (;;) {
      cursor.skipSpaceAndComments();
      if (cursor.isAtEnd()) {
        if (open === null) return;
        throw new ConfError(
          cursor.at(open),
          "expected a '}' to close this block, but the text ends without it",
        );
      }
      if (cursor.peek() === "}") {
        this.parseClosingBrace(open);
        return;
      }
      if (cursor.peek() === "{" && this.scopes.length === 1) yield* this.parseBareBlock(scope);
      else yield* this.parseEntry(scope, open !== null);
      this.parseEntryEnd();
    }
  }

  /** A `}` too many is forgiven at the very end, as nats-server does. */
  private parseClosingBrace(open: number | null): void {
    const brace = this.cursor.offset;
    this.cursor.offset++;
    if (open !== null) return;
    this.cursor.skipSpaceAndComments();
    if (!this.cursor.isAtEnd()) this.cursor.fail("a key, as no block is open here", brace);
  }

  /** `{ … }` without a key, as JSON has it around everything: its entries belong to the block around it. */
  private *parseBareBlock(scope: Scope): Pieces<void> {
    const open = this.cursor.offset;
    this.cursor.offset++;
    yield* this.nest(this.parseEntries(scope, open));
  }

  private parseEntryEnd(): void {
    const { cursor } = this;
    cursor.skipInlineSpace();
    if (cursor.skipComment() || cursor.isAtEnd()) return;
    const char = cursor.peek();
    if (char === "," || char === ";" || char === "\n" || char === "\r") cursor.offset++;
    else if (char !== "}") cursor.fail("a new line, ',', ';' or '}' after the value");
  }

  private *parseEntry(scope: Scope, isNested: boolean): Pieces<void> {
    const { cursor } = this;
    const keyAt = cursor.at();
    const isQuoted = /["']/.test(cursor.peek());
    const key = cursor.takeKey();
    if (key === "" && !isQuoted) cursor.fail("a key");
    if (!isQuoted && key.toLowerCase() === "include" && /[ \t]/.test(cursor.peek())) {
      yield* this.parseInclude(scope, keyAt);
      return;
    }
    this.parseKeyEnd(isNested);
    this.define(scope, { key, keyAt, node: yield* this.parseValue(), usedAsVariable: false });
  }

  /** `:`, `=` or white space. Outside of blocks a value must not start on the line after a separator. */
  private parseKeyEnd(isNested: boolean): void {
    const { cursor } = this;
    cursor.skipSpace();
    const char = cursor.peek();
    if (char !== ":" && char !== "=") return;
    cursor.offset++;
    if (isNested) cursor.skipSpace();
    else cursor.skipInlineSpace();
  }

  private *parseInclude(scope: Scope, at: ConfNode["at"]): Pieces<void> {
    const { cursor } = this;
    cursor.skipInlineSpace();
    const quote = cursor.peek();
    const path =
      quote === '"'
        ? cursor.takeDoubleQuoted()
        : quote === "'"
          ? cursor.takeSingleQuoted()
          : cursor.takeWord().text;
    if (path === "") cursor.fail("a file name to include");
    const { entries } = yield* this.context.include(path, at);
    for (const entry of entries.values()) this.define(scope, entry);
  }

  /** The last of two entries with one key wins, as in nats-server, and takes its place in the order. */
  private define(scope: Scope, entry: ConfEntry): void {
    scope.delete(entry.key);
    scope.set(entry.key, entry);
  }

  private *parseValue(): Pieces<ConfNode> {
    const { cursor } = this;
    const at = cursor.at();
    this.spend(1, at);
    if (this.pace.isOver()) yield;
    switch (cursor.peek()) {
      case "{":
        return yield* this.parseMap();
      case "[":
        return yield* this.parseArray();
      case '"':
        return { kind: "string", value: cursor.takeDoubleQuoted(), at };
      case "'":
        return { kind: "string", value: cursor.takeSingleQuoted(), at };
      case "(":
        return { kind: "string", value: cursor.takeTextBlock(), at };
      default:
        return this.parseWord();
    }
  }

  private *parseMap(): Pieces<MapNode> {
    const at = this.cursor.at();
    const open = this.cursor.offset;
    const scope: Scope = new Map();
    this.cursor.offset++;
    this.scopes.push(scope);
    yield* this.nest(this.parseEntries(scope, open));
    this.scopes.pop();
    return this.mapNode(scope, at);
  }

  private *parseArray(): Pieces<ConfNode> {
    const { cursor } = this;
    const at = cursor.at();
    const items: ConfNode[] = [];
    cursor.offset++;
    cursor.skipSpaceAndComments();
    yield* this.nest(this.parseItems(items));
    cursor.offset++;
    return { kind: "array", items, size: sumSizes(items), at };
  }

  private *parseItems(items: ConfNode[]): Pieces<void> {
    while (this.cursor.peek() !== "]") {
      items.push(yield* this.parseValue());
      this.parseItemEnd();
    }
  }

  private parseItemEnd(): void {
    const { cursor } = this;
    const before = cursor.offset;
    cursor.skipSpaceAndComments();
    const hasNewLine = /[\r\n]/.test(cursor.source.text.slice(before, cursor.offset));
    if (cursor.peek() === ",") cursor.offset++;
    else if (cursor.peek() !== "]" && (!hasNewLine || cursor.isAtEnd()))
      cursor.fail("',' or ']' in the list");
    cursor.skipSpaceAndComments();
  }

  private parseWord(): ConfNode {
    const { cursor } = this;
    const at = cursor.at();
    const word = cursor.takeWord();
    if (word.text === "" && word.isPlain) cursor.fail("a value");
    if (!word.isPlain) return { kind: "string", value: word.text, at };
    const name = variableName(word.text);
    return name === null ? scalarFromWord(word.text, at) : this.expand(name, at);
  }

  private expand(name: string, at: ConfNode["at"]): ConfNode {
    for (const scope of this.scopes.toReversed()) {
      const entry = scope.get(name);
      if (entry === undefined) continue;
      entry.usedAsVariable = true;
      this.spend(nodeSize(entry.node), at);
      return { ...entry.node, at };
    }
    const text = this.context.environment(name);
    if (text === undefined) {
      throw new ConfError(
        at,
        `variable $${name} is not defined, neither before this line nor in the environment`,
      );
    }
    return { ...this.expandText(name, text, at), at };
  }

  private expandText(name: string, text: string, at: ConfNode["at"]): ConfNode {
    if (this.expanding.has(name)) throw new ConfError(at, `variable $${name} refers to itself`);
    if (text.trim() === "") return { kind: "string", value: "", at };
    this.expanding.add(name);
    try {
      return new Parser({ name, text }, this.context, this.expanding).parseOnlyValue();
    } catch (error) {
      if (!(error instanceof ConfError)) throw error;
      // The details are left out: they may quote a secret.
      throw new ConfError(
        at,
        `environment variable ${name} does not hold exactly one value; a string with spaces needs quotes inside it`,
      );
    } finally {
      this.expanding.delete(name);
    }
  }

  private mapNode(scope: Scope, at: ConfNode["at"]): MapNode {
    return {
      kind: "map",
      entries: scope,
      size: sumSizes([...scope.values()].map((entry) => entry.node)),
      at,
    };
  }

  private *nest(parsing: Pieces<void>): Pieces<void> {
    if (++this.depth > NESTING_DEPTH_MAX) {
      throw new ConfError(this.cursor.at(), `nested too deep: at most ${NESTING_DEPTH_MAX} levels are read`);
    }
    yield* parsing;
    this.depth--;
  }

  private spend(values: number, at: ConfNode["at"]): void {
    this.context.budget.values -= values;
    if (this.context.budget.values < 0) throw new ConfError(at, "too many values in one configuration");
  }
}

function sumSizes(nodes: readonly ConfNode[]): number {
  return nodes.reduce((sum, node) => sum + nodeSize(node), 1);
}
