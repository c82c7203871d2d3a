/**
 * Reads YAML with the keys of the NATS format into the same tree. Unquoted scalars mean what the same word means in the
 * NATS format (1MB, yes, $NAME), quoted ones are strings. A key without a value counts as not written.
 *
 * Not supported: several documents, tags, merge keys. Messages of the YAML package are not passed on, since they can
 * quote the text.
 */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  Parser,
  type CST,
  type Document,
  type Node,
  type Scalar,
  type YAMLMap,
} from "yaml";

import { PieceLength, type Pieces } from "../../base/pieces.ts";
import { NESTING_DEPTH_MAX } from "./nats-conf/limits.ts";
import {
  ConfError,
  nodeSize,
  type ConfEntry,
  type ConfNode,
  type MapNode,
  type SourceText,
} from "./nats-conf/node.ts";
import { parseConfValue, type ParseContext } from "./nats-conf/parser.ts";
import { scalarFromWord, variableName } from "./nats-conf/scalars.ts";
import { composeYaml, type Composed } from "./yaml-composer.ts";

export function* parseYaml(source: SourceText, context: ParseContext): Pieces<MapNode> {
  const root = (yield* composeDocument(source, yield* parseTokens(source))).contents;
  yield;
  if (root === null || (isScalar(root) && root.value === "")) return emptyMap(source);
  const reader = new YamlReader(source, context);
  if (!isMap(root)) throw new ConfError(reader.at(root), "expected keys with values at the top of the file");
  return yield* reader.readMap(root, 0);
}

function* parseTokens({ text }: SourceText): Pieces<CST.Token[]> {
  const pace = new PieceLength();
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  for (const lexeme of new Lexer().lex(text)) {
    tokens.push(...parser.next(lexeme));
    if (pace.isOver()) yield;
  }
  tokens.push(...parser.end());
  return tokens;
}

function* composeDocument(source: SourceText, tokens: readonly CST.Token[]): Pieces<Document> {
  const { document, secondAt, errors } = yield* compose(source, tokens);
  const [error] = errors;
  if (error === undefined && secondAt === null) return document;
  const what = error?.code.toLowerCase().replaceAll("_", " ") ?? "multiple docs";
  throw new ConfError(
    offsetOf(source, error?.pos[0] ?? secondAt ?? 0),
    `expected one valid YAML document (${what})`,
  );
}

function* compose(source: SourceText, tokens: readonly CST.Token[]): Pieces<Composed> {
  try {
    return yield* composeYaml(tokens, source.text.length);
  } catch (error) {
    // The composer is recursive; nothing else of it is known to throw.
    if (error instanceof RangeError) throw new ConfError(offsetOf(source, 0), "nested too deep");
    throw error;
  }
}

class YamlReader {
  private readonly source: SourceText;
  private readonly context: ParseContext;
  /** What `&name` stands for, so far. */
  private readonly anchors = new Map<string, ConfNode>();
  private readonly scopes: Map<string, ConfEntry>[] = [];
  private readonly pace = new PieceLength();

  constructor(source: SourceText, context: ParseContext) {
    this.source = source;
    this.context = context;
  }

  at(node: Node): ConfNode["at"] {
    return offsetOf(this.source, node.range?.[0] ?? 0);
  }

  *readMap(map: YAMLMap, depth: number): Pieces<MapNode> {
    this.checkDepth(map, depth);
    const entries = new Map<string, ConfEntry>();
    this.scopes.push(entries);
    let size = 1;
    for (const { key, value } of map.items) {
      const entry = yield* this.readEntry(map, key, value, depth);
      if (entry === null) continue;
      if (entries.has(entry.key)) throw new ConfError(entry.keyAt, "this key is already in the same block");
      entries.set(entry.key, entry);
      size += nodeSize(entry.node);
    }
    this.scopes.pop();
    return { kind: "map", entries, size, at: this.at(map) };
  }

  private *readEntry(map: YAMLMap, key: unknown, value: unknown, depth: number): Pieces<ConfEntry | null> {
    if (!isScalar(key) || typeof key.value !== "string" || key.tag !== undefined) {
      throw new ConfError(this.at(map), "expected keys that are plain words");
    }
    if (value === null || value === undefined || isEmptyScalar(value)) return null;
    return {
      key: key.value,
      keyAt: this.at(key),
      node: yield* this.readNode(value, key, depth),
      usedAsVariable: false,
    };
  }

  private *readNode(node: unknown, near: Node, depth: number): Pieces<ConfNode> {
    if (this.pace.isOver()) yield;
    if (isAlias(node)) return this.readAlias(node.source, this.at(node));
    const read = yield* this.readPlainNode(node, near, depth);
    if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor !== undefined) {
      this.anchors.set(node.anchor, read);
    }
    return read;
  }

  private *readPlainNode(node: unknown, near: Node, depth: number): Pieces<ConfNode> {
    if (isMap(node)) {
      this.refuseTag(node);
      return yield* this.readMap(node, depth + 1);
    }
    if (isSeq(node)) {
      this.refuseTag(node);
      this.checkDepth(node, depth);
      const items: ConfNode[] = [];
      for (const item of node.items) items.push(yield* this.readNode(item, node, depth + 1));
      return {
        kind: "array",
        items,
        size: items.reduce((sum, item) => sum + nodeSize(item), 1),
        at: this.at(node),
      };
    }
    if (isScalar(node)) return this.readScalar(node);
    throw new ConfError(this.at(near), "expected a value");
  }

  private readScalar(node: Scalar): ConfNode {
    const at = this.at(node);
    this.refuseTag(node);
    this.spend(1, at);
    const text = String(node.value);
    if (node.type !== "PLAIN") return { kind: "string", value: text, at };
    const name = variableName(text);
    return name === null ? scalarFromWord(text, at) : this.expand(name, at);
  }

  private expand(name: string, at: ConfNode["at"]): ConfNode {
    for (const scope of this.scopes.toReversed()) {
      const entry = scope.get(name);
      if (entry === undefined) continue;
      entry.usedAsVariable = true;
      this.spend(nodeSize(entry.node), at);
      return { ...entry.node, at };
    }
    // The rest of the rules (environment, cycles) is the NATS format's own.
    return { ...parseConfValue({ ...this.source, text: `$${name}` }, this.context), at };
  }

  private readAlias(name: string, at: ConfNode["at"]): ConfNode {
    const node = this.anchors.get(name);
    if (node === undefined) throw new ConfError(at, `expected *${name} to name an anchor before it`);
    this.spend(nodeSize(node), at);
    return { ...node, at };
  }

  private refuseTag(node: Node): void {
    if (node.tag !== undefined) throw new ConfError(this.at(node), "expected a value without a YAML tag");
  }

  private checkDepth(node: Node, depth: number): void {
    this.spend(1, this.at(node));
    if (depth > NESTING_DEPTH_MAX) {
      throw new ConfError(this.at(node), `nested too deep: at most ${NESTING_DEPTH_MAX} levels are read`);
    }
  }

  private spend(values: number, at: ConfNode["at"]): void {
    this.context.budget.values -= values;
    if (this.context.budget.values < 0) throw new ConfError(at, "too many values in one configuration");
  }
}

function isEmptyScalar(value: unknown): boolean {
  return isScalar(value) && value.type === "PLAIN" && ["", "~", "null"].includes(String(value.value));
}

function offsetOf(source: SourceText, offset: number): ConfNode["at"] {
  return { kind: "file", source, offset };
}

function emptyMap(source: SourceText): MapNode {
  return { kind: "map", entries: new Map(), size: 1, at: offsetOf(source, 0) };
}
