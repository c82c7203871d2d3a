/**
 * What accounts use on other servers of the cluster: each server tells of each account what it stores of it and how many requests it has
 * answered, in nats-server's bytes, when that changes and now and then. The limits of an account hold for all servers together.
 *
 *     memory, storage, requests, errors: 8 bytes each, signed, little endian; further tiers: 4 bytes; length of a tier's name: 8 bytes
 *
 * Bounded by accounts with JetStream and SERVERS_MAX servers of each.
 */
import type { PeerId } from "../raft/messages.ts";
import type { Clock } from "../base/clock.ts";
import type { GroupTransport } from "./group/group.ts";
import type { JetStream } from "./jetstream.ts";

const TELL_MS = 1500;
/** A usage that has not changed is told each so many times. */
const TELL_ANYWAY = 20;
const SERVERS_MAX = 1024;
const HEAD_BYTES = 44;

export interface AccountUsage {
  readonly memoryBytes: number;
  readonly storageBytes: number;
  readonly requests: number;
  readonly errors: number;
}

export interface ClusterUsageOptions {
  readonly self: PeerId;
  readonly clock: Clock;
  readonly transport: GroupTransport;
  readonly jetStream: JetStream;
}

const NOTHING: AccountUsage = { memoryBytes: 0, storageBytes: 0, requests: 0, errors: 0 };

export class ClusterUsage {
  private readonly options: ClusterUsageOptions;
  private readonly heard = new Map<string, Map<PeerId, AccountUsage>>();
  /** The last usage that others were told, as text. */
  private readonly told = new Map<string, string>();
  private beats = 0;
  private ear: Disposable | null = null;
  private timer: Disposable | null = null;

  constructor(options: ClusterUsageOptions) {
    this.options = options;
  }

  start(): void {
    this.ear = this.options.transport.listen("$JSC.ARU.*.*", (subject, _reply, payload) => {
      const [, , account = "", peer = ""] = subject.split(".");
      this.hear(account, peer, payload);
    });
    this.tellLater();
  }

  stop(): void {
    this.ear?.[Symbol.dispose]();
    this.timer?.[Symbol.dispose]();
  }

  /** A server is no member any more. */
  forget(peer: PeerId): void {
    for (const peers of this.heard.values()) peers.delete(peer);
  }

  /** On all other servers. */
  elsewhere(account: string): AccountUsage {
    const sum = { ...NOTHING };
    for (const one of this.heard.get(account)?.values() ?? []) {
      sum.memoryBytes += one.memoryBytes;
      sum.storageBytes += one.storageBytes;
      sum.requests += one.requests;
      sum.errors += one.errors;
    }
    return sum;
  }

  private hear(account: string, peer: PeerId, payload: Uint8Array): void {
    const { self, jetStream } = this.options;
    if (peer === self || payload.length < HEAD_BYTES || !jetStream.accounts.has(account)) return;
    let peers = this.heard.get(account);
    if (peers === undefined) this.heard.set(account, (peers = new Map<PeerId, AccountUsage>()));
    if (!peers.has(peer) && peers.size >= SERVERS_MAX) return;
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
    const at = (from: number): number => Number(bytes.readBigInt64LE(from));
    peers.set(peer, { memoryBytes: at(0), storageBytes: at(8), requests: at(16), errors: at(24) });
  }

  private tellLater(): void {
    this.timer = this.options.clock.setTimer(TELL_MS, () => {
      this.tell();
      this.tellLater();
    });
  }

  private tell(): void {
    const { jetStream, transport, self } = this.options;
    const isAnyway = this.beats++ % TELL_ANYWAY === 0;
    for (const [name, { assets }] of jetStream.accounts) {
      const { usage, counters } = assets;
      const numbers = [usage.bytesOf("memory"), usage.bytesOf("file"), counters.total, counters.errors];
      const text = numbers.join(" ");
      if (text === this.told.get(name) && !isAnyway) continue;
      this.told.set(name, text);
      const bytes = Buffer.alloc(HEAD_BYTES);
      for (const [i, number] of numbers.entries()) bytes.writeBigInt64LE(BigInt(number), i * 8);
      transport.send(`$JSC.ARU.${name}.${self}`, "", bytes);
    }
  }
}
