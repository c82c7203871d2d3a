/**
 * Counts the connections that accounts have to other servers, as those publish them: a limit of an account holds for all servers of a cluster
 * together, as in nats-server. Counts are a moment old, so that some may get in beyond a limit; then the newest are closed.
 *
 * Bounds: only accounts with such a limit are counted, each for SERVERS_MAX servers, and what is not repeated is forgotten.
 */
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { parseJson } from "../base/json.ts";
import type { Account } from "../core/account.ts";
import type { Accounts } from "../core/accounts.ts";
import { Listener, type Heard } from "../core/listener.ts";
import { toByteString } from "../protocol/info.ts";

const [BEFORE, BEHIND] = ["$SYS.SERVER.ACCOUNT.", ".CONNS"];
const SERVERS_MAX = 1000;
/** Servers repeat their counts after half a minute. */
const FORGET_MS = 90_000;
const LOOK_EVERY_MS = 30_000;
const MESSAGE_BYTES_MAX = 64 * 1024;

export interface ElsewhereWorld {
  readonly accounts: Accounts;
  readonly system: Account;
  readonly clock: Clock;
  readonly serverId: string;
  /** A token of subjects that identifies this server. */
  readonly serverHash: string;
  /** An account may have more connections than its limit permits now. */
  onGrowth(this: void, account: Account): void;
}

interface Count {
  readonly connections: number;
  readonly leafnodes: number;
  readonly atMs: number;
}

export class ConnectionsElsewhere implements Disposable {
  private readonly world: ElsewhereWorld;
  /** By server. */
  private readonly counts = new Map<Account, Map<string, Count>>();
  private readonly listeners: Listener[] = [];
  private readonly inbox: string;
  private timer: Disposable | null = null;
  private isOver = false;

  constructor(world: ElsewhereWorld) {
    this.world = world;
    this.inbox = `$SYS._INBOX.${world.serverHash}.CONNS`;
    // Every server publishes them under an older and a newer subject.
    for (const subject of [`${BEFORE}*${BEHIND}`, this.inbox]) this.on(subject, (heard) => this.heard(heard));
    for (const subject of ["$SYS.SERVER.*.SHUTDOWN", "$SYS.SERVER.*.LAMEDUCK"])
      this.on(subject, (heard) => this.forget(heard.subject.split(".")[2] ?? ""));
    this.lookAgain();
  }

  [Symbol.dispose](): void {
    this.isOver = true;
    this.timer?.[Symbol.dispose]();
    for (const listener of this.listeners) this.world.system.unsubscribe(listener);
    for (const account of this.counts.keys()) account.elsewhere = { connections: 0, leafnodes: 0 };
    this.counts.clear();
  }

  /** Asks the others: the account is needed here. */
  ask(account: Account): void {
    if (this.isOver || !isLimited(account)) return;
    this.world.system.send(`$SYS.REQ.ACCOUNT.${toByteString(account.name)}.CONNS`, "", this.inbox);
  }

  private on(subject: string, act: (heard: Heard) => void): void {
    const listener = new Listener(subject, (heard) => {
      // Connections are not closed while a message is being delivered.
      if (heard.payload.length <= MESSAGE_BYTES_MAX) setImmediate(() => this.isOver || act(heard));
    });
    this.listeners.push(listener);
    this.world.system.subscribe(listener);
  }

  private heard({ subject, payload }: Heard): void {
    const { accounts, serverId, clock } = this.world;
    // Most accounts have no limit, and a server with many tells of many.
    const named = accounts.get(subject.slice(BEFORE.length, -BEHIND.length));
    if (named !== undefined && !isLimited(named)) return this.drop(named);
    const told = parseJson(Buffer.from(payload).toString("utf8")) as Record<string, unknown> | undefined;
    const account = accounts.get(textIn(told, "acc"));
    const server = textIn(told?.["server"], "id");
    if (account?.isConfigured !== true || server === "" || server === serverId) return;
    if (!isLimited(account)) return this.drop(account);
    const counts = this.counts.get(account) ?? new Map<string, Count>();
    if (counts.size >= SERVERS_MAX && !counts.has(server)) return;
    const count = {
      connections: numberIn(told, "conns"),
      leafnodes: numberIn(told, "leafnodes"),
      atMs: clock.nowMs(),
    };
    this.counts.set(account, counts.set(server, count));
    assert(counts.size <= SERVERS_MAX, "servers whose connections are counted stay within their bound");
    this.sum(account, counts);
  }

  private sum(account: Account, counts: ReadonlyMap<string, Count>): void {
    const before = account.elsewhere;
    const total = { connections: 0, leafnodes: 0 };
    for (const { connections, leafnodes } of counts.values()) {
      total.connections += connections;
      total.leafnodes += leafnodes;
    }
    account.elsewhere = total;
    const hasGrown = total.connections > before.connections || total.leafnodes > before.leafnodes;
    if (hasGrown) this.world.onGrowth(account);
  }

  private drop(account: Account): void {
    if (this.counts.delete(account)) account.elsewhere = { connections: 0, leafnodes: 0 };
  }

  /** The server leaves. */
  private forget(server: string): void {
    for (const [account, counts] of this.counts) if (counts.delete(server)) this.sum(account, counts);
  }

  private lookAgain(): void {
    this.timer = this.world.clock.setTimer(LOOK_EVERY_MS, () => {
      this.lookAgain();
      const sinceMs = this.world.clock.nowMs() - FORGET_MS;
      for (const [account, counts] of this.counts) {
        for (const [server, { atMs }] of counts) if (atMs < sinceMs) counts.delete(server);
        if (counts.size === 0 || !isLimited(account)) this.drop(account);
        else this.sum(account, counts);
      }
    });
  }
}

function isLimited({ limits }: Account): boolean {
  return limits.maxConnections !== null || (limits.maxLeafNodes ?? null) !== null;
}

function textIn(value: unknown, name: string): string {
  const found = fieldIn(value, name);
  return typeof found === "string" ? found : "";
}

function numberIn(value: unknown, name: string): number {
  const found = fieldIn(value, name);
  return typeof found === "number" && Number.isSafeInteger(found) && found > 0 ? found : 0;
}

function fieldIn(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
