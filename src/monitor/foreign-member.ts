/**
 * A nats-server as a member of `/clusterz`. It has no `/memberz`, so the member is assembled from its VARZ, ROUTEZ and the figures of
 * its accounts. It reports neither zones nor readiness nor missing members. Its answers are unchecked: anything but a number counts as 0.
 */
import { ACCOUNTS_MAX, figures, numberOf, RouteSums } from "./memberz.ts";

type Told = Readonly<Record<string, unknown>>;

const RTT = /([\d.]+)(h|ms|m|µs|us|ns|s)/g;
const MS: Readonly<Record<string, number>> = {
  h: 3.6e6,
  m: 6e4,
  s: 1000,
  ms: 1,
  µs: 1e-3,
  us: 1e-3,
  ns: 1e-6,
};

/** A nats-server, which knows neither zones nor readiness, in the terms of `/memberz`. */
export function foreignFields(varz: Told, routez: Told, accountStatz: Told): Told {
  const nowMs = timeOf(varz["now"]);
  const sums = new RouteSums();
  for (const route of listOf(routez["routes"])) {
    sums.add({
      remote_id: textOf(route["remote_id"]),
      remote_name: textOf(route["remote_name"]),
      rtt_ms: milliseconds(textOf(route["rtt"])),
      pending: numberOf(route["pending_size"]),
      in_msgs: numberOf(route["in_msgs"]),
      out_msgs: numberOf(route["out_msgs"]),
      in_bytes: numberOf(route["in_bytes"]),
      out_bytes: numberOf(route["out_bytes"]),
    });
  }
  return {
    ...figures(varz),
    server_id: varz["server_id"],
    server_name: textOf(varz["server_name"]),
    kind: "nats-server",
    version: textOf(varz["version"]),
    zone: "",
    now_ms: nowMs,
    uptime_ms: nowMs - timeOf(varz["start"]),
    state: "ready",
    is_ready: true,
    reasons: [],
    missing: [],
    awaited: [],
    routes: sums.list(),
    accounts: listOf(accountStatz["account_statz"])
      .map(accountFields)
      .toSorted((a, b) => b.connections - a.connections)
      .slice(0, ACCOUNTS_MAX),
    events: [],
  };
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function milliseconds(goDuration: string): number {
  let sum = 0;
  for (const [, figure, unit = ""] of goDuration.matchAll(RTT)) sum += Number(figure) * (MS[unit] ?? 0);
  return sum;
}

interface AccountFigures {
  readonly name: string;
  readonly connections: number;
  readonly [figure: string]: string | number;
}

/** Figures of clients only, as shoal reports them; old nats-servers do not separate them from routes. */
function accountFields(told: Told): AccountFigures {
  const clients = (direction: unknown, figure: string): number => {
    const all = recordOf(direction);
    return Math.max(0, numberOf(all[figure]) - numberOf(recordOf(all["routes"])[figure]));
  };
  return {
    name: textOf(told["acc"]),
    connections: numberOf(told["conns"]),
    subscriptions: numberOf(told["num_subscriptions"]),
    in_msgs: clients(told["received"], "msgs"),
    out_msgs: clients(told["sent"], "msgs"),
    in_bytes: clients(told["received"], "bytes"),
    out_bytes: clients(told["sent"], "bytes"),
    slow_consumers: numberOf(told["slow_consumers"]),
  };
}

function recordOf(value: unknown): Told {
  return typeof value === "object" && value !== null ? (value as Told) : {};
}

function listOf(value: unknown): Told[] {
  return Array.isArray(value) ? value.map(recordOf) : [];
}

function timeOf(value: unknown): number {
  return numberOf(Date.parse(textOf(value)));
}
