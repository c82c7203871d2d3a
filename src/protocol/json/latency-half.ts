/** What the server of a responder tells that of the requester: its half of a measured latency, in the field names of NATS. */
import { parseJson } from "../../base/json.ts";

/** `reply`: the reply subject of the request. The half itself is what its reader makes of it. */
interface LatencyHalf {
  readonly account: unknown;
  readonly reply: unknown;
  readonly half: unknown;
}

export function latencyHalfJson({ account, reply, half }: LatencyHalf): string {
  return JSON.stringify({ account, req_id: reply, m2: half });
}

/** null: it is no such thing. Fields are as the other server wrote them. */
export function readLatencyHalf(text: string): LatencyHalf | null {
  const parsed = parseJson(text);
  if (typeof parsed !== "object" || parsed === null) return null;
  const {
    account,
    req_id: reply,
    m2: half,
  } = parsed as { account?: unknown; req_id?: unknown; m2?: unknown };
  return { account, reply, half };
}
