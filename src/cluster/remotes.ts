/**
 * Which address of a remote leaf connection is dialled next, and when. Pure: dials and timers are the caller's.
 *
 *     dialling --failed--> waiting (longer each time) --> dialling, at the next address
 *        '------connected----> connected --ended--> waiting
 *
 * Bounds: ADDRESSES_MAX addresses that the peer has told of; the wait, RETRY_FACTOR_MAX intervals.
 */
import { assert } from "../base/assert.ts";
import { backoffDelayMs } from "../base/backoff.ts";
import type { Random } from "../base/random.ts";

/** A peer's further addresses are ignored. */
const ADDRESSES_MAX = 256;
/** The longest wait, in reconnect intervals. */
const RETRY_FACTOR_MAX = 8;

export interface RemoteAddress {
  /** A name or an IP address. */
  readonly host: string;
  readonly port: number;
}

export interface RemoteOptions<A extends RemoteAddress> {
  readonly configured: readonly A[];
  readonly keepsOrder: boolean;
  /** What it is at the time: a reload may change it. */
  intervalMs(this: void): number;
}

export class RemoteDials<A extends RemoteAddress> {
  private readonly options: RemoteOptions<A>;
  private readonly random: Random;
  /** As in nats-server, addresses that the peer has announced come first. */
  private addresses: readonly A[];
  private next = 0;
  private failures = 0;

  constructor(options: RemoteOptions<A>, random: Random) {
    assert(options.configured.length > 0, "a remote has an address");
    this.options = options;
    this.random = random;
    this.addresses = options.keepsOrder ? options.configured : shuffled(options.configured, random);
  }

  /** The address to dial now. */
  take(): A {
    const address = this.addresses[this.next % this.addresses.length];
    assert(address !== undefined, "there is an address to dial");
    this.next = (this.next + 1) % this.addresses.length;
    return address;
  }

  /** The peer has announced all its addresses; configured ones stay. */
  learn(told: readonly A[]): void {
    const { configured, keepsOrder } = this.options;
    const isNew = (one: A): boolean =>
      !configured.some(({ host, port }) => host === one.host && port === one.port);
    const fresh = told.slice(0, ADDRESSES_MAX).filter(isNew);
    const all = [...fresh, ...configured];
    this.addresses = keepsOrder ? all : shuffled(all, this.random);
    this.next = 0;
  }

  /** A dial has failed, or a connection has ended before messages could cross. Returns how long to wait. */
  failed(): number {
    this.failures++;
    return this.delayMs(this.failures);
  }

  connected(): void {
    this.failures = 0;
  }

  /** A connection over which messages could cross has ended. */
  ended(): number {
    return this.delayMs(1);
  }

  get failureCount(): number {
    return this.failures;
  }

  private delayMs(failures: number): number {
    const intervalMs = this.options.intervalMs();
    const options = { baseMs: intervalMs, maxMs: intervalMs * RETRY_FACTOR_MAX, factor: 2, jitter: 0.25 };
    return backoffDelayMs(options, failures, this.random);
  }
}

function shuffled<T>(list: readonly T[], random: Random): readonly T[] {
  const result = [...list];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.min(i, Math.floor(random.next() * (i + 1)));
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}
