/** A family of metrics as the catalogues list it, and the bound on how many series an open-ended label may make. */
import { assert } from "../base/assert.ts";
import type { Look, LossLook, TrafficLook } from "./look.ts";

/** A value and its labels, in the order of the family's `labels`. */
export type Sample = readonly [value: number, ...labels: readonly string[]];

export interface Family {
  /** Without the prefix. */
  readonly name: string;
  /** "none": named as every program names it. Absent: the prefix of the server's own. */
  readonly prefix?: "none" | "jetstream";
  readonly type: "gauge" | "counter" | "untyped";
  readonly help: string;
  readonly labels: readonly string[];
  readonly samples: (look: Look) => Iterable<Sample>;
}

/** What names begin with, without the "_" behind it. */
export interface Prefixes {
  readonly own: string;
  /** The one of the exporter's metrics of streams and consumers. */
  readonly jetStream: string;
}

export function fullName({ name, prefix }: Family, { own, jetStream }: Prefixes): string {
  if (prefix === "none") return name;
  return `${prefix === "jetstream" ? jetStream : own}_${name}`;
}

const ACCOUNTS_MAX = 200;
const OTHER = "other";

export type Summed = TrafficLook &
  LossLook & {
    readonly name: string;
    /** What people call it. Absent: by its name. */
    readonly tag?: string;
    readonly connections: number;
    /** Absent: there are none. */
    readonly leafNodes?: number;
    readonly subscriptions: number;
  };

/** The first of the accounts by themselves, all others as one. */
export function boundedAccounts<A extends Summed>(accounts: readonly A[], max = ACCOUNTS_MAX): Summed[] {
  if (accounts.length <= max) return [...accounts];
  const sum = (figure: (account: A) => number): number =>
    accounts.slice(max).reduce((total, account) => total + figure(account), 0);
  const other: Summed = {
    name: OTHER,
    connections: sum((account) => account.connections),
    leafNodes: sum((account) => account.leafNodes ?? 0),
    subscriptions: sum((account) => account.subscriptions),
    inMessages: sum((account) => account.inMessages),
    inBytes: sum((account) => account.inBytes),
    outMessages: sum((account) => account.outMessages),
    outBytes: sum((account) => account.outBytes),
    slowConsumers: sum((account) => account.slowConsumers),
    droppedMessages: sum((account) => account.droppedMessages),
    droppedBytes: sum((account) => account.droppedBytes),
  };
  assert(accounts.length > max, "the label for others stands for at least one account");
  return [...accounts.slice(0, max), other];
}
