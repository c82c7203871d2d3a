/**
 * What every numeric option makes of 0, of a negative number, of the largest one and of what is beyond it. The list of options
 * comes from the schema: a new one fails until it stands in the table. nats-server is asked for its verdict on each.
 */
import { describe, expect, it } from "vitest";
import { OPTIONS } from "../../../src/config/schema.ts";
import { askNatsServer, load, natsServer } from "./sources.ts";

/** The largest number that is kept, and the longest time: beyond them values are cut. */
const MOST = Number.MAX_SAFE_INTEGER;
const LONGEST = 2 ** 31 - 1;

const refused = "refused";
type Outcome = number | null | typeof refused;

/** 0, negative, the largest of 32 bits (of ports: the largest), the largest of 64 bits (of ports: one more). */
type Row = readonly [zero: Outcome, negative: Outcome, large: Outcome, largest: Outcome];

const VALUES: Readonly<Record<string, readonly [string, string, string, string]>> = {
  integer: ["0", "-1", "2147483647", "9223372036854775807"],
  size: ["0", "-1", "2147483647", "9223372036854775807"],
  port: ["0", "-1", "65535", "65536"],
  duration: ['"0s"', '"-1s"', '"600h"', '"2562047h"'],
};
const BEYOND: Readonly<Record<string, string>> = {
  integer: "9223372036854775808",
  size: "9223372036854775808",
  port: "9223372036854775808",
  duration: '"2562048h"',
};

/** Where 0 means the default, the default stands in its place. */
const TABLE: Readonly<Record<string, Row>> = {
  port: [4222, 0, 65_535, refused],
  "external.port": [null, 0, 65_535, refused],
  http_port: [null, 0, 65_535, refused],
  // Without the tls block that it needs.
  https_port: [null, refused, refused, refused],
  "metrics.port": [null, 0, 65_535, refused],
  lame_duck_duration: [25_000, refused, LONGEST, LONGEST],
  lame_duck_grace_period: [5000, refused, refused, refused],
  max_connections: [0, 0, 2_147_483_647, MOST],
  max_subscriptions: [null, null, 2_147_483_647, MOST],
  max_sub_tokens: [refused, refused, refused, refused],
  max_payload: [1_048_576, 67_108_864, refused, refused],
  max_pending: [67_108_864, refused, 2_147_483_647, MOST],
  max_control_line: [4096, refused, refused, refused],
  write_deadline: [10_000, refused, LONGEST, LONGEST],
  ping_interval: [120_000, refused, LONGEST, LONGEST],
  ping_max: [2, refused, 2_147_483_647, MOST],
  max_closed_clients: [10_000, refused, refused, refused],
  connect_error_reports: [3600, refused, 2_147_483_647, MOST],
  reconnect_error_reports: [1, refused, 2_147_483_647, MOST],
  "authorization.timeout": [2000, refused, refused, refused],
  max_traced_msg_len: [null, null, 2_147_483_647, MOST],
  log_size_limit: [null, null, 2_147_483_647, MOST],
  log_max_num: [null, null, 2_147_483_647, MOST],
  "jetstream.max_mem": [0, null, 2_147_483_647, MOST],
  "jetstream.max_file": [0, null, 2_147_483_647, MOST],
  "jetstream.cluster_size": [refused, refused, refused, refused],
  "jetstream.scrub_interval": [null, refused, LONGEST, LONGEST],
  "jetstream.leave_within": [null, refused, LONGEST, LONGEST],
  "jetstream.limits.max_ack_pending": [null, null, 2_147_483_647, MOST],
  "jetstream.limits.max_request_batch": [null, null, 2_147_483_647, MOST],
  "jetstream.limits.max_ha_assets": [null, null, 2_147_483_647, MOST],
  "jetstream.limits.batch.max_inflight_per_stream": [null, null, 2_147_483_647, MOST],
  "jetstream.limits.batch.max_inflight_total": [null, null, 2_147_483_647, MOST],
  "jetstream.limits.batch.max_msgs": [null, null, 2_147_483_647, MOST],
  "jetstream.request_queue_limit": [null, null, 2_147_483_647, MOST],
  "jetstream.info_queue_limit": [null, null, 2_147_483_647, MOST],
  "jetstream.limits.default_max_consumers": [1000, 0, 2_147_483_647, MOST],
  "jetstream.limits.duplicate_window": [null, null, LONGEST, LONGEST],
  "jetstream.limits.batch.timeout": [null, null, LONGEST, LONGEST],
  "cluster.port": [null, 0, 65_535, refused],
  "cluster.authorization.timeout": [2000, refused, refused, refused],
  "cluster.readiness_wait": [30_000, refused, LONGEST, LONGEST],
  "cluster.discovery.interval": [5000, refused, LONGEST, LONGEST],
  "cluster.connect_retries": [0, 0, 2_147_483_647, MOST],
  "cluster.pool_size": [3, -1, refused, refused],
  "cluster.ping_interval": [5000, refused, refused, refused],
  "cluster.ping_max": [2, refused, 2_147_483_647, MOST],
  "cluster.write_deadline": [10_000, refused, LONGEST, LONGEST],
  "cluster.rebalance.rate": [10, refused, refused, refused],
  "cluster.rebalance.tolerance": [20, refused, refused, refused],
  "cluster.rebalance.interval": [5000, refused, LONGEST, LONGEST],
  "cluster.rebalance.calm": [60_000, refused, LONGEST, LONGEST],
  // Without the tls block that it needs.
  "leafnodes.port": [null, 0, 65_535, refused],
  "leafnodes.authorization.timeout": [2000, refused, refused, refused],
  "leafnodes.reconnect": [1000, refused, LONGEST, LONGEST],
  "leafnodes.dial_timeout": [2000, refused, LONGEST, LONGEST],
  "leafnodes.ping_interval": [120_000, refused, LONGEST, LONGEST],
  "leafnodes.ping_max": [2, refused, 2 ** 31 - 1, MOST],
  "leafnodes.write_deadline": [10_000, refused, LONGEST, LONGEST],
  "websocket.port": [null, refused, refused, refused],
  "websocket.handshake_timeout": [0, refused, LONGEST, LONGEST],
  "websocket.ping_interval": [null, refused, LONGEST, LONGEST],
  "websocket.authorization.timeout": [null, refused, LONGEST, LONGEST],
};

/** Options that nats-server does not have. */
const OWN =
  /^(?:external|metrics)\.|^jetstream\.(?:scrub_interval|cluster_size|leave_within)$|^cluster\.(?:readiness_wait|discovery|rebalance)/;

/** Values on which nats-server decides otherwise, each with the reason. */
const DIFFERENCES: Readonly<Record<string, string>> = {
  "port 65536": "nats-server finds out when it listens",
  "http_port 65536": "nats-server finds out when it listens",
  "https_port -1": "nats-server finds out when it listens that there is no tls block",
  "https_port 65535": "likewise",
  "https_port 65536": "likewise",
  "cluster.port 65536": "nats-server finds out when it listens",
  'lame_duck_duration "0s"': "stands for the default",
  "max_control_line -1": "nats-server takes it, and refuses each line of a client",
  "max_control_line 2147483647": "1 MB is the most that is kept of a line",
  'write_deadline "-1s"': "nats-server takes it, and cuts each client",
  'ping_interval "-1s"': "nats-server takes it, and finds each client stale",
  "ping_max -1": "nats-server takes it, and finds each client stale that it sends a PING",
  "max_closed_clients -1": "nats-server takes it, and panics when it starts",
  "max_closed_clients 2147483647": "a million is the most that is kept",
  "max_closed_clients 9223372036854775807": "nats-server takes it, and panics when it starts",
  "connect_error_reports -1": "means nothing",
  "reconnect_error_reports -1": "means nothing",
  'authorization.timeout "-1s"': "nats-server takes it, and closes each client",
  'cluster.authorization.timeout "-1s"': "nats-server takes it, and closes each route",
  "cluster.pool_size 2147483647": "a pool that large has no memory",
  "cluster.pool_size 9223372036854775807": "nats-server takes it, and panics at some such values",
  'cluster.ping_interval "-1s"': "nats-server takes it, and finds each route stale",
  "cluster.ping_max -1": "nats-server takes it, and finds each route stale that it sends a PING",
  'cluster.write_deadline "-1s"': "nats-server takes it, and cuts each route",
  "leafnodes.port 65536": "nats-server finds out when it listens",
  'leafnodes.authorization.timeout "-1s"': "nats-server takes it, and closes each leaf node",
  'leafnodes.reconnect "-1s"': "nats-server takes it, and does not wait",
  'leafnodes.dial_timeout "-1s"': "nats-server takes it, and connects to nobody",
  'leafnodes.ping_interval "-1s"': "nats-server takes it, and finds each leaf node stale",
  "leafnodes.ping_max -1": "nats-server takes it, and finds each leaf node stale that it sends a PING",
  'leafnodes.write_deadline "-1s"': "nats-server takes it, and cuts each leaf node",
  'websocket.handshake_timeout "-1s"': "nats-server takes it, and waits indefinitely",
  'websocket.ping_interval "-1s"': "nats-server takes it, and means its own default",
  'websocket.authorization.timeout "-1s"': "nats-server takes any text there, and means a second by it",
  'websocket.authorization.timeout "2562048h"': "likewise",
};

const numeric = OPTIONS.filter(({ typeName }) => VALUES[typeName] !== undefined);

function configText(key: string, value: string): string {
  const [name, ...blocks] = key.split(".").reverse();
  return blocks.reduce((inner, block) => `${block} {\n${inner}\n}`, `${name}: ${value}`);
}

function outcome(key: string, value: string): Outcome {
  const result = load({ files: { "a.conf": configText(key, value) } });
  const check = load({ args: ["-t"], files: { "a.conf": configText(key, value) } });
  if (result.kind !== "run" || check.kind === "error") return refused;
  const [section = "", name = ""] = OPTIONS.find((option) => option.key === key)!.fields[0]!.split(".");
  return (result.config as unknown as Record<string, Record<string, Outcome>>)[section]![name]!;
}

describe("a numeric option", () => {
  it("stands in the table, and nothing else does", () => {
    expect(numeric.map(({ key }) => key).toSorted()).toEqual(Object.keys(TABLE).toSorted());
  });

  it.each(numeric)("makes of 0, -1 and large numbers what the table says: $key", ({ key, typeName }) => {
    expect(VALUES[typeName]!.map((value) => outcome(key, value))).toEqual(TABLE[key]);
    expect(outcome(key, BEYOND[typeName]!)).toBe(refused);
  });

  it("is refused where it is no whole number", () => {
    for (const { key, typeName } of numeric)
      if (typeName !== "duration") expect([key, outcome(key, "1.5")]).toEqual([key, refused]);
  });
});

describe.skipIf(natsServer === undefined)("nats-server -t", () => {
  const shared = numeric.filter(({ key }) => !OWN.test(key));

  it.each(shared)("decides the same of $key, but for what is meant", ({ key, typeName }) => {
    for (const value of [...VALUES[typeName]!, BEYOND[typeName]!]) {
      const differs = DIFFERENCES[`${key} ${value}`] !== undefined;
      const { accepts, output } = askNatsServer(natsServer!.path, configText(key, value));
      const accepted = outcome(key, value) !== refused;
      expect([key, value, accepts !== accepted, output]).toEqual([key, value, differs, output]);
    }
  });
});
