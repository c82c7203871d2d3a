/**
 * The clients of a simulated server: one session of production for each account, on a memory wire. They subscribe, unsubscribe and
 * publish in the client protocol, and remember what they were sent.
 *
 * A message says who published it, and its number there: `server-id 17`.
 */
import { liveCell } from "../../src/base/live.ts";
import { Authenticator } from "../../src/auth/authenticator.ts";
import type { KnownUser } from "../../src/auth/known-user.ts";
import type { Clock } from "../../src/base/clock.ts";
import { silentLogger } from "../../src/base/logger.ts";
import type { Accounts } from "../../src/core/accounts.ts";
import type { ClientHost, ClientLimits } from "../../src/links/client/host.ts";
import { ClientSession } from "../../src/links/client/session.ts";
import type { Turn } from "../../src/links/trunk/turn.ts";
import { SERVER_SHUTDOWN } from "../../src/protocol/close-cause.ts";
import { INSIDE } from "../../src/ports/entrance.ts";
import { MemoryWire } from "../../src/transport/memory.ts";

export interface Topic {
  readonly subject: string;
  /** null: no queue group. */
  readonly queue: string | null;
}

interface Client {
  readonly wire: MemoryWire;
  readonly session: ClientSession;
  /** Numbers of subscriptions, by topic. */
  readonly sids: Map<string, number>;
  /** The beginning of a message that has not arrived whole. */
  rest: string;
}

const LIMITS: ClientLimits = {
  maxPayloadBytes: 1024,
  maxControlLineBytes: 4096,
  maxPendingBytes: 64 * 1024 * 1024,
  writeDeadlineMs: 10_000,
  maxSubscriptions: null,
  maxSubscriptionTokens: null,
  // They are never silent for so long that anybody would ask.
  pingIntervalMs: 1e9,
  pingMax: 2,
  noHeaders: false,
  dropsForSlow: false,
  authTimeoutMs: 2000,
};

export interface ClientsOptions {
  readonly accounts: Accounts;
  readonly accountNames: readonly string[];
  readonly turn: Turn;
  readonly clock: Clock;
  nextId(): number;
}

export class Clients {
  /** Messages received on subjects that are never given up: publisher and account -> numbers in the order of arrival. */
  readonly received = new Map<string, number[]>();
  /** Messages received on other subjects: how often, by account, subject and text. */
  readonly heard = new Map<string, number>();
  private readonly byAccount = new Map<string, Client>();
  private nextSid = 1;

  constructor(options: ClientsOptions) {
    const host = hostOf(options);
    for (const account of options.accountNames)
      this.byAccount.set(account, this.connect(host, account, options.nextId()));
  }

  /** Subscribes, unless it is subscribed. */
  subscribe(account: string, topic: Topic): void {
    const client = this.byAccount.get(account)!;
    const key = topicKey(topic);
    if (client.sids.has(key)) return;
    const sid = this.nextSid++;
    client.sids.set(key, sid);
    const group = topic.queue === null ? "" : ` ${topic.queue}`;
    client.wire.receiveText(`SUB ${topic.subject}${group} ${sid}\r\n`);
  }

  unsubscribe(account: string, topic: Topic): void {
    const client = this.byAccount.get(account)!;
    const sid = client.sids.get(topicKey(topic));
    if (sid === undefined) return;
    client.sids.delete(topicKey(topic));
    client.wire.receiveText(`UNSUB ${sid}\r\n`);
  }

  isSubscribed(account: string, topic: Topic): boolean {
    return this.byAccount.get(account)!.sids.has(topicKey(topic));
  }

  publish(account: string, subject: string, text: string): void {
    this.byAccount.get(account)!.wire.receiveText(`PUB ${subject} ${text.length}\r\n${text}\r\n`);
  }

  stop(): void {
    for (const { session, wire } of this.byAccount.values()) {
      session.close(SERVER_SHUTDOWN);
      wire.hangUp();
    }
  }

  private connect(host: ClientHost, account: string, id: number): Client {
    const wire: MemoryWire = new MemoryWire({
      far: {
        onOutput: (data) => this.take(account, data),
        onEnd: () => undefined,
        onDestroyed: () => undefined,
      },
    });
    const session = new ClientSession(host, wire, id, { entrance: INSIDE });
    const client = { wire, session, sids: new Map<string, number>(), rest: "" };
    this.byAccount.set(account, client);
    session.open();
    wire.receiveText(`CONNECT {"verbose":false,"pedantic":false,"user":"${account}","pass":"p"}\r\n`);
    return client;
  }

  private take(account: string, data: Uint8Array): void {
    const client = this.byAccount.get(account);
    if (client === undefined) return; // INFO
    let text = client.rest + Buffer.from(data.buffer, data.byteOffset, data.length).toString("latin1");
    for (;;) {
      const end = text.indexOf("\r\n");
      if (end < 0) break;
      const line = text.slice(0, end);
      if (line.startsWith("-ERR")) throw new Error(`a client was told ${line}`);
      if (!line.startsWith("MSG ")) {
        text = text.slice(end + 2);
        continue;
      }
      const length = Number(line.slice(line.lastIndexOf(" ") + 1));
      if (text.length < end + 2 + length + 2) break;
      this.hear(account, line.split(" ", 2)[1]!, text.slice(end + 2, end + 2 + length));
      text = text.slice(end + 2 + length + 2);
    }
    client.rest = text;
  }

  private hear(account: string, subject: string, text: string): void {
    if (subject !== STEADY_SUBJECT) {
      const key = `${account} ${subject} ${text}`;
      this.heard.set(key, (this.heard.get(key) ?? 0) + 1);
      return;
    }
    const [publisher, sequence] = text.split(" ", 2);
    const key = `${publisher} ${account}`;
    const sequences = this.received.get(key);
    if (sequences === undefined) this.received.set(key, [Number(sequence)]);
    else sequences.push(Number(sequence));
  }
}

/** Subscribed from the start to the end, by those whose plan says so. */
export const STEADY_SUBJECT = "s";

function topicKey({ subject, queue }: Topic): string {
  return queue === null ? subject : `${subject} ${queue}`;
}

function hostOf({ accounts, accountNames, turn, clock }: ClientsOptions): ClientHost {
  const counters = {
    slowConsumers: 0,
    slowConsumersByDeadline: 0,
    staleConnections: 0,
    authFailures: 0,
    tlsFailures: 0,
    stalls: 0,
  };
  return {
    accounts,
    turn,
    clock,
    counters,
    limits: liveCell(LIMITS),
    logger: silentLogger,
    authenticator: new Authenticator({ token: undefined, users: accountNames.map(userOf), noAuthUser: null }),
    faults: NOT_CONTAINED,
    info: ({ cid }) => `INFO {"client_id":${cid}}\r\n`,
    serverDetails: () => ({}),
    onAdmitted: () => undefined,
    onRefused: (_session, error) => {
      throw new Error(`a client was refused: ${error.text}`);
    },
    onClosed: () => undefined,
  };
}

/** Lets every error pass, so that a seed fails by it. */
export const NOT_CONTAINED = {
  contain(error: unknown): void {
    throw error;
  },
};

function userOf(account: string): KnownUser {
  return { name: account, password: "p", account, permissions: null, connectionTypes: [] };
}
