/** The value types of the compression of routes and of leaf connections, which differ in what "on" means. */
import { assert } from "../../base/assert.ts";
import { durationFromText } from "../../base/duration.ts";
import { ConfError, type ConfNode } from "../formats/nats-conf/node.ts";
import { field, record } from "./record.ts";
import { formatNode, mismatch, stringOf, type ValueType } from "./value-type.ts";

export interface Compression {
  readonly mode: CompressionMode;
  /** For s2_auto: the round-trip times at which the next stronger level begins. */
  readonly rttThresholdsMs: readonly number[];
}

type CompressionMode = "not supported" | "off" | "accept" | "s2_auto" | "s2_fast" | "s2_better" | "s2_best";

const MODES: Readonly<Record<string, CompressionMode | "on">> = {
  "not supported": "not supported",
  not_supported: "not supported",
  off: "off",
  disabled: "off",
  false: "off",
  accept: "accept",
  on: "on",
  enabled: "on",
  true: "on",
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
assert(AUTO_THRESHOLDS_MS.length <= THRESHOLDS_MAX, "the default thresholds are within their bound");
const EXPECTED_MODE =
  "a compression mode: off, accept, s2_fast, s2_better, s2_best, s2_auto or a block {mode, rtt_thresholds}";

const compressionBlock = record(
  {
    mode: field("mode", readMode, "accept"),
    thresholds: field("rtt_thresholds thresholds rtts rtt", (node): ConfNode | null => node, null),
  },
  { expected: EXPECTED_MODE },
);

/** Of routes. */
export const compression = compressionType("s2_fast");
export const leafCompression = compressionType("s2_auto");
/** Without the key. */
export const LEAF_COMPRESSION: Compression = { mode: "s2_auto", rttThresholdsMs: AUTO_THRESHOLDS_MS };

function compressionType(modeForOn: CompressionMode): ValueType<Compression> {
  return {
    name: "mode or block",
    fromNode(node, notes) {
      if (node.kind !== "map") return withThresholds(meantBy(readMode(node), modeForOn), null);
      const { mode, thresholds } = compressionBlock(node, notes);
      return withThresholds(meantBy(mode, modeForOn), thresholds);
    },
    nodeFromText: (value, at) =>
      value.trim().startsWith("{") ? formatNode(value, at) : { kind: "string", value, at },
    show: ({ mode }) => mode,
  };
}

function meantBy(mode: CompressionMode | "on", modeForOn: CompressionMode): CompressionMode {
  return mode === "on" ? modeForOn : mode;
}

function readMode(node: ConfNode): CompressionMode | "on" {
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
