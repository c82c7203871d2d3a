/**
 * What accounts use on other servers of the cluster: each server tells of each account what it stores of it and how many requests it has
 * answered, in nats-server's bytes, when that changes and now and then. The limits of an account hold for all servers together.
 *
 *     memory, storage, requests, errors: 8 bytes each, signed, little endian; further tiers: 4 bytes; length of a tier's name: 8 bytes; name
 *     for each further tier: memory, storage, length of its name: 8 bytes each; name
 *
 * An account without tiers has one, without a name. Bounded by accounts with JetStream, SERVERS_MAX servers and TIERS_MAX tiers of each.
 */
import type { PeerId } from "../raft/messages.ts";
import type { Clock } from "../base/clock.ts";
import type { GroupTransport } from "./group/group.ts";
import type { JetStream } from "./jetstream.ts";

const TELL_MS = 1500;
/** A usage that has not changed is told each so many times. */
const TELL_ANYWAY = 20;
const SERVERS_MAX = 1024;
const TIERS_MAX = 32;
const HEAD_BYTES = 44;
/** What a further tier takes, without its name. */
const ROW_BYTES = 24;

interface TierUsage {
  readonly memoryBytes: number;
  readonly storageBytes: number;
}

/** `memoryBytes` and `storageBytes`: of all tiers. */
export interface AccountUsage extends TierUsage {
  readonly requests: number;
  readonly errors: number;
  /** By name; "": the account has no tiers. */
  readonly tiers: ReadonlyMap<string, TierUsage>;
}

export interface ClusterUsageOptions {
  readonly self: PeerId;
  readonly clock: Clock;
  readonly transport: GroupTransport;
  readonly jetStream: JetStream;
}

const NO_TIER: TierUsage = { memoryBytes: 0, storageBytes: 0 };

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
    const sum = { memoryBytes: 0, storageBytes: 0, requests: 0, errors: 0 };
    const tiers = new Map<string, TierUsage>();
    for (const one of this.heard.get(account)?.values() ?? []) {
      sum.memoryBytes += one.memoryBytes;
      sum.storageBytes += one.storageBytes;
      sum.requests += one.requests;
      sum.errors += one.errors;
      for (const [name, tier] of one.tiers) tiers.set(name, sumOf(tiers.get(name) ?? NO_TIER, tier));
    }
    return { ...sum, tiers };
  }

  /** Bytes of one tier on all other servers; "": of all tiers. */
  bytesElsewhere(account: string, storage: "memory" | "file", tier: string): number {
    const field = storage === "file" ? "storageBytes" : "memoryBytes";
    let sum = 0;
    for (const one of this.heard.get(account)?.values() ?? [])
      sum += tier === "" ? one[field] : (one.tiers.get(tier)?.[field] ?? 0);
    return sum;
  }

  private hear(account: string, peer: PeerId, payload: Uint8Array): void {
    const { self, jetStream } = this.options;
    if (peer === self || payload.length < HEAD_BYTES || !jetStream.accounts.has(account)) return;
    let peers = this.heard.get(account);
    if (peers === undefined) this.heard.set(account, (peers = new Map<PeerId, AccountUsage>()));
    if (!peers.has(peer) && peers.size >= SERVERS_MAX) return;
    const usage = readUsage(Buffer.from(payload.buffer, payload.byteOffset, payload.length));
    if (usage !== null) peers.set(peer, usage);
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
      const { usage, counters, limits } = assets;
      const tiers = limits.tiers === null ? [""] : [...limits.tiers.keys()].slice(0, TIERS_MAX);
      const used = tiers.map((tier): [string, TierUsage] => [
        tier,
        { memoryBytes: usage.bytesOf("memory", tier), storageBytes: usage.bytesOf("file", tier) },
      ]);
      const text = JSON.stringify([used, counters.total, counters.errors]);
      if (text === this.told.get(name) && !isAnyway) continue;
      this.told.set(name, text);
      const bytes = writeUsage(used, { requests: counters.total, errors: counters.errors });
      transport.send(`$JSC.ARU.${name}.${self}`, "", bytes);
    }
  }
}

function sumOf(one: TierUsage, other: TierUsage): TierUsage {
  return {
    memoryBytes: one.memoryBytes + other.memoryBytes,
    storageBytes: one.storageBytes + other.storageBytes,
  };
}

function writeUsage(
  tiers: readonly (readonly [name: string, usage: TierUsage])[],
  { requests, errors }: Pick<AccountUsage, "requests" | "errors">,
): Buffer {
  const rows = tiers.map(([name, { memoryBytes, storageBytes }], i) => {
    const row = Buffer.alloc((i === 0 ? HEAD_BYTES : ROW_BYTES) + name.length);
    const numbers = i === 0 ? [memoryBytes, storageBytes, requests, errors] : [memoryBytes, storageBytes];
    let at = 0;
    for (const number of numbers) at = row.writeBigInt64LE(BigInt(number), at);
    if (i === 0) at = row.writeUInt32LE(tiers.length - 1, at);
    row.write(name, row.writeBigUInt64LE(BigInt(name.length), at), "latin1");
    return row;
  });
  return Buffer.concat(rows);
}

/** null: it is none. */
function readUsage(bytes: Buffer): AccountUsage | null {
  const number = (at: number): number => Number(bytes.readBigInt64LE(at));
  const tiers = new Map<string, TierUsage>();
  const further = bytes.readUInt32LE(HEAD_BYTES - 12);
  let sum = NO_TIER;
  let at = 0;
  for (let row = 0; row <= Math.min(further, TIERS_MAX); row++) {
    const end = at + (row === 0 ? HEAD_BYTES : ROW_BYTES);
    if (end > bytes.length) return null;
    const length = number(end - 8);
    if (length < 0 || length > bytes.length - end) return null;
    const tier = { memoryBytes: number(at), storageBytes: number(at + 8) };
    tiers.set(bytes.toString("latin1", end, end + length), tier);
    sum = sumOf(sum, tier);
    at = end + length;
  }
  return { ...sum, tiers, requests: number(16), errors: number(24) };
}
