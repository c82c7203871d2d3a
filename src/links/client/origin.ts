/** What other accounts are told of a client whose requests they serve, where that is shared with them. */
import type { ClientSession } from "./session.ts";

export function clientDetails(session: ClientSession): Readonly<Record<string, unknown>> {
  const { hello, wire, cid, startedMs, user } = session;
  return {
    start: new Date(startedMs).toISOString(),
    host: wire.remote.address,
    id: cid,
    ...withoutBlanks({ user, name: hello.name, lang: hello.lang, ver: hello.version }),
    kind: "Client",
    client_type: "nats",
  };
}

function withoutBlanks(fields: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ""));
}
