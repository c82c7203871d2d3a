/** Why a consumer delivers nothing, or is not kept as it should be. Pure. */
import type { ConsumerFacts } from "./facts.ts";
import type { DoctorFinding } from "./findings.ts";
import { counted } from "./findings.ts";
import { copiesMissing, duration, leaderGone, leaderless, type Present, type Reason } from "./groups.ts";

/** A consumer that could deliver, and has not for so long, is stuck. */
const STUCK_MS = 10_000;

export interface ToldConsumer {
  readonly stream: string;
  readonly facts: ConsumerFacts;
  /** Its leader tells, or the only server that keeps it. */
  readonly isOfLeader: boolean;
}

/** One finding about what is wrong, and one about why it is idle, at most. */
export function consumerFindings(name: string, told: ToldConsumer, present: Present): DoctorFinding[] {
  const { facts, isOfLeader } = told;
  const of = (state: DoctorFinding["state"], { why, todo }: Reason): DoctorFinding => ({
    ...{ state, kind: "consumer", name, why, todo },
  });
  if (!isOfLeader) {
    const { leader } = facts.group;
    if (leader === "") return [of("unhealthy", leaderless(facts.group, present))];
    return present.has(leader) ? [] : [of("unhealthy", leaderGone(leader))];
  }
  const wrong = stuck(told) ?? copiesMissing(facts.group, present);
  const idle = idleness(told);
  return [...(wrong === null ? [] : [of("unhealthy", wrong)]), ...(idle === null ? [] : [of("idle", idle)])];
}

/** null: it delivers, or has nothing to deliver. */
function idleness({ stream, facts }: ToldConsumer): Reason | null {
  const { name, pending, ackPending, maxAckPending, waiting, deliverSubject, isBound, pausedForMs } = facts;
  const waits = `${counted(pending, "message")} wait${pending === 1 ? "s" : ""}`;
  if (pausedForMs !== null)
    return {
      why: `it is paused for another ${duration(pausedForMs)}, and ${waits}`,
      todo: `Wait, or resume it: nats consumer resume ${stream} ${name}`,
    };
  if (pending === 0) return null;
  if (maxAckPending > 0 && ackPending >= maxAckPending)
    return {
      why: `${counted(ackPending, "message")} ${ackPending === 1 ? "is" : "are"} not acknowledged, which is its max_ack_pending, and ${waits}`,
      todo: `Have its clients acknowledge what they get, or raise it: nats consumer edit ${stream} ${name} --max-pending N`,
    };
  if (deliverSubject !== "")
    return isBound
      ? null
      : {
          why: `nobody subscribes to ${deliverSubject}, where it delivers, and ${waits}`,
          todo: "Start a client that subscribes there",
        };
  return waiting > 0 ? null : { why: `no client pulls, and ${waits}`, todo: "Start a client that pulls" };
}

/** It has all that it needs, and delivers nothing. */
function stuck(told: ToldConsumer): Reason | null {
  const { stream, facts } = told;
  const { name, pending, waiting, deliverSubject, group, quietMs, isPaced } = facts;
  const isPull = deliverSubject === "";
  if (pending === 0 || isPaced || quietMs < STUCK_MS || idleness(told) !== null) return null;
  const by = isPull ? `${counted(waiting, "pull")} and ` : "";
  return {
    why: `${by}${counted(pending, "message")} wait, it is neither paused nor at a limit, and has delivered nothing for ${duration(quietMs)}`,
    todo:
      group.replicas.length > 0
        ? `Let another server lead it: nats consumer cluster step-down ${stream} ${name}`
        : `Ask again; if it stays so, start ${group.leader || "its server"} again`,
  };
}
