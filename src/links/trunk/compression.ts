/**
 * Compression between servers, as nats-server agrees on it: each side says its mode in INFO. Where both want it, each sends one more INFO: that of the
 * dialler is the last of its words in plaintext, that of the other side the first of its words that are packed. Each side chooses how hard it packs.
 */
import { assertOwn } from "../../base/assert.ts";
import type { Wire, WireFraming } from "../../transport/wire.ts";

/** As the configuration and INFO name them. */
export type CompressionMode =
  "not supported" | "off" | "accept" | "s2_auto" | "s2_uncompressed" | "s2_fast" | "s2_better" | "s2_best";

export interface CompressionTerms {
  readonly mode: CompressionMode;
  /** For s2_auto: up to these round trips a level is used, and beyond them the next one; 0: that level is left out. */
  readonly rttThresholdsMs: readonly number[];
}

const MODES: ReadonlySet<string> = new Set<CompressionMode>([
  "off",
  "accept",
  "s2_auto",
  "s2_uncompressed",
  "s2_fast",
  "s2_better",
  "s2_best",
]);
const AUTO_LEVELS = ["s2_uncompressed", "s2_fast", "s2_better", "s2_best"] as const;

/** Whether there is something to agree on. */
export function isWanted(mode: CompressionMode): boolean {
  return mode !== "off" && mode !== "not supported";
}

/** What this side does, whose mode is `own`, with a peer that has said `told` ("": nothing); null: that is no mode. */
export function agreedMode(own: CompressionMode, told: string): CompressionMode | null {
  if (told === "" || told === "not supported") return "not supported";
  if (!MODES.has(told)) return null;
  if (told === "off") return "off";
  if (own !== "accept") return own;
  if (told === "accept") return "off";
  return told === "s2_auto" ? "s2_fast" : (told as CompressionMode);
}

/** The mode in force for a round trip: the level of `s2_auto`, any other one as it is. */
export function modeFor(
  mode: CompressionMode,
  thresholdsMs: readonly number[],
  roundTripMs: number,
): CompressionMode {
  if (mode !== "s2_auto") return mode;
  const found = thresholdsMs.findIndex((ms) => roundTripMs <= ms);
  const beyond =
    thresholdsMs.length >= AUTO_LEVELS.length - 1 ? AUTO_LEVELS.length - 1 : thresholdsMs.length - 1;
  return AUTO_LEVELS[Math.min(found < 0 ? beyond : found, AUTO_LEVELS.length - 1)] ?? "s2_best";
}

/** null: bytes pass as they are. */
function framingOf(mode: CompressionMode): WireFraming | null {
  switch (mode) {
    case "s2_uncompressed":
      return "uncompressed";
    case "s2_fast":
      return "fast";
    case "s2_better":
      return "better";
    case "s2_best":
      return "best";
    default:
      return null;
  }
}

/** What one connection has agreed on. */
export class Agreement {
  /** The mode or level in force, as monitoring shows it. */
  mode: CompressionMode = "not supported";
  /** The configured mode that `mode` follows from. */
  private own: CompressionMode = "not supported";
  private isSettled = false;
  private readonly wire: Wire;
  private readonly terms: () => CompressionTerms;

  constructor(wire: Wire, terms: () => CompressionTerms) {
    this.wire = wire;
    this.terms = terms;
  }

  /**
   * The peer's first INFO has told its mode. "packed": the peer has yet to hear of it, and `begin` is to be called; "unknown": the peer told
   * of a mode that does not exist. What comes later changes nothing.
   */
  hear(told: string, roundTripMs: number): "plain" | "packed" | "unknown" {
    if (this.isSettled) return "plain";
    this.isSettled = true;
    const { mode: own, rttThresholdsMs } = this.terms();
    this.own = own;
    const isOff = this.wire.compress === undefined || !isWanted(own);
    const agreed = agreedMode(isOff && own !== "not supported" ? "off" : own, told);
    if (agreed === null) return "unknown";
    this.mode = modeFor(agreed, rttThresholdsMs, roundTripMs);
    return framingOf(this.mode) === null ? "plain" : "packed";
  }

  /** What the first INFO offers; "": nothing, since the wire cannot, or the configuration does not want it known. */
  get offered(): string {
    const { mode } = this.terms();
    if (mode === "not supported") return "";
    return isWanted(mode) && this.wire.compress === undefined ? "" : mode;
  }

  /** The peer tells its mode where there is nothing to agree on any more. */
  settle(told: string): void {
    if (!this.isSettled) this.mode = told === "" || told === "not supported" ? "not supported" : "off";
    this.isSettled = true;
    this.own = this.terms().mode;
  }

  /** What the peer is told in the INFO that concludes the agreement. */
  get told(): CompressionMode {
    return this.terms().mode === "s2_auto" ? "s2_auto" : this.mode;
  }

  /** Packs what is said behind the next `plainBytes`. */
  begin(plainBytes: number): void {
    const framing = framingOf(this.mode);
    assertOwn(framing !== null && this.wire.compress !== undefined, "a mode that packs was agreed on");
    this.wire.compress(framing, plainBytes);
  }

  /** The round trip has been measured. */
  followRoundTrip(roundTripMs: number): void {
    const { mode, rttThresholdsMs } = this.terms();
    if (mode !== "s2_auto" || framingOf(this.mode) === null) return;
    this.change(modeFor(mode, rttThresholdsMs, roundTripMs));
  }

  /** The configuration has changed. Returns whether the connection has to begin again to follow, as from nats-server. */
  mustBeginAgain(roundTripMs: number): boolean {
    const { mode } = this.terms();
    const isSame = mode === this.own;
    this.own = mode;
    if (isSame) this.followRoundTrip(roundTripMs);
    if (isSame || this.mode === "not supported" || this.mode === mode) return false;
    if (this.mode === "off" || framingOf(modeFor(mode, [], 0)) === null) return true;
    if (mode === "s2_auto") this.followRoundTrip(roundTripMs);
    else this.change(mode);
    return false;
  }

  private change(mode: CompressionMode): void {
    if (mode === this.mode) return;
    this.mode = mode;
    this.begin(0);
  }
}
