/**
 * What an orchestrator asks: `/livez` (restart it?), `/startupz` (has it begun?), `/readyz` (send it clients?). JSON that says why,
 * whatever the answer; 200 for yes and 503 for no.
 */
import { compactJson, type Answer } from "./answer.ts";
import { goDuration, goTime } from "./go-format.ts";
import type { Query } from "./query.ts";
import type { MonitorSource, Readiness } from "./source.ts";

/** That it answers is the answer: a server that drains, or waits for others, is not to be restarted. */
export function livez(source: MonitorSource): Answer {
  return answer(source, true, source.readiness(0), []);
}

export function startupz(source: MonitorSource): Answer {
  const readiness = source.readiness(0);
  const hasStarted = readiness.state !== "starting";
  return answer(source, hasStarted, readiness, hasStarted ? [] : readiness.reasons);
}

/** `expect=N`: at least so many servers are connected, this one included. */
export function readyz(source: MonitorSource, query: Query): Answer {
  const expect = query.unsigned("expect");
  const readiness = source.readiness(expect);
  const { seen, connected, awaited } = readiness.peers;
  return answer(source, readiness.isReady, readiness, readiness.reasons, {
    ...(expect === 0 ? {} : { expect }),
    missing: shortcomings(readiness),
    sources: readiness.sources.map(({ name: source, listed, answerAgeMs, lastError }) => ({
      name: source,
      listed,
      ...(answerAgeMs === null ? {} : { answer_age: goDuration(answerAgeMs) }),
      ...(lastError === null ? {} : { last_error: lastError }),
    })),
    peers: {
      seen,
      connected: connected.map(({ id, name, address, sinceMs }) => ({
        server_id: id,
        server_name: name,
        address,
        since: goTime(sinceMs),
      })),
      awaited: awaited.map(({ id, name, address, seenBy, attempts, why }) => ({
        ...(id === "" ? {} : { server_id: id }),
        ...(name === "" ? {} : { server_name: name }),
        address,
        seen_by: seenBy,
        attempts,
        why,
      })),
    },
  });
}

/** What is not as it should be. Faults take nothing from readiness: the connections that brought them out are gone. */
export function shortcomings({ missing, faults }: Readiness): readonly string[] {
  if (faults === 0) return missing;
  const what = faults === 1 ? "a fault of this server has" : `${faults} faults of this server have`;
  return [
    ...missing,
    `${what} each closed the connection that brought it out: see connection_fault in the log`,
  ];
}

function answer(
  source: MonitorSource,
  isWell: boolean,
  { state }: Readiness,
  reasons: readonly string[],
  more: object = {},
): Answer {
  const { id, name } = source.facts();
  return compactJson(isWell ? 200 : 503, {
    status: isWell ? "ok" : "unavailable",
    reasons,
    state,
    server_id: id,
    server_name: name,
    ...more,
  });
}
