/**
 * Lets clients go so that they find another server and lose as little as possible.
 *
 *     0 ------- accepts, serves, hints -------- grace ------- closes one after the other ------- duration --- rest --- stop
 *
 * New clients are accepted during the grace period, since an orchestrator withdraws the address of this server only when it tells the server to
 * stop, and clients still use it for a moment. No client is closed before that is over, so that closed clients do not come back. Bounds: `durationMs` and what `stop` takes; all of it ends at once when `signal` is aborted.
 *
 *     a client:    leaves queue groups -- what is on its way on routes arrives -- a quiet moment -- its end
 *
 * A client is subscribed to the end, and gets all that comes until then: what it misses is what is published while it has no
 * server. So the moment is chosen when nothing is pending for it, and when it has not just asked for something. The order of
 * clients is decided in departures.ts.
 */
import { sleep, type Clock } from "../../base/clock.ts";
import type { Account } from "../../core/account.ts";
import type { ClientSession } from "../../links/client/session.ts";
import { Departures } from "./departures.ts";
import { SERVER_SHUTDOWN } from "../../protocol/close-cause.ts";

/** The port whose clients leave. */
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
  /** Members of a queue group on other servers now. */
  membersElsewhere(account: Account, subject: string, queue: string): number;
}

type Waiting = Pick<LameDuckOptions, "clock" | "signal">;

/** How often it is asked whether there are clients. */
const LOOK_EVERY_MS = 100;
/** Without clients, for newcomers. */
const EMPTY_GRACE_MS = 1000;
/** A server that does not answer is waited for no longer. */
const CATCH_UP_MAX_MS = 1000;
/** How often a client is looked at whose moment is awaited. */
const LOOK_AT_CLIENT_MS = 1;
/** A client that has said nothing for so long only listens: it owes nobody an answer. */
const LISTENER_MS = 1000;
/** So long the next messages for one that only listens are awaited. */
const BURST_WAIT_MAX_MS = 30;
/** A client that has sent nothing for so long has the answer to what it asked, or waits for something that takes its time. */
const QUIET_MS = 50;
/** One that is never quiet, or whose messages are never all out, goes after this. */
const QUIET_WAIT_MAX_MS = 250;
/** One that answers requests goes after this, whatever it still owes. */
const ANSWER_WAIT_MAX_MS = 1000;
/** How long at least a client may take to read what is pending and to end its side. */
const PATIENCE_MIN_MS = 2000;

export async function drainClients(clients: DrainedPort, options: LameDuckOptions): Promise<void> {
  const { durationMs, gracePeriodMs, clock, signal } = options;
  const endMs = clock.nowMs() + durationMs;
  await takeNewcomers(clients, options, clock.nowMs() + gracePeriodMs);
  clients.stopListening();
  const startMs = clock.nowMs();
  const lastTurnMs = Math.max(startMs, endMs - ANSWER_WAIT_MAX_MS);
  const departures = departuresOf(clients, options, { startMs, endMs: lastTurnMs });
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
  await within(restMs, clients.wires.drained(), options);
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

function departuresOf(
  { sessions }: DrainedPort,
  options: LameDuckOptions,
  time: { readonly startMs: number; readonly endMs: number },
): Departures<ClientSession> {
  const groups = new Map<
    string,
    { readonly account: Account; readonly subject: string; readonly queue: string }
  >();
  return new Departures({
    ...time,
    clients: [...sessions.values()],
    *queueGroupsOf({ account, subscriptions, queueSubscriptions }) {
      // Others may have some hundred thousand, which are not to be looked through in one piece.
      if (queueSubscriptions === 0) return;
      for (const { subject, queue } of subscriptions.values()) {
        if (queue === null) continue;
        const key = groupKey(subject, queue, account);
        groups.set(key, { account, subject, queue });
        yield key;
      }
    },
    membersElsewhere(key) {
      const { account, subject, queue } = groups.get(key)!;
      return options.membersElsewhere(account, subject, queue);
    },
    hasEnded: (session) => !session.isOpen,
  });
}

/** Text for one queue group of one account: neither subjects nor names of queue groups hold a blank. */
function groupKey(subject: string, queue: string, account: Account): string {
  return `${subject} ${queue} ${account.name}`;
}

async function sendAway(
  sessions: readonly ClientSession[],
  endMs: number,
  options: LameDuckOptions,
): Promise<void> {
  const { clock } = options;
  await Promise.all(sessions.map(async (session) => session.withdrawFromQueues()));
  await within(CATCH_UP_MAX_MS, options.routesCaughtUp(), options);
  const patienceMs = Math.max(PATIENCE_MIN_MS, endMs - clock.nowMs());
  await Promise.all(sessions.map((session) => leaveInQuiet(session, patienceMs, options)));
}

async function leaveInQuiet(
  session: ClientSession,
  patienceMs: number,
  options: LameDuckOptions,
): Promise<void> {
  if (session.queueSubscriptions > 0) await answered(session, options);
  else await momentOf(session, options);
  session.leave(SERVER_SHUTDOWN, patienceMs);
}

/**
 * Resolves when a member of queue groups has nothing to answer: clients take messages and PING in order, so that what was delivered
 * before a PING has been answered, or at least been read, when the PONG comes.
 */
async function answered(session: ClientSession, { clock, signal }: LameDuckOptions): Promise<void> {
  const untilMs = clock.nowMs() + ANSWER_WAIT_MAX_MS;
  for (let before = -1; before !== session.outMessages && session.isOpen && !signal.aborted;) {
    const leftMs = untilMs - clock.nowMs();
    if (leftMs <= 0) return;
    before = session.outMessages;
    const { promise, resolve } = Promise.withResolvers<void>();
    session.heartbeat.roundTrip(resolve);
    await within(leftMs, promise, { clock, signal });
  }
}

/** Awaits `event`, but no longer than `ms`, and shorter when the signal is aborted. */
async function within(ms: number, event: Promise<void>, { clock, signal }: Waiting): Promise<void> {
  const isOver = new AbortController();
  const end = (): void => isOver.abort();
  event.then(end, end);
  await sleep(clock, ms, AbortSignal.any([signal, isOver.signal]));
}

/** Resolves at the moment in which the client should go, or after QUIET_WAIT_MAX_MS. */
async function momentOf(session: ClientSession, { clock, signal }: LameDuckOptions): Promise<void> {
  const moment = new Moment(session, clock.nowMs());
  for (;;) {
    // After a turn of the loop, all that the kernel held for this server has been read and passed on.
    await turnOfLoop();
    if (signal.aborted || !session.isOpen || moment.isNow(clock.nowMs())) return;
    await sleep(clock, LOOK_AT_CLIENT_MS, signal);
  }
}

/**
 * When a client should go: what it misses is what comes while it is on its way. One that only listens goes right behind what has just
 * come, since messages come in bursts; one that asks, right behind an answer, or when it is quiet; one without subscriptions at once.
 */
class Moment {
  private readonly session: ClientSession;
  private readonly sinceMs: number;
  private readonly isListener: boolean;
  private delivered: number;
  private deliveredMs = Number.NEGATIVE_INFINITY;

  constructor(session: ClientSession, nowMs: number) {
    this.session = session;
    this.sinceMs = nowMs;
    this.isListener = nowMs - session.lastActivityMs >= LISTENER_MS;
    this.delivered = session.outMessages;
  }

  isNow(nowMs: number): boolean {
    const { outMessages, outbox, lastActivityMs, subscriptions } = this.session;
    if (nowMs >= this.sinceMs + QUIET_WAIT_MAX_MS) return true;
    const comes = outMessages !== this.delivered;
    this.delivered = outMessages;
    if (comes) this.deliveredMs = nowMs;
    if (outbox.pendingBytes > 0) return false;
    if (subscriptions.size === 0) return true;
    if (this.isListener)
      return !comes && (this.deliveredMs > this.sinceMs || nowMs >= this.sinceMs + BURST_WAIT_MAX_MS);
    const isAnswered = lastActivityMs > this.sinceMs && this.deliveredMs >= lastActivityMs;
    return isAnswered || nowMs - lastActivityMs >= QUIET_MS;
  }
}

async function turnOfLoop(): Promise<void> {
  await new Promise<void>((resolve) => void setImmediate(resolve));
}
