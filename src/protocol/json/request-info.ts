/** The description of a client for those who serve its requests, in the field names of NATS: `Nats-Request-Info` and latency. */

interface RequesterFacts {
  readonly cid: number;
  readonly address: string;
  readonly startedMs: number;
  /** "" where there is none, as with the others. */
  readonly user: string;
  readonly name: string;
  readonly lang: string;
  readonly version: string;
  /** Absent: a client. */
  readonly kind?: "Leafnode";
}

export function requesterFields(facts: RequesterFacts): Readonly<Record<string, unknown>> {
  const { cid, address, startedMs, user, name, lang, version, kind } = facts;
  return {
    start: new Date(startedMs).toISOString(),
    host: address,
    id: cid,
    ...withoutBlanks({ user, name, lang, ver: version }),
    ...(kind === undefined ? { kind: "Client", client_type: "nats" } : { kind }),
  };
}

function withoutBlanks(fields: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== ""));
}
