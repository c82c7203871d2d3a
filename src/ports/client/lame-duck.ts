/**
 * Lets clients go, so that they find another server and lose as little as can be.
 *
 *     0 ------- accepts, serves, hints -------- grace ------- closes one after the other ------- duration --- rest --- stop
 *
 * Newcomers are taken during the grace period, since they are still sent here for a moment: an orchestrator withdraws the address
 * at the same time as it tells this server to go. Nobody is closed before that is over, so that who is closed does not come
 * back. Bounds: `durationMs` and what `stop` takes; all of it ends at once when `signal` is aborted.
 *
 *     a client:    leaves queue groups -- what is on its way on routes arrives -- a quiet moment -- its end
 *
 * A client is subscribed to the end, and gets all that comes until then: what it misses is what is published while it has no
 * server. So the moment is chosen when nothing is pending for it, and when it has not just asked for something. The order of
 * clients is decided in departures.ts.
 */
import { sleep, type Clock } from "../../base/clock.ts";
import type { ClientSession } from "../../links/client/session.ts";
import { Departures } from "./departures.ts";
import { SERVER_SHUTDOWN } from "../../protocol/close-cause.ts";

/** The port whose clients are let go. */
export interface DrainedPort {
  readonly sessions: ReadonlyMap<number, ClientSession>;
  readonly wires: { drained(): Promise<void> };
  stopListening(): void;
}

export interface LameDuckOptions {
  /** Until the last client is closed. */
  readonly durationMs: number;
  /** Until the first client is closed, and for which newcomers are accepted. */
  readonly gracePeriodMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Resolves when all has arrived that other servers have sent until they heard of what this server says now. */
  routesCaughtUp(): Promise<void>;
}

/** How often it is asked whether there are clients. */
const LOOK_EVERY_MS = 100;
/** Without clients, for newcomers. */
const EMPTY_GRACE_MS = 1000;
/** A server that does not answer is waited for no longer. */
const CATCH_UP_MAX_MS = 1000;
/** A client that has sent nothing for so long has the answer to what it asked, or waits for something that takes its time. */
const QUIET_MS = 10;
/** One that is never quiet, or whose messages are never all out, goes after this. */
const QUIET_WAIT_MAX_MS = 250;
/** How long at least a client may take to read what is pending and to end its side. */
const PATIENCE_MIN_MS = 2000;

export async function drainClients(clients: DrainedPort, options: LameDuckOptions): Promise<void> {
  const { durationMs, gracePeriodMs, clock, signal } = options;
  const endMs = clock.nowMs() + durationMs;
  await takeNewcomers(clients, options, clock.nowMs() + gracePeriodMs);
  clients.stopListening();
  const startMs = clock.nowMs();
  const lastTurnMs = Math.max(startMs, endMs - QUIET_WAIT_MAX_MS);
  const departures = new Departures({
    clients: [...clients.sessions.values()],
    startMs,
    endMs: lastTurnMs,
    queueGroupsOf,
  });
  const last: Promise<unknown>[] = [];
  for (;;) {
    if (signal.aborted) break;
    const { clients: due, againInMs } = departures.next(clock.nowMs());
    if (due.length > 0) last.push(sendAway(due, endMs, options));
    if (againInMs === null) break;
    await sleep(clock, againInMs, signal);
  }
  await Promise.all(last);
  const restMs = Math.max(PATIENCE_MIN_MS, endMs - clock.nowMs());
  const isOver = new AbortController();
  await Promise.race([
    clients.wires.drained(),
    sleep(clock, restMs, AbortSignal.any([signal, isOver.signal])),
  ]);
  isOver.abort();
}

async function takeNewcomers(
  clients: DrainedPort,
  { clock, signal }: LameDuckOptions,
  untilMs: number,
): Promise<void> {
  const emptyUntilMs = Math.min(untilMs, clock.nowMs() + EMPTY_GRACE_MS);
  for (;;) {
    const leftMs = (clients.sessions.size === 0 ? emptyUntilMs : untilMs) - clock.nowMs();
    if (leftMs <= 0 || signal.aborted) return;
    await sleep(clock, Math.min(leftMs, LOOK_EVERY_MS), signal);
  }
}

function* queueGroupsOf({ account, subscriptions }: ClientSession): Generator<string> {
  for (const { subject, queue } of subscriptions.values())
    if (queue !== null) yield `${subject} ${queue} ${account.name}`;
}

async function sendAway(
  sessions: readonly ClientSession[],
  endMs: number,
  options: LameDuckOptions,
): Promise<void> {
  const { clock, signal } = options;
  for (const session of sessions) session.withdrawFromQueues();
  await Promise.race([options.routesCaughtUp(), sleep(clock, CATCH_UP_MAX_MS, signal)]);
  const patienceMs = Math.max(PATIENCE_MIN_MS, endMs - clock.nowMs());
  await Promise.all(sessions.map((session) => leaveInQuiet(session, patienceMs, options)));
}

async function leaveInQuiet(
  session: ClientSession,
  patienceMs: number,
  { clock, signal }: LameDuckOptions,
): Promise<void> {
  const untilMs = clock.nowMs() + QUIET_WAIT_MAX_MS;
  for (;;) {
    // After a turn of the loop, all that the kernel held for this server has been read and passed on.
    await turnOfLoop();
    const nowMs = clock.nowMs();
    const isQuiet = session.outbox.pendingBytes === 0 && nowMs - session.lastActivityMs >= QUIET_MS;
    if (isQuiet || nowMs >= untilMs || signal.aborted || !session.isOpen) break;
    await sleep(clock, QUIET_MS, signal);
  }
  session.leave(SERVER_SHUTDOWN, patienceMs);
}

async function turnOfLoop(): Promise<void> {
  await new Promise<void>((resolve) => void setImmediate(resolve));
}
