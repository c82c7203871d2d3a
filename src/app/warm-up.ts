/**
 * Does a few times what clients will ask for, before they come: V8 compiles a function when it is called first, and the first
 * clients of a server that has just started, those of the member that restarts next, would wait for that. Without it the first
 * connection takes ten times as long as later ones (docs/benchmarks/rolling.md). The next member that joins is rehearsed, too.
 *
 * The conversations are had with a client port of its own, on a free port of the loopback interface, with accounts of its own and no
 * credentials: they appear in no counter, log or event of the server, and reach none of its messages. Bounded by ROUNDS and
 * DEADLINE_MS. What goes wrong is of no consequence, and the warm-up ends.
 */
import { connect, type Socket } from "node:net";
import { Authenticator } from "../auth/authenticator.ts";
import { abortedAfter, systemClock } from "../base/clock.ts";
import { silentLogger, type Logger } from "../base/logger.ts";
import { systemRandom } from "../base/random.ts";
import { Accounts } from "../core/accounts.ts";
import type { ClientLimits, InfoContext } from "../links/client/host.ts";
import { Faults } from "../links/trunk/faults.ts";
import { Turn } from "../links/trunk/turn.ts";
import { ClientPort } from "../ports/client/client-port.ts";
import type { ClusterSettings } from "../ports/cluster/cluster-port-options.ts";
import { SERVER_SHUTDOWN } from "../protocol/close-cause.ts";
import { rehearseRoutes } from "./route-rehearsal.ts";

export interface WarmUpOptions {
  /** The server's. */
  readonly limits: ClientLimits;
  /** Those of its cluster. */
  readonly routes: ClusterSettings;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** After so long it ends, done or not. Absent: 2 s. */
  readonly deadlineMs?: number;
  info(context: InfoContext): string;
}

const LOOPBACK = "127.0.0.1";
const ROUNDS = 5;
/** Until then a server that has just started has better things to do: it joins its cluster. */
const BEGINS_AFTER_MS = 200;
const DEADLINE_MS = 2000;
const PATIENCE_MS = 1000;
const GREETING =
  'CONNECT {"verbose":false,"pedantic":false,"protocol":1,"headers":true,"no_responders":true}\r\nPING\r\n';
const ERRAND =
  "SUB warm.up 1\r\nSUB warm.* group 2\r\nPUB warm.up 2\r\nup\r\nHPUB warm.up 12 14\r\nNATS/1.0\r\n\r\nup\r\nPING\r\n";

export async function warmUp(options: WarmUpOptions): Promise<void> {
  await calm(options.signal);
  if (options.signal.aborted) return;
  const accounts = new Accounts({ clock: systemClock, random: systemRandom });
  const port = openPort(accounts, options);
  const signal = AbortSignal.any([options.signal, abortedAfter(options.deadlineMs ?? DEADLINE_MS)]);
  try {
    const endpoint = await port.listen();
    for (let round = 0; round < ROUNDS && !signal.aborted; round++)
      await converse(endpoint.port, port, signal);
    await rehearseRoutes(options.routes, signal);
  } catch (error) {
    options.logger.debug("The server starts without a warm-up", { error: String(error) });
  } finally {
    port.closeAll(SERVER_SHUTDOWN);
    accounts[Symbol.dispose]();
  }
}

/** Sooner when `signal` is aborted. */
function calm(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = systemClock.setTimer(BEGINS_AFTER_MS, resolve);
  const abort = (): void => {
    timer[Symbol.dispose]();
    resolve();
  };
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  return promise;
}

function openPort(accounts: Accounts, options: WarmUpOptions): ClientPort {
  let cid = 0;
  return new ClientPort({
    accounts,
    info: (context) => options.info(context),
    host: LOOPBACK,
    port: 0,
    external: null,
    maxConnections: ROUNDS,
    limits: { ...options.limits, maxPayloadBytes: 1024, maxControlLineBytes: 4096, maxSubscriptions: null },
    authenticator: new Authenticator({ token: undefined, users: [], noAuthUser: null }),
    turn: new Turn(systemClock),
    clock: systemClock,
    logger: silentLogger,
    faults: new Faults(),
    tls: () => null,
    serverDetails: () => ({}),
    nextConnectionId: () => ++cid,
  });
}

/** One client from its connection to its leave. Rejects when the connection fails, or is ended by `signal`. */
async function converse(at: number, port: ClientPort, signal: AbortSignal): Promise<void> {
  const socket = connect({ host: LOOPBACK, port: at, noDelay: true });
  const abort = (): void => void socket.destroy();
  signal.addEventListener("abort", abort, { once: true });
  try {
    socket.write(GREETING);
    await heardPong(socket);
    socket.write(ERRAND);
    await heardPong(socket);
    for (const session of [...port.sessions.values()]) {
      await session.withdrawFromQueues();
      session.leave(SERVER_SHUTDOWN, PATIENCE_MS);
    }
    await port.wires.drained();
  } finally {
    signal.removeEventListener("abort", abort);
    socket.destroy();
  }
}

function heardPong(socket: Socket): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let heard = "";
  const onData = (data: Buffer): void => {
    heard += data.toString("latin1");
    if (!heard.includes("PONG\r\n")) return;
    socket.off("data", onData);
    resolve();
  };
  socket.on("data", onData);
  socket.once("error", reject);
  socket.once("close", () => reject(new Error("the connection ended")));
  return promise;
}
