/** The rows of the schema for rebalancing. */

import { option, type Option } from "../option.ts";
import { bool, duration, integer } from "../values/value-type.ts";

export const rebalanceOptions: readonly Option[] = [
  option({
    key: "cluster.rebalance.enabled",
    field: "cluster.rebalances",
    section: "Cluster",
    type: bool,
    default: false,
    reload: "restart",
    description:
      "Servers with far more clients than the mean ask some to move, slowly; all servers must have it",
  }),
  option({
    key: "cluster.rebalance.rate",
    field: "cluster.rebalanceRate",
    section: "Cluster",
    type: integer({ min: 1, max: 1_000_000, zero: "default" }),
    default: 10,
    reload: "restart",
    description: "Clients that a server asks to move in a second, at most",
  }),
  option({
    key: "cluster.rebalance.tolerance",
    field: "cluster.rebalanceTolerance",
    section: "Cluster",
    type: integer({ min: 1, max: 1000, zero: "default" }),
    default: 20,
    reload: "restart",
    description: "Percent over the mean from which on a server asks; it goes on down to the mean",
  }),
  option({
    key: "cluster.rebalance.interval",
    field: "cluster.rebalanceIntervalMs",
    section: "Cluster",
    type: duration({ minMs: 10, zero: "default", bareNumber: "refused" }),
    default: 5000,
    reload: "restart",
    description: "Time between two looks, and how often servers tell each other how many clients they have",
  }),
  option({
    key: "cluster.rebalance.calm",
    field: "cluster.rebalanceCalmMs",
    section: "Cluster",
    type: duration({ minMs: 10, zero: "default", bareNumber: "refused" }),
    default: 60_000,
    reload: "restart",
    description:
      "Time for which no server came or went before any client is asked, and for which that client was connected",
  }),
];
