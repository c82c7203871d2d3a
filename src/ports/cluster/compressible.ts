/** Wires of routes that may be compressed. */
import { isWanted, type CompressionTerms } from "../../links/trunk/compression.ts";
import type { RouteDirection } from "../../links/route/session.ts";
import type { S2Wires } from "../../transport/s2-wire.ts";
import type { Wire } from "../../transport/wire.ts";

/** A server that dials may tell its interest in the write that makes it a member; nats-server's blocks have up to this length. */
const STRANGER_MAX_BYTES = 1024 * 1024;

export function compressible(
  wire: Wire,
  direction: RouteDirection,
  s2: S2Wires,
  { mode }: CompressionTerms,
): Wire {
  if (!isWanted(mode)) return wire;
  return s2.over(wire, direction === "dialled" ? Infinity : STRANGER_MAX_BYTES);
}
