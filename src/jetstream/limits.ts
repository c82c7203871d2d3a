/** What an account may store: its limits, what it uses of them, and which configurations of streams they allow. */
import { OverlapIndex } from "../subject/overlap-index.ts";
import { apiErrors, type ApiError } from "./api-error.ts";
import type { StreamConfig } from "./stream/config.ts";
import type { Room } from "./stream/judge.ts";
import type { Stream } from "./stream/stream.ts";

/** -1: no limit. */
export interface TierLimits {
  readonly maxMemoryBytes: number;
  readonly maxFileBytes: number;
  readonly maxStreams: number;
  readonly maxConsumers: number;
  readonly maxAckPending: number;
  readonly maxBytesRequired: boolean;
  readonly maxMemoryStreamBytes: number;
  readonly maxFileStreamBytes: number;
}

/** Those of the account; with tiers, of streams with one replica. */
export interface JetStreamLimits extends TierLimits {
  /** By name, R1 and the like, as an operator has signed them: streams of other numbers of replicas are refused. null: there are none. */
  readonly tiers: ReadonlyMap<string, TierLimits> | null;
}

export const NO_LIMITS: JetStreamLimits = {
  maxMemoryBytes: -1,
  maxFileBytes: -1,
  maxStreams: -1,
  maxConsumers: -1,
  maxAckPending: -1,
  maxBytesRequired: false,
  maxMemoryStreamBytes: -1,
  maxFileStreamBytes: -1,
  tiers: null,
};

type Replicated = Pick<StreamConfig, "replicas">;

export function tierOf({ replicas }: Replicated): string {
  return `R${Math.max(1, replicas)}`;
}

/** The limits of streams and consumers with so many replicas. Throws `ApiError` where tiers have none. */
export function limitsFor(limits: JetStreamLimits, of: Replicated): TierLimits {
  if (limits.tiers === null) return limits;
  const found = limits.tiers.get(tierOf(of));
  if (found === undefined) throw apiErrors.noLimits();
  return found;
}

/** Whether the limits that hold for one hold for the other, too. */
export function shareLimits({ tiers }: JetStreamLimits, one: Replicated, other: Replicated): boolean {
  return tiers === null || tierOf(one) === tierOf(other);
}

/** What a stream sets aside of what its account may store: limits without tiers count each copy. */
export function reservedBy({ tiers }: JetStreamLimits, { maxBytes, replicas }: StreamConfig): number {
  return Math.max(0, maxBytes) * (tiers === null ? Math.max(1, replicas) : 1);
}

type Storage = StreamConfig["storage"];

/** Sums are computed from the streams that there are, never counted up and down. */
export class Usage {
  /** The subjects of all streams; the names of the streams own them. */
  private readonly subjects = new OverlapIndex<string>();
  private readonly streams: ReadonlyMap<string, { readonly stream: Stream }>;
  private limits: JetStreamLimits;
  /** What the account stores on other servers; `tier`: of this one, "": of all. */
  elsewhereBytes: (storage: Storage, tier: string) => number = () => 0;
  private readonly serverBytesLeft: (storage: Storage) => number;

  constructor(
    streams: ReadonlyMap<string, { readonly stream: Stream }>,
    limits: JetStreamLimits,
    serverBytesLeft: (storage: Storage) => number,
  ) {
    this.streams = streams;
    this.limits = limits;
    this.serverBytesLeft = serverBytesLeft;
  }

  /** What there is stays, even beyond the limits. */
  useLimits(limits: JetStreamLimits): void {
    this.limits = limits;
  }

  noteSubjects({ subjects, name }: StreamConfig): void {
    for (const subject of subjects) this.subjects.add(subject, name);
  }

  forgetSubjects({ subjects, name }: StreamConfig): void {
    for (const subject of subjects) this.subjects.remove(subject, name);
  }

  /** Bytes of all streams with this storage; `tier`: of this one, "": of all. */
  bytesOf(storage: Storage, tier = ""): number {
    let sum = 0;
    for (const { stream } of this.streams.values())
      if (stream.config.storage === storage && (tier === "" || tierOf(stream.config) === tier))
        sum += stream.store.bytes;
    return sum;
  }

  /** Bytes set aside by `max_bytes`. */
  reservedBytes(storage: Storage): number {
    let sum = 0;
    for (const { stream } of this.streams.values())
      if (stream.config.storage === storage) sum += Math.max(0, stream.config.maxBytes);
    return sum;
  }

  /**
   * What one copy of such a stream may still take; Infinity: no limit. The bytes of all copies count, and those of a tier are limited
   * by so much for each of its replicas.
   */
  bytesLeft(config: StreamConfig): number {
    const { storage } = config;
    const { limits } = this;
    const copies = Math.max(1, config.replicas);
    const tier = limits.tiers === null ? "" : tierOf(config);
    const of = limits.tiers === null ? limits : limits.tiers.get(tier);
    if (of === undefined) return 0;
    const most = mostOf(of, storage);
    if (most < 0) return Infinity;
    const used = this.bytesOf(storage, tier) + this.elsewhereBytes(storage, tier);
    return (most * (tier === "" ? 1 : copies) - used) / copies;
  }

  /** What a stream may still take. `of`: its configuration, which can change. */
  roomFor(of: () => StreamConfig): Room {
    const onServer = (config: StreamConfig): number => this.serverBytesLeft(config.storage);
    const isAccountFull = (config: StreamConfig): boolean => this.bytesLeft(config) <= onServer(config);
    return {
      bytesLeft: () => Math.min(onServer(of()), this.bytesLeft(of())),
      refusal: () =>
        isAccountFull(of()) ? apiErrors.resourcesExceeded() : apiErrors.insufficientResources(),
    };
  }

  /** Whether there may be such a stream. `before`: what it is now, or null. Throws `ApiError`. */
  check(config: StreamConfig, before: StreamConfig | null): void {
    const limits = limitsFor(this.limits, config);
    if (before === null && limits.maxStreams >= 0 && this.streams.size >= limits.maxStreams)
      throw apiErrors.maximumStreams();
    if (limits.maxBytesRequired && config.maxBytes <= 0) throw apiErrors.maxBytesRequired();
    const most = config.storage === "file" ? limits.maxFileStreamBytes : limits.maxMemoryStreamBytes;
    if (most > 0 && config.maxBytes > most) throw apiErrors.streamMaxBytesExceeded();
    if (config.subjects.some((subject) => this.subjects.meets(subject, config.name)))
      throw apiErrors.subjectsOverlap();
    this.checkReservation(config, before, mostOf(limits, config.storage));
  }

  /** `most`: bytes of the account; -1: no limit. */
  private checkReservation(
    { storage, maxBytes }: StreamConfig,
    before: StreamConfig | null,
    most: number,
  ): void {
    const refusal = (): ApiError =>
      storage === "file" ? apiErrors.insufficientStorage() : apiErrors.insufficientMemory();
    if (before === null && this.serverBytesLeft(storage) <= 0) throw refusal();
    const more = Math.max(0, maxBytes) - Math.max(0, before?.maxBytes ?? 0);
    if (more <= 0) return;
    if (most >= 0 && this.reservedBytes(storage) + more > most) throw refusal();
    if (more > this.serverBytesLeft(storage)) throw refusal();
  }
}

/** Bytes; -1: no limit. */
export function mostOf(limits: TierLimits, storage: Storage): number {
  return storage === "file" ? limits.maxFileBytes : limits.maxMemoryBytes;
}
