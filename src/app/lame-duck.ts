/**
 * Lets clients go, so that they find another server and lose as little as can be.
 *
 *     0 ------- accepts, serves, hints -------- grace ------- closes one after the other ------- duration --- rest --- stop
 *
 * Newcomers are taken during the grace period, since they are still sent here for a moment: an orchestrator withdraws the address
 * at the same time as it tells this server to go. Nobody is closed before that is over, so that who is closed does not come
 * back. Bounds: `durationMs` and what `stop` takes; all of it ends at once when `signal` is aborted.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "../base/clock.ts";
import type { ClientSession } from "../links/client/session.ts";
import type { ClientPort } from "./client-port.ts";

export interface LameDuckOptions {
  /** Until the last client is closed. */
  readonly durationMs: number;
  /** Until the first client is closed, and for which newcomers are accepted. */
  readonly gracePeriodMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Clients of one step are closed together. */
const STEP_MS = 10;
/** How often it is asked whether there are clients. */
const LOOK_EVERY_MS = 100;
/** Without clients, for newcomers. */
const EMPTY_GRACE_MS = 1000;
/** Between a client's leave from queue groups and its end: other servers hear of it, and what they sent before arrives. */
const WITHDRAWN_MS = 250;
/**
 * Few clients do not have to wait for one another longer than this. It is as long as a queue group is without a member that
 * moves: until its end, and until it has connected elsewhere. Else a group of two on one server would be without both.
 */
const PAUSE_MAX_MS = WITHDRAWN_MS + 350;
/** How long at least a client may take to read what is pending and to end its side. */
const PATIENCE_MIN_MS = 2000;

export async function drainClients(clients: ClientPort, options: LameDuckOptions): Promise<void> {
  const { durationMs, gracePeriodMs, clock, signal } = options;
  const endMs = clock.nowMs() + durationMs;
  await takeNewcomers(clients, options, clock.nowMs() + gracePeriodMs);
  clients.stopListening();
  const leaving = [...clients.sessions.values()];
  const startMs = clock.nowMs();
  const pauses = Math.max(1, leaving.length - 1);
  const spanMs = Math.min(Math.max(0, endMs - startMs - WITHDRAWN_MS), pauses * PAUSE_MAX_MS);
  const last: Promise<void>[] = [];
  for (let gone = 0; gone < leaving.length && !signal.aborted;) {
    const share = spanMs === 0 ? 1 : Math.min(1, (clock.nowMs() - startMs) / spanMs);
    const due = Math.max(gone + 1, Math.floor(leaving.length * share));
    last.push(sendAway(leaving.slice(gone, due), endMs, options));
    gone = due;
    if (gone < leaving.length) await pause(Math.max(STEP_MS, spanMs / pauses), signal);
  }
  await Promise.all(last);
  const restMs = Math.max(PATIENCE_MIN_MS, endMs - clock.nowMs());
  const isOver = new AbortController();
  await Promise.race([clients.wires.drained(), pause(restMs, AbortSignal.any([signal, isOver.signal]))]);
  isOver.abort();
}

async function takeNewcomers(
  clients: ClientPort,
  { clock, signal }: LameDuckOptions,
  untilMs: number,
): Promise<void> {
  const emptyUntilMs = Math.min(untilMs, clock.nowMs() + EMPTY_GRACE_MS);
  for (;;) {
    const leftMs = (clients.sessions.size === 0 ? emptyUntilMs : untilMs) - clock.nowMs();
    if (leftMs <= 0 || signal.aborted) return;
    await pause(Math.min(leftMs, LOOK_EVERY_MS), signal);
  }
}

async function sendAway(
  sessions: readonly ClientSession[],
  endMs: number,
  { clock, signal }: LameDuckOptions,
): Promise<void> {
  for (const session of sessions) session.withdrawFromQueues();
  await pause(WITHDRAWN_MS, signal);
  const patienceMs = Math.max(PATIENCE_MIN_MS, endMs - clock.nowMs());
  for (const session of sessions) session.leave("Server Shutdown", patienceMs);
}

/** Shorter when `signal` is aborted. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}
