/** Agreeing on compression, before the peer's first INFO is acted on: trunk/compression.ts says how it goes. */
import * as errors from "../../protocol/errors.ts";
import type { RouteSession } from "./session.ts";

/** "wait": the peer says INFO once more, packed, which then counts as its first; "closed": it has told of a mode that does not exist. */
export function agreeOnCompression(
  session: RouteSession,
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
