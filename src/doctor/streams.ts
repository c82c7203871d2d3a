/** Why streams and consumers are unhealthy or idle: joins what all servers tell of them, and believes leaders first. Pure. */
import { consumerFindings, type ToldConsumer } from "./consumers.ts";
import type { Complaint, OriginFacts, ExaminedServer, StreamFacts } from "./facts.ts";
import { counted, type DoctorFinding } from "./findings.ts";
import {
  copiesMissing,
  duration,
  leaderGone,
  leaderless,
  listed,
  type Present,
  type Reason,
} from "./groups.ts";

/** Origins tell that they are there every few seconds. */
const ORIGIN_SILENT_MS = 60_000;

interface ToldStream {
  readonly account: string;
  facts: StreamFacts;
  isOfLeader: boolean;
  readonly consumers: Map<string, ToldConsumer>;
}

export interface AssetFindings {
  readonly findings: readonly DoctorFinding[];
  readonly streams: number;
  readonly consumers: number;
}

/** `servers` keep streams together, or there is but one. `where`: what is behind each name. */
export function assetFindings(
  servers: readonly ExaminedServer[],
  present: Present,
  where: string,
): AssetFindings {
  const streams = joined(servers);
  const findings: DoctorFinding[] = [];
  let consumers = 0;
  for (const told of streams.values()) {
    const name = nameOf(told.account, told.facts.name) + where;
    const hasLeader = told.isOfLeader || told.facts.group.leader !== "";
    consumers += told.consumers.size;
    findings.push(...streamFindings(name, told, present));
    if (!hasLeader) continue; // its consumers wait for it
    for (const [consumer, one] of told.consumers)
      findings.push(
        ...consumerFindings(nameOf(told.account, told.facts.name, consumer) + where, one, present),
      );
  }
  findings.push(...unservedFindings(servers, where));
  findings.push(...complaintFindings(servers, findings, where));
  return { findings, streams: streams.size, consumers };
}

function nameOf(account: string, stream: string, consumer = ""): string {
  return [account, stream, consumer].filter((one) => one !== "").join(" > ");
}

function joined(servers: readonly ExaminedServer[]): Map<string, ToldStream> {
  const streams = new Map<string, ToldStream>();
  for (const { name: teller, jetStream } of servers)
    for (const facts of jetStream?.streams ?? []) {
      const isOfLeader = leads(teller, facts.group);
      const key = nameOf(facts.account, facts.name);
      let told = streams.get(key);
      if (told === undefined)
        streams.set(key, (told = { account: facts.account, facts, isOfLeader, consumers: new Map() }));
      else if (isBetter(told, { facts, isOfLeader })) Object.assign(told, { facts, isOfLeader });
      for (const consumer of facts.consumers) {
        const next = { stream: facts.name, facts: consumer, isOfLeader: leads(teller, consumer.group) };
        const known = told.consumers.get(consumer.name);
        if (known === undefined || isBetter(known, next)) told.consumers.set(consumer.name, next);
      }
    }
  return streams;
}

/** A server that keeps it alone need not say that it leads. */
function leads(teller: string, { leader, replicas }: StreamFacts["group"]): boolean {
  return leader === teller || (leader === "" && replicas.length === 0);
}

interface Telling {
  readonly facts: { readonly group: StreamFacts["group"] };
  readonly isOfLeader: boolean;
}

function isBetter(known: Telling, next: Telling): boolean {
  if (known.isOfLeader) return false;
  return next.isOfLeader || (known.facts.group.leader === "" && next.facts.group.leader !== "");
}

function streamFindings(
  name: string,
  { facts, isOfLeader, consumers }: ToldStream,
  present: Present,
): DoctorFinding[] {
  const of = ({ why, todo }: Reason): DoctorFinding => ({
    state: "unhealthy",
    kind: "stream",
    name,
    why,
    todo,
  });
  const { group } = facts;
  if (!isOfLeader && group.leader === "") {
    const { why, todo } = leaderless(group, present);
    const waiting =
      consumers.size === 0
        ? ""
        : `, and ${counted(consumers.size, "consumer")} wait${consumers.size === 1 ? "s" : ""} for it`;
    return [of({ why: why + waiting, todo })];
  }
  if (!isOfLeader) return present.has(group.leader) ? [] : [of(leaderGone(group.leader))];
  const reasons = [copiesMissing(group, present), full(facts), damaged(facts), ...facts.origins.map(cutOff)];
  const found = reasons.filter((reason) => reason !== null);
  const [first] = found;
  if (first === undefined) return [];
  return [of({ why: found.map(({ why }) => why).join("; "), todo: first.todo })];
}

function full({ name, messages, bytes, maxMessages, maxBytes, refusesNew }: StreamFacts): Reason | null {
  if (!refusesNew) return null;
  const hasMost = maxMessages > 0 && messages >= maxMessages;
  if (!hasMost && !(maxBytes > 0 && bytes >= maxBytes)) return null;
  return {
    why: `it refuses messages: it is at ${hasMost ? `max_msgs (${maxMessages})` : `max_bytes (${maxBytes})`} and discards new ones`,
    todo: `Consume or purge messages, or raise the limit: nats stream edit ${name}`,
  };
}

function damaged({ name, lost }: StreamFacts): Reason | null {
  if (lost === 0) return null;
  return {
    why: `damage has taken ${counted(lost, "message")}`,
    todo: `Restore a backup, or go on without them: nats stream info ${name} has their sequences`,
  };
}

function cutOff({ kind, name, lag, silentMs, error }: OriginFacts): Reason | null {
  const waits = lag > 0 ? `, and ${counted(lag, "message")} are still to come` : "";
  const todo = `See whether ${name} is there, has a leader and lets this account ask`;
  if (error !== "") return { why: `its ${kind} ${name}: ${error}${waits}`, todo };
  if (silentMs >= 0 && silentMs < ORIGIN_SILENT_MS) return null;
  const since = silentMs < 0 ? "was never heard" : `was not heard for ${duration(silentMs)}`;
  return { why: `its ${kind} ${name} ${since}${waits}`, todo };
}

/** Several servers may tell of the same. */
function unservedFindings(servers: readonly ExaminedServer[], where: string): DoctorFinding[] {
  const byName = new Map<string, DoctorFinding>();
  for (const { unserved } of servers)
    for (const { account, stream, consumer, servers: keepers } of unserved) {
      const name = nameOf(account, stream, consumer) + where;
      const isOne = keepers.length === 1;
      byName.set(name, {
        state: "unhealthy",
        kind: consumer === "" ? "stream" : "consumer",
        name,
        why: `${isOne ? "the only server" : "none of the servers"} that keep${isOne ? "s" : ""} it (${listed(keepers)}) ${isOne ? "is not" : "is"} there`,
        todo: `Start ${listed(keepers)} again`,
      });
    }
  return [...byName.values()];
}

/** What servers complain of, where nothing else was found about it. */
function complaintFindings(
  servers: readonly ExaminedServer[],
  known: readonly DoctorFinding[],
  where: string,
): DoctorFinding[] {
  const named = new Set(known.filter(({ state }) => state === "unhealthy").map(({ name }) => name));
  const found = new Map<string, DoctorFinding>();
  for (const server of servers)
    for (const complaint of server.complaints) {
      if (complaint.stream === "") continue;
      const { account, stream, consumer } = complaint;
      const name = nameOf(account, stream, consumer) + where;
      if (named.has(name) || named.has(nameOf(account, stream) + where) || found.has(name)) continue;
      found.set(name, complaintFinding(name, server.name, complaint));
    }
  return [...found.values()];
}

function complaintFinding(name: string, server: string, { consumer, error }: Complaint): DoctorFinding {
  return {
    state: "unhealthy",
    kind: consumer === "" ? "stream" : "consumer",
    name,
    why: `${server} says: ${error}`,
    todo: `If it stays so, the log of ${server} says why`,
  };
}
