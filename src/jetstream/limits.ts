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

export function tierOf({ replicas }: Pick<StreamConfig, "replicas">): string {
  return `R${Math.max(1, replicas)}`;
}

type Storage = StreamConfig["storage"];

/** Sums are computed from the streams that there are, never counted up and down. */
export class Usage {
  /** The subjects of all streams; the names of the streams own them. */
  private readonly subjects = new OverlapIndex<string>();
  private readonly streams: ReadonlyMap<string, { readonly stream: Stream }>;
  private limits: JetStreamLimits;
  /** What the account stores on other servers. */
  elsewhereBytes: (storage: Storage) => number = () => 0;
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

  /** Bytes of all streams with this storage. */
  bytesOf(storage: Storage): number {
    let sum = 0;
    for (const { stream } of this.streams.values())
      if (stream.config.storage === storage) sum += stream.store.bytes;
    return sum;
  }

  /** Bytes set aside by `max_bytes`. */
  reservedBytes(storage: Storage): number {
    let sum = 0;
    for (const { stream } of this.streams.values())
      if (stream.config.storage === storage) sum += Math.max(0, stream.config.maxBytes);
    return sum;
  }

  /** Infinity: no limit. */
  bytesLeft(storage: Storage): number {
    const most = this.mostOf(storage);
    return most < 0 ? Infinity : most - this.bytesOf(storage) - this.elsewhereBytes(storage);
  }

  /** What all streams with this storage may still take. */
  roomFor(storage: Storage): Room {
    const isAccountFull = (): boolean => this.bytesLeft(storage) <= this.serverBytesLeft(storage);
    return {
      bytesLeft: () => Math.min(this.serverBytesLeft(storage), this.bytesLeft(storage)),
      refusal: () => (isAccountFull() ? apiErrors.resourcesExceeded() : apiErrors.insufficientResources()),
    };
  }

  /** Whether there may be such a stream. `before`: what it is now, or null. Throws `ApiError`. */
  check(config: StreamConfig, before: StreamConfig | null): void {
    const { limits } = this;
    if (limits.tiers !== null && !limits.tiers.has(tierOf(config))) throw apiErrors.noLimits();
    if (before === null && limits.maxStreams >= 0 && this.streams.size >= limits.maxStreams)
      throw apiErrors.maximumStreams();
    if (limits.maxBytesRequired && config.maxBytes <= 0) throw apiErrors.maxBytesRequired();
    const most = config.storage === "file" ? limits.maxFileStreamBytes : limits.maxMemoryStreamBytes;
    if (most > 0 && config.maxBytes > most) throw apiErrors.streamMaxBytesExceeded();
    if (config.subjects.some((subject) => this.subjects.meets(subject, config.name)))
      throw apiErrors.subjectsOverlap();
    this.checkReservation(config, before);
  }

  private checkReservation({ storage, maxBytes }: StreamConfig, before: StreamConfig | null): void {
    const refusal = (): ApiError =>
      storage === "file" ? apiErrors.insufficientStorage() : apiErrors.insufficientMemory();
    if (before === null && this.serverBytesLeft(storage) <= 0) throw refusal();
    const more = Math.max(0, maxBytes) - Math.max(0, before?.maxBytes ?? 0);
    if (more <= 0) return;
    const most = this.mostOf(storage);
    if (most >= 0 && this.reservedBytes(storage) + more > most) throw refusal();
    if (more > this.serverBytesLeft(storage)) throw refusal();
  }

  /** -1: no limit. */
  private mostOf(storage: Storage): number {
    return storage === "file" ? this.limits.maxFileBytes : this.limits.maxMemoryBytes;
  }
}
