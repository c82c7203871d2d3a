/** The options of rebalancing. They are part of the section `cluster`. */
import { rowsOf, type Option } from "../option.ts";
import { bool, duration, integer } from "../values/value-type.ts";

export interface RebalanceConfig {
  readonly rebalances: boolean;
  /** Clients per second, at most. */
  readonly rebalanceRate: number;
  /** Percent above the mean. */
  readonly rebalanceTolerance: number;
  readonly rebalanceIntervalMs: number;
  readonly rebalanceCalmMs: number;
}

interface Seen {
  readonly cluster: RebalanceConfig;
}

const { option } = rowsOf<Seen, "cluster">("cluster", "Cluster");

export const rebalanceRows: readonly Option[] = [
  option({
    key: "cluster.rebalance.enabled",
    field: "rebalances",
    type: bool,
    default: false,
    reload: "restart",
    description:
      "Servers with far more clients than the mean ask some to move, slowly; all servers must have it",
  }),
  option({
    key: "cluster.rebalance.rate",
    field: "rebalanceRate",
    type: integer({ min: 1, max: 1_000_000, zero: "default" }),
    default: 10,
    reload: "restart",
    description: "Clients that a server asks to move in a second, at most",
  }),
  option({
    key: "cluster.rebalance.tolerance",
    field: "rebalanceTolerance",
    type: integer({ min: 1, max: 1000, zero: "default" }),
    default: 20,
    reload: "restart",
    description: "Percent over the mean from which on a server asks; it goes on down to the mean",
  }),
  option({
    key: "cluster.rebalance.interval",
    field: "rebalanceIntervalMs",
    type: duration({ minMs: 10, zero: "default", bareNumber: "refused" }),
    default: 5000,
    reload: "restart",
    description: "Time between two looks, and how often servers tell each other how many clients they have",
  }),
  option({
    key: "cluster.rebalance.calm",
    field: "rebalanceCalmMs",
    type: duration({ minMs: 10, zero: "default", bareNumber: "refused" }),
    default: 60_000,
    reload: "restart",
    description:
      "Time for which no server came or went before any client is asked, and for which that client was connected",
  }),
];
