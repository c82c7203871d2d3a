/**
 * What an orchestrator asks: `/livez` (restart it?), `/startupz` (has it begun?), `/readyz` (send it clients?), `/drainz` (may it go?). JSON that says why,
 * whatever the answer; 200 for yes and 503 for no. A request without the credentials that monitoring needs gets no name, id or
 * address.
 */
import { compactJson, type Answer } from "./answer.ts";
import { goDuration, goTime } from "./go-format.ts";
import type { Audience } from "./guard.ts";
import type { Query } from "./query.ts";
import type { Readiness } from "../health/readiness.ts";
import type { MonitorSource } from "./source.ts";

/** That it answers is the answer: a server that drains, or waits for others, is not to be restarted. */
export function livez(source: MonitorSource, { audience }: Query): Answer {
  const { state } = source.readiness(0);
  return answer({ isWell: true, reasons: [], state, ...identity(source, audience) });
}

export function startupz(source: MonitorSource, { audience }: Query): Answer {
  const { state, reasons, causes } = source.readiness(0);
  const isWell = state !== "starting";
  const why = audience === "stranger" ? causes : reasons;
  return answer({ isWell, reasons: isWell ? [] : why, state, ...identity(source, audience) });
}

/**
 * `expect=N`: at least so many servers are connected, this one included. `streams=1`: every group here has a leader, and each copy is
 * where its group is, also where the server has been ready.
 */
export function readyz(source: MonitorSource, query: Query): Answer {
  const expect = query.unsigned("expect");
  const readiness = source.readiness(expect, query.flag("streams") ? "always" : "joining");
  const { isReady: isWell, state, reasons, causes } = readiness;
  const asked = expect === 0 ? {} : { expect };
  if (query.audience === "stranger") return answer({ isWell, reasons: causes, state, ...asked });
  const { seen, connected, awaited } = readiness.peers;
  return answer({
    isWell,
    reasons,
    state,
    ...identity(source, query.audience),
    ...asked,
    missing: shortcomings(readiness),
    ...(readiness.streams === null ? {} : { jetstream: streamsFields(readiness.streams) }),
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

/** Whether no stream would lose its majority with this server. A server that drains already is asked as well. */
export async function drainz(source: MonitorSource, { audience }: Query): Promise<Answer> {
  const { count, some } = (await source.jetStream()?.neededBy()) ?? { count: 0, some: [] };
  const { state } = source.readiness(0);
  const what = `${count} groups of servers would have no majority without it: ${some.join(", ")}${count > some.length ? ", …" : ""}`;
  const reasons = count === 0 ? [] : [audience === "stranger" ? "streams" : what];
  return answer({ isWell: count === 0, reasons, state, ...identity(source, audience) });
}

function streamsFields({ troubles, behind, restMs }: NonNullable<Readiness["streams"]>): object {
  return {
    behind: behind === Infinity ? null : behind,
    ...(restMs === null || behind === 0 ? {} : { estimate: goDuration(restMs) }),
    not_current: troubles,
  };
}

/** Problems. Faults do not affect readiness, since the connections that caused them are gone. */
export function shortcomings({ missing, faults }: Readiness): readonly string[] {
  if (faults === 0) return missing;
  const what = faults === 1 ? "a fault of this server has" : `${faults} faults of this server have`;
  return [
    ...missing,
    `${what} each closed the connection that brought it out: see connection_fault in the log`,
  ];
}

/** Strangers are not told which server it is. */
function identity(source: MonitorSource, audience: Audience): object {
  if (audience === "stranger") return {};
  const { id, name } = source.facts();
  return { server_id: id, server_name: name };
}

function answer({
  isWell,
  ...fields
}: { readonly isWell: boolean } & Readonly<Record<string, unknown>>): Answer {
  return compactJson(isWell ? 200 : 503, { status: isWell ? "ok" : "unavailable", ...fields });
}
