/** Agreeing on compression, before the peer's first INFO is acted on: trunk/compression.ts says how it goes. */
import * as errors from "../../protocol/errors.ts";
import type { Agreement } from "../trunk/compression.ts";
import type { RouteHost } from "./host.ts";

/** A route as this file sees it. */
interface AgreeingRoute {
  readonly compression: Agreement;
  readonly direction: "accepted" | "dialled";
  readonly startedMs: number;
  readonly outbox: { readonly pendingBytes: number };
  readonly host: Pick<RouteHost, "clock" | "agreementLine">;
  say(line: string): void;
  onPeerError(error: errors.PeerError, detail: string): boolean;
}

/** "wait": the peer says INFO once more, packed, which then counts as its first; "closed": it has told of a mode that does not exist. */
export function agreeOnCompression(
  session: AgreeingRoute,
  info: Readonly<Record<string, unknown>>,
): "go on" | "wait" | "closed" {
  const { compression, host, outbox } = session;
  const said = info["compression"];
  const told = typeof said === "string" ? said : "";
  const outcome = compression.hear(told, host.clock.nowMs() - session.startedMs);
  if (outcome === "plain") return "go on";
  if (outcome === "unknown") {
    session.onPeerError(errors.unknownCompression(told), "");
    return "closed";
  }
  const isDialled = session.direction === "dialled";
  // What the dialler says of it is its last word in plaintext, and that of the other side its first one that is packed.
  if (!isDialled) compression.begin(outbox.pendingBytes);
  session.say(host.agreementLine(compression.told));
  if (isDialled) compression.begin(outbox.pendingBytes);
  return "wait";
}
