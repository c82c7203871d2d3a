/**
 * The real rooms between a client's bytes and another's, without a network: sessions on memory wires, one router, a virtual
 * clock. Property tests, unit stories and fuzz targets drive the very code that the server runs.
 */
import { liveCell, type LiveCell } from "../../src/base/live.ts";
import { Authenticator } from "../../src/auth/authenticator.ts";
import type { KnownUser } from "../../src/auth/known-user.ts";
import { VirtualClock } from "../../src/base/clock.ts";
import { silentLogger, type Logger } from "../../src/base/logger.ts";
import { seededRandom } from "../../src/base/random.ts";
import type { Account } from "../../src/core/account.ts";
import { Accounts, type AccountsParts } from "../../src/core/accounts.ts";
import type { InterestChange } from "../../src/core/local-interest.ts";
import type { ClientCounters, ClientHost, ClientLimits } from "../../src/links/client/host.ts";
import { ClientSession } from "../../src/links/client/session.ts";
import type { RouteHost, RouteLimits } from "../../src/links/route/host.ts";
import type { Registration } from "../../src/links/route/peer.ts";
import { RouteSession } from "../../src/links/route/session.ts";
import type { FaultKeeper } from "../../src/links/trunk/faults.ts";
import { Turn } from "../../src/links/trunk/turn.ts";
import { INSIDE } from "../../src/ports/entrance.ts";
import { MemoryWire } from "../../src/transport/memory.ts";

const LIMITS: ClientLimits & RouteLimits = {
  maxPayloadBytes: 1024 * 1024,
  maxControlLineBytes: 4096,
  maxPendingBytes: 64 * 1024 * 1024,
  writeDeadlineMs: 10_000,
  maxSubscriptions: null,
  maxSubscriptionTokens: null,
  pingIntervalMs: 120_000,
  pingMax: 2,
  noHeaders: false,
  dropsForSlow: false,
  authTimeoutMs: 2000,
};

export interface StackOptions {
  readonly limits?: Partial<ClientLimits>;
  /** Token that clients have to present. */
  readonly token?: string;
  /** Decides instead of the one that is made here. */
  readonly authenticator?: Authenticator;
  readonly accounts?: Pick<AccountsParts, "definition" | "work">;
  /** Absent: what is thrown goes on, so that tests fail by it. */
  readonly faults?: FaultKeeper;
  readonly logger?: Logger;
}

const NOT_CONTAINED: FaultKeeper = {
  contain: (error) => {
    throw error;
  },
};

export interface Link<Session> {
  readonly wire: MemoryWire;
  readonly session: Session;
}

/** What neighbours are told, in order. */
export interface ToldInterest extends InterestChange {
  readonly account: string;
}

export class Stack {
  readonly clock = new VirtualClock(1_000_000);
  readonly turn = new Turn(this.clock);
  readonly accounts: Accounts;
  readonly limits: LiveCell<ClientLimits & RouteLimits>;
  readonly told: ToldInterest[] = [];
  readonly closed: (ClientSession | RouteSession)[] = [];
  readonly counters: ClientCounters = {
    slowConsumers: 0,
    slowConsumersByDeadline: 0,
    staleConnections: 0,
    authFailures: 0,
    tlsFailures: 0,
    stalls: 0,
  };
  private readonly clientHost: ClientHost<ClientSession>;
  private readonly routeHost: RouteHost<RouteSession>;
  private nextId = 5;

  constructor(options: StackOptions = {}) {
    this.limits = liveCell({ ...LIMITS, ...options.limits });
    this.accounts = new Accounts({
      clock: this.clock,
      random: seededRandom(1),
      chores: this.turn.chores,
      work: this.turn.work,
      ...options.accounts,
    });
    const { accounts, turn, clock, limits, counters } = this;
    accounts.onInterest = (account, change) => this.tell(account, change);
    const { faults = NOT_CONTAINED } = options;
    const shared = {
      accounts,
      turn,
      clock,
      limits,
      counters,
      faults,
      logger: options.logger ?? silentLogger,
    };
    this.clientHost = {
      ...shared,
      authenticator:
        options.authenticator ??
        new Authenticator({ token: options.token, users: usersOf(options), noAuthUser: null }),
      info: (context) => `INFO {"client_id":${context.cid}}\r\n`,
      serverDetails: () => ({ server: "s", cluster: "c" }),
      onAdmitted: () => undefined,
      onRefused: () => void counters.authFailures++,
      onClosed: (session) => void this.closed.push(session),
    };
    this.routeHost = {
      ...shared,
      noHeaders: false,
      permissions: { import: null, export: null },
      judgeConnect: () => null,
      compression: () => ({ mode: "off", rttThresholdsMs: [] }),
      agreementLine: () => "INFO {}\r\n",
      onHandshakeInfo: () => undefined,
      onGossip: (session, json) => session.readGossip(json),
      onLaterInfo: () => undefined,
      takesInterest: () => true,
      onFirstPong: () => undefined,
      onClosed: (session) => void this.closed.push(session),
    };
  }

  /** A client that has just arrived and was told INFO. */
  arrive(wire = new MemoryWire()): Link<ClientSession> {
    const session = new ClientSession(this.clientHost, wire, this.nextId++, { entrance: INSIDE });
    session.open();
    session.outbox.flush();
    wire.take();
    return { wire, session };
  }

  /** A client after CONNECT; `options` as JSON fields. */
  client(options = "", wire = new MemoryWire()): Link<ClientSession> {
    const link = this.arrive(wire);
    const more = options === "" ? "" : `,${options}`;
    wire.receiveText(`CONNECT {"verbose":false,"pedantic":false,"headers":true${more}}\r\n`);
    wire.take();
    return link;
  }

  /** A client whose user belongs to an account. */
  clientIn(account: string, options = ""): Link<ClientSession> {
    return this.client(`"user":"${account}","pass":"p"${options === "" ? "" : `,${options}`}`);
  }

  /** A route that the mesh has registered. */
  route(registration: Partial<Registration> = {}, wire = new MemoryWire()): Link<RouteSession> {
    const session = new RouteSession(this.routeHost, wire, this.nextId++, "dialled");
    session.open("");
    const poolIndex = registration.poolIndex ?? 0;
    session.register({ peerId: "NPEER", peerName: "peer", account: null, ...registration, poolIndex });
    return { wire, session };
  }

  /** A route that the mesh knows nothing of yet: whoever found the port. */
  stranger(wire = new MemoryWire()): Link<RouteSession> {
    const session = new RouteSession(this.routeHost, wire, this.nextId++, "accepted");
    session.open("");
    return { wire, session };
  }

  private tell(account: Account, change: InterestChange): void {
    this.told.push({ account: account.name, ...change });
  }
}

/** A user for each account, of its name. */
function usersOf({ accounts }: StackOptions): KnownUser[] {
  return (accounts?.definition?.accounts ?? []).map(({ name }) => ({
    name,
    password: "p",
    account: name,
    permissions: null,
    connectionTypes: [],
  }));
}
