/**
 * Requests that a server has held and that another one is to answer: that one may have left them to a former leader when they came. Sent
 * to all; those that neither lead what it is about nor are about to leave it alone.
 *
 *     {"subject", "payload", "client", "account", "level", "identity"} ─▶ $SHOAL.API.AGAIN      the answer ─▶ inbox of the client
 */
import type { GroupTransport } from "../group/group.ts";
import type { ClusterRequest } from "./cluster-request.ts";

const AGAIN = "$SHOAL.API.AGAIN";

/** As it came. */
export type PassedRequest = Omit<ClusterRequest, "found">;

export function passOn(transport: GroupTransport, request: ClusterRequest): void {
  const { subject, reply, payload, client, account, level, identity } = request;
  const text = JSON.stringify({ subject, payload, client, account, level, identity });
  transport.send(AGAIN, reply, Buffer.from(text, "latin1"));
}

export function hearPassedOn(transport: GroupTransport, take: (request: PassedRequest) => void): Disposable {
  return transport.listen(AGAIN, (_subject, reply, payload) => {
    const request = readRequest(payload, reply);
    if (request !== null) take(request);
  });
}

/** null: it cannot be read. */
function readRequest(bytes: Uint8Array, reply: string): PassedRequest | null {
  try {
    const json = JSON.parse(Buffer.from(bytes).toString("latin1")) as Partial<PassedRequest>;
    const { subject, payload, client, account, level, identity } = json;
    if (typeof subject !== "string" || typeof payload !== "string" || typeof account !== "string")
      return null;
    if (typeof client !== "object" || typeof level !== "number" || typeof identity !== "string") return null;
    return { subject, reply, payload, client, account, level, identity };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return null;
    throw error;
  }
}
