/**
 * Publishes events in the system account: clients and leaf nodes that connect and disconnect, clients that are refused, and the number of
 * connections of an account.
 * An event without interest, here or on another server, costs one lookup.
 *
 * Events may arise during a delivery (a slow reader is closed), so they are sent in a later round of the event loop. Bounds: WAITING_MAX
 * events wait, further ones are lost and counted; the connections of an account are published at most once per CONNECTIONS_PAUSE_MS.
 */
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { nuid } from "../base/base62.ts";
import type { Random } from "../base/random.ts";
import type { Account } from "../core/account.ts";
import type { AdmittedSnapshot } from "../links/trunk/snapshot.ts";
import { accountStatistics } from "../monitor/accounts.ts";
import { goTime, nanoseconds, orOmit } from "../monitor/go-format.ts";
import type { MonitorSource } from "../monitor/source.ts";
import type { PeerError } from "../protocol/errors.ts";
import { toByteString } from "../protocol/info.ts";
import type { Stamp } from "./stamp.ts";

const WAITING_MAX = 16_384;
/** Events that are sent in one round of the event loop. */
const SENT_PER_ROUND = 100;
const CONNECTIONS_PAUSE_MS = 100;
/** Interval without changes, as in nats-server. */
const CONNECTIONS_REPEAT_MS = 30_000;
const ADVISORY = "io.nats.server.advisory.v1.";

export interface EventsWorld {
  readonly source: MonitorSource;
  readonly stamp: Stamp;
  readonly clock: Clock;
  readonly random: Random;
  readonly system: Account;
}

/** The client or the leaf node that an event is about. */
export interface EventClient {
  readonly account: Account;
  /** Called where somebody listens. */
  readonly snapshot: () => AdmittedSnapshot;
}

interface Waiting {
  readonly subject: string;
  readonly body: object;
}

export class Events implements Disposable {
  /** Events that were lost because too many waited. */
  lost = 0;
  private readonly world: EventsWorld;
  private waiting: Waiting[] = [];
  private isOver = false;
  /** Accounts whose connections are to be told of. */
  private readonly due = new Set<Account>();
  private round: NodeJS.Immediate | null = null;
  /** Timers of accounts that have connections or have just changed. */
  private readonly timers = new Map<Account, { readonly timer: Disposable; readonly isRepeat: boolean }>();

  constructor(world: EventsWorld) {
    this.world = world;
  }

  connected({ account, snapshot }: EventClient): void {
    this.connectionsChanged(account);
    const subject = `$SYS.ACCOUNT.${toByteString(account.name)}.CONNECT`;
    if (!this.isHeard(subject)) return;
    this.tell(subject, "client_connect", { client: clientFields(snapshot()) });
  }

  disconnected({ account, snapshot }: EventClient): void {
    this.connectionsChanged(account);
    const subject = `$SYS.ACCOUNT.${toByteString(account.name)}.DISCONNECT`;
    if (!this.isHeard(subject)) return;
    const client = snapshot();
    this.tell(subject, "client_disconnect", this.leaveFields(client, client.closedFor));
  }

  refused({ snapshot }: EventClient, { closes }: PeerError): void {
    const subject = `$SYS.SERVER.${this.world.source.facts().id}.CLIENT.AUTH.ERR`;
    if (this.isHeard(subject))
      this.tell(subject, "client_disconnect", this.leaveFields(snapshot(), closes?.reason ?? ""));
  }

  /** Schedules the event about the connections of an account. */
  private connectionsChanged(account: Account): void {
    if (this.isOver || account === this.world.source.accounts.global) return; // as with nats-server
    const waiting = this.timers.get(account);
    if (waiting !== undefined && !waiting.isRepeat) return;
    this.schedule(account, CONNECTIONS_PAUSE_MS, false);
  }

  /** The connections of an account, for events and for requests. */
  connectionsOf(account: Account): object {
    const { source } = this.world;
    return this.typed("account_connections", accountStatistics(source, account));
  }

  /** Sends the waiting events. */
  flush(): void {
    if (this.round !== null) clearImmediate(this.round);
    this.round = null;
    for (const { subject, body } of this.waiting.splice(0)) this.send(subject, body);
  }

  /** As many connections may have come and gone at once as there are. */
  private flushSome(): void {
    this.round = null;
    for (const { subject, body } of this.waiting.splice(0, SENT_PER_ROUND)) this.send(subject, body);
    let left = SENT_PER_ROUND;
    for (const account of this.due) {
      if (left-- === 0) break;
      this.due.delete(account);
      this.tellConnections(account);
    }
    assert(this.waiting.length <= WAITING_MAX, "events that wait stay within their bound");
    if (this.waiting.length > 0 || this.due.size > 0) this.round ??= setImmediate(() => this.flushSome());
  }

  [Symbol.dispose](): void {
    this.isOver = true;
    if (this.round !== null) clearImmediate(this.round);
    for (const { timer } of this.timers.values()) timer[Symbol.dispose]();
    this.timers.clear();
    this.due.clear();
  }

  private schedule(account: Account, delayMs: number, isRepeat: boolean): void {
    this.timers.get(account)?.timer[Symbol.dispose]();
    const timer = this.world.clock.setTimer(delayMs, () => {
      this.due.add(account); // with many others, perhaps
      this.round ??= setImmediate(() => this.flushSome());
    });
    this.timers.set(account, { timer, isRepeat });
  }

  private tellConnections(account: Account): void {
    if (account.connections > 0) this.schedule(account, CONNECTIONS_REPEAT_MS, true);
    else this.timers.delete(account);
    const name = toByteString(account.name);
    const subjects = [`$SYS.SERVER.ACCOUNT.${name}.CONNS`, `$SYS.ACCOUNT.${name}.SERVER.CONNS`];
    const heard = subjects.filter((subject) => this.isHeard(subject));
    if (heard.length === 0) return;
    const body = this.connectionsOf(account);
    for (const subject of heard) this.send(subject, body);
  }

  private isHeard(subject: string): boolean {
    return !this.isOver && this.world.system.interest.covers(subject);
  }

  private tell(subject: string, type: string, fields: object): void {
    if (this.waiting.length >= WAITING_MAX) {
      this.lost++;
      return;
    }
    this.waiting.push({ subject, body: this.typed(type, fields) });
    this.round ??= setImmediate(() => this.flushSome());
  }

  private typed(type: string, fields: object): object {
    const { clock, random, stamp } = this.world;
    return {
      type: ADVISORY + type,
      id: nuid(random),
      timestamp: goTime(clock.nowMs()),
      server: stamp.next(),
      ...fields,
    };
  }

  private send(subject: string, body: object): void {
    this.world.system.send(subject, Buffer.from(JSON.stringify(body)));
  }

  private leaveFields(client: AdmittedSnapshot, reason: string): object {
    const stop = goTime(this.world.clock.nowMs());
    return {
      client: clientFields(client, { rtt: orOmit(nanoseconds(client.roundTripMs)), stop }),
      sent: { msgs: client.inMessages, bytes: client.inBytes },
      received: { msgs: client.outMessages, bytes: client.outBytes },
      reason,
    };
  }
}

function clientFields(client: AdmittedSnapshot, extra: object = {}): object {
  return {
    start: goTime(client.startedMs),
    host: client.address,
    id: client.cid,
    acc: client.account,
    user: orOmit(client.user),
    name: orOmit(client.name),
    lang: orOmit(client.lang),
    ver: orOmit(client.version),
    ...extra,
    name_tag: client.accountTag,
    tags: (client.signed?.tags.length ?? 0) > 0 ? client.signed?.tags : undefined,
    jwt: orOmit(client.signed?.jwt ?? ""),
    issuer_key: orOmit(client.signed?.issuer ?? ""),
    kind: client.clientType === "" ? "Leafnode" : "Client",
    client_type: orOmit(client.clientType),
  };
}
