/** The value types that only the cluster block has: permissions of routes, and compression. */

import { readBlock } from "./block.ts";
import type { Compression, CompressionMode, RoutePermissions, SubjectRules } from "./config.ts";
import { durationFromText } from "./duration.ts";
import { ConfError, type ConfNode } from "./nats-conf/node.ts";
import { formatNode, mismatch, stringOf, stringsOf, type ValueType } from "./value-type.ts";

export const routePermissions: ValueType<RoutePermissions> = {
  name: "block",
  fromNode(node) {
    if (node.kind !== "map") mismatch(node, "a block, as in {import: [a.>], export: {deny: [b]}}");
    const rules: { import: SubjectRules | null; export: SubjectRules | null } = {
      import: null,
      export: null,
    };
    const readImport = (value: ConfNode): void => void (rules.import = readRules(value));
    const readExport = (value: ConfNode): void => void (rules.export = readRules(value));
    readBlock(
      node,
      // nats-server reads both with its rules for users, where import is called publish and export subscribe.
      {
        import: readImport,
        pub: readImport,
        publish: readImport,
        export: readExport,
        sub: readExport,
        subscribe: readExport,
      },
      ["allow_responses", "publish_allow_responses"],
    );
    return rules;
  },
  nodeFromText: formatNode,
  show: (value) => JSON.stringify(value),
};

function readRules(node: ConfNode): SubjectRules | null {
  if (node.kind !== "map") return { allow: readSubjects(node), deny: [] };
  if (node.entries.size === 0) return null;
  const rules: { allow: string[] | null; deny: string[] } = { allow: null, deny: [] };
  readBlock(node, {
    allow: (value) => void (rules.allow = readSubjects(value)),
    deny: (value) => void (rules.deny = readSubjects(value)),
  });
  return rules;
}

function readSubjects(node: ConfNode): string[] {
  const subjects = stringsOf(node, "a subject or a list of subjects");
  const bad = subjects.findIndex((subject) => !isSubject(subject));
  if (bad !== -1) {
    const at = node.kind === "array" ? (node.items[bad]?.at ?? node.at) : node.at;
    throw new ConfError(at, "expected a subject as in a.b, a.* or a.>");
  }
  return subjects;
}

function isSubject(subject: string): boolean {
  const tokens = subject.split(".");
  return (
    !/\s/.test(subject) &&
    tokens.every((token, i) => token !== "" && (token !== ">" || i === tokens.length - 1))
  );
}

const MODES: Readonly<Record<string, CompressionMode>> = {
  "not supported": "not supported",
  not_supported: "not supported",
  off: "off",
  disabled: "off",
  false: "off",
  accept: "accept",
  // A bare "on" between routes means the fast level; between leaf nodes it would mean auto.
  on: "s2_fast",
  enabled: "s2_fast",
  true: "s2_fast",
  auto: "s2_auto",
  s2_auto: "s2_auto",
  fast: "s2_fast",
  s2_fast: "s2_fast",
  better: "s2_better",
  s2_better: "s2_better",
  best: "s2_best",
  s2_best: "s2_best",
};

const AUTO_THRESHOLDS_MS = [10, 50, 100];
const THRESHOLDS_MAX = 4;
const EXPECTED_MODE =
  "a compression mode: off, accept, s2_fast, s2_better, s2_best, s2_auto or a block {mode, rtt_thresholds}";

export const compression: ValueType<Compression> = {
  name: "mode or block",
  fromNode(node) {
    if (node.kind !== "map") return withThresholds(readMode(node), null);
    let mode: CompressionMode = "accept";
    let thresholds: ConfNode | null = null;
    const readThresholds = (value: ConfNode): void => void (thresholds = value);
    readBlock(node, {
      mode: (value) => void (mode = readMode(value)),
      rtt_thresholds: readThresholds,
      thresholds: readThresholds,
      rtts: readThresholds,
      rtt: readThresholds,
    });
    return withThresholds(mode, thresholds);
  },
  nodeFromText: (value, at) =>
    value.trim().startsWith("{") ? formatNode(value, at) : { kind: "string", value, at },
  show: ({ mode }) => mode,
};

function readMode(node: ConfNode): CompressionMode {
  const word = node.kind === "bool" ? String(node.value) : stringOf(node, EXPECTED_MODE);
  const mode = Object.hasOwn(MODES, word.toLowerCase()) ? MODES[word.toLowerCase()] : undefined;
  if (mode === undefined) throw new ConfError(node.at, `expected ${EXPECTED_MODE}`);
  return mode;
}

function withThresholds(mode: CompressionMode, node: ConfNode | null): Compression {
  if (mode !== "s2_auto") return { mode, rttThresholdsMs: [] };
  return { mode, rttThresholdsMs: node === null ? AUTO_THRESHOLDS_MS : readThresholds(node) };
}

/** Ascending, at most four, at least one above 0; a 0 in between skips a level, zeros at the end say nothing. */
function readThresholds(node: ConfNode): number[] {
  const expected = `1 to ${THRESHOLDS_MAX} round-trip times in ascending order, as in ["10ms", "50ms", "100ms"]`;
  if (node.kind !== "array") mismatch(node, expected);
  const times = node.items.map((item) => {
    const ms = durationFromText(stringOf(item, "a duration"));
    if (ms === null) throw new ConfError(item.at, 'expected a duration such as "10ms"');
    return Math.max(0, ms);
  });
  while (times.at(-1) === 0) times.pop();
  const levels = times.filter((ms) => ms !== 0);
  const isAscending = levels.every((ms, i) => i === 0 || ms >= (levels[i - 1] ?? 0));
  if (times.length === 0 || times.length > THRESHOLDS_MAX || !isAscending) {
    throw new ConfError(node.at, `expected ${expected}`);
  }
  return times;
}
