/**
 * The phase that a connection is in, from its first byte to its end:
 *
 *     negotiating -> greeted -> deciding -> open -> recalled -> …        a client; `trusted` in place of `greeted` where nobody
 *                    trusted -> open                                     has to say who it is
 *                    greeted -> open -> confirmed                        a route
 *     any of these -> leaving -> closed                                  `leaving` is left out where the connection ends at once
 *
 * Phases without data are singletons, so that the hot path compares pointers.
 */
import { assertOwn } from "../../base/assert.ts";
import type { CloseCause } from "../../protocol/close-cause.ts";

/** How the peer stands while bytes come from it. */
export type Standing =
  /** TLS is agreed on; nothing is read yet. */
  | { readonly kind: "negotiating" }
  /** It has to say CONNECT before anything else. */
  | { readonly kind: "greeted" }
  /** It has not said CONNECT, and need not. */
  | { readonly kind: "trusted" }
  /** The answer to its CONNECT takes its time: what it sends is kept until then. */
  | { readonly kind: "deciding"; readonly before: Standing }
  /** Its CONNECT was accepted, or this server dialled. */
  | { readonly kind: "open" }
  /** A route whose peer has answered since it was registered. */
  | { readonly kind: "confirmed" }
  /** It was admitted while nobody was asked, and has to say CONNECT again. */
  | { readonly kind: "recalled" };

export type Phase =
  | Standing
  /** This server says no more; the peer may still send, until it has ended its side, too. */
  | { readonly kind: "leaving"; readonly cause: CloseCause; readonly standing: Standing }
  | { readonly kind: "closed"; readonly cause: CloseCause };

export const NEGOTIATING: Standing = { kind: "negotiating" };
export const GREETED: Standing = { kind: "greeted" };
export const TRUSTED: Standing = { kind: "trusted" };
export const OPEN: Standing = { kind: "open" };
export const CONFIRMED: Standing = { kind: "confirmed" };
export const RECALLED: Standing = { kind: "recalled" };

/** null: the connection has ended. */
export function standingIn(phase: Phase): Standing | null {
  if (phase.kind === "closed") return null;
  return phase.kind === "leaving" ? phase.standing : phase;
}

/** The phase after `phase` in which the peer stands otherwise; who is leaving still is. */
export function withStanding(phase: Phase, standing: Standing): Phase {
  assertOwn(phase.kind !== "closed", "a connection that has ended has no standing any more");
  return phase.kind === "leaving" ? { ...phase, standing } : standing;
}

/** Whether its CONNECT was accepted at some time. */
export function isIntroduced(standing: Standing | null): boolean {
  switch (standing?.kind) {
    case "open":
    case "confirmed":
    case "recalled":
      return true;
    case "deciding":
      return isIntroduced(standing.before);
    default:
      return false;
  }
}

/** Whether it may act without a CONNECT. */
export function isAdmitted(standing: Standing | null): boolean {
  switch (standing?.kind) {
    case "trusted":
    case "open":
    case "confirmed":
      return true;
    case "deciding":
      return isAdmitted(standing.before);
    default:
      return false;
  }
}
