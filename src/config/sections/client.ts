/** The ports for clients: where they listen, limits of clients, TLS. */
import type { ConfError } from "../formats/nats-conf/node.ts";
import { rowsOf, type Section } from "../option.ts";
import { advertise, listen, port, type Address } from "../values/address.ts";
import { clientTls, type TlsConfig } from "../values/tls.ts";
import { bool, count, duration, hostName, integer, limit, size } from "../values/value-type.ts";

export interface ClientConfig {
  readonly host: string;
  /** 0: the system picks a free port (-1 in a configuration). */
  readonly port: number;
  readonly advertise: Address | null;
  /** Host of the external listener. null: the same as `host`. */
  readonly externalHost: string | null;
  /** Port of the external listener. null: there is none; 0: the system picks a free port. */
  readonly externalPort: number | null;
  /** null: external clients are told no address of this server. */
  readonly externalAdvertise: Address | null;
  /** null: no limit. */
  readonly maxConnections: number | null;
  /** Per connection. null: no limit. */
  readonly maxSubscriptions: number | null;
  /** null: no limit. */
  readonly maxSubscriptionTokens: number | null;
  readonly maxPayloadBytes: number;
  readonly maxPendingBytes: number;
  readonly maxControlLineBytes: number;
  readonly writeDeadlineMs: number;
  readonly pingIntervalMs: number;
  readonly pingMax: number;
  /** Messages have no headers. */
  readonly noHeaders: boolean;
  /** Publishers are not slowed down for slow receivers. */
  readonly noProducerStall: boolean;
  /** null: plaintext. */
  readonly tls: TlsConfig | null;
  /** With TLS, plaintext clients are accepted as well. */
  readonly allowNonTls: boolean;
}

export interface SeenByClient {
  readonly client: ClientConfig;
}

const KB = 1024;
const MB = 1024 * KB;
/** The largest payload with max_payload: -1, unless max_pending is smaller. */
const PAYLOAD_MAX_BYTES = 64 * MB;
const PAYLOAD_DISCOURAGED_BYTES = 8 * MB;

const payloadSize = size({ min: 1, max: PAYLOAD_MAX_BYTES, zero: "default" });
/** nats-server takes a negative size for "no limit". */
const payload: typeof payloadSize = {
  ...payloadSize,
  fromNode: (node, notes) =>
    node.kind === "int" && node.value < 0n ? -1 : payloadSize.fromNode(node, notes),
};

/** nats-server accepts a tls block without a certificate, and then refuses every connection that needs one. */
export const LACKS_CERTIFICATE =
  "tls: missing cert_file in TLS configuration; only with allow_non_tls there may be none";

const { option, composite } = rowsOf<SeenByClient, "client">("client", "Limits");

export const client: Section<SeenByClient, "client"> = {
  name: "client",
  rows: [
    composite({
      key: "listen",
      fields: ["client.host", "client.port"],
      heading: "Server",
      type: listen,
      assign(sheet, { host, port: number }, at) {
        sheet.assign("client.host", host, at);
        sheet.assign("client.port", number, at);
      },
      defaultText: "0.0.0.0:4222",
      reload: "restart",
      description: "Host and port for clients in one",
    }),
    option({
      key: "host",
      aliases: ["net"],
      field: "host",
      heading: "Server",
      type: hostName,
      default: "0.0.0.0",
      flags: ["a", "addr", "net"],
      reload: "restart",
      description: "Address to listen on for clients",
    }),
    option({
      key: "port",
      field: "port",
      heading: "Server",
      type: port,
      default: 4222,
      flags: ["p", "port"],
      reload: "restart",
      description: "Port for clients, -1 for a free one",
    }),
    option({
      key: "client_advertise",
      field: "advertise",
      heading: "Server",
      type: advertise,
      default: null,
      flags: ["client_advertise"],
      flagValue: "<string>",
      reload: "live",
      description: "Address that other servers tell their clients instead of this server's own",
    }),
    option({
      key: "external.host",
      field: "externalHost",
      heading: "Server",
      type: hostName,
      default: null,
      defaultText: "host",
      reload: "restart",
      description: "Address that the second listener for clients listens on",
    }),
    option({
      key: "external.port",
      field: "externalPort",
      heading: "Server",
      type: port,
      default: null,
      defaultText: "off",
      reload: "restart",
      description:
        "Port of a second listener for clients outside, who are told of addresses outside alone; -1 for a free one",
    }),
    option({
      key: "external.advertise",
      field: "externalAdvertise",
      heading: "Server",
      type: advertise,
      default: null,
      reload: "restart",
      description: "Address at which clients outside reach that listener",
    }),
    option({
      key: "max_connections",
      aliases: ["max_conn"],
      field: "maxConnections",
      type: count,
      default: 65_536,
      reload: "live",
      description: "Client connections at a time; 0 lets nobody in",
    }),
    option({
      key: "max_subscriptions",
      aliases: ["max_subs"],
      field: "maxSubscriptions",
      type: limit("integer"),
      default: null,
      defaultText: "no limit",
      reload: "live",
      description: "Subscriptions of one connection, 0 for no limit",
    }),
    option({
      key: "max_sub_tokens",
      aliases: ["max_subscription_tokens"],
      field: "maxSubscriptionTokens",
      type: integer({ min: 1, max: 255, zero: "itself" }),
      default: null,
      defaultText: "no limit",
      reload: "live",
      description: "Tokens of a subscribed subject",
    }),
    option({
      key: "max_payload",
      field: "maxPayloadBytes",
      type: payload,
      default: MB,
      reload: "live",
      description: "Largest message; not above max_pending, and better not above 8MB. -1 for the most, 64MB",
    }),
    option({
      key: "max_pending",
      field: "maxPendingBytes",
      type: size({ min: 1, max: Number.MAX_SAFE_INTEGER, zero: "default" }),
      default: 64 * MB,
      reload: "live",
      description: "Bytes that may wait for one client before it counts as too slow",
    }),
    option({
      key: "max_control_line",
      field: "maxControlLineBytes",
      type: size({ min: 1, max: MB, zero: "default" }),
      default: 4 * KB,
      reload: "live",
      description: "Longest protocol line (subject, reply and queue names included)",
    }),
    option({
      key: "write_deadline",
      field: "writeDeadlineMs",
      type: duration({ minMs: 1, zero: "default", bareNumber: "seconds, with a warning" }),
      default: 10_000,
      reload: "live",
      description: "Time a client has to take what was written before it counts as too slow",
    }),
    option({
      key: "ping_interval",
      field: "pingIntervalMs",
      type: duration({ minMs: 1, zero: "default", bareNumber: "seconds, with a warning" }),
      default: 120_000,
      reload: "live",
      description: "Time between PINGs to an idle client",
    }),
    option({
      key: "ping_max",
      field: "pingMax",
      type: integer({ min: 1, max: Number.MAX_SAFE_INTEGER, zero: "default" }),
      default: 2,
      reload: "live",
      description: "Unanswered PINGs after which a client is dropped",
    }),
    option({
      key: "no_header_support",
      field: "noHeaders",
      type: bool,
      default: false,
      reload: "restart",
      description: "Clients and routes do without headers of messages",
    }),
    option({
      key: "no_fast_producer_stall",
      field: "noProducerStall",
      type: bool,
      default: false,
      reload: "live",
      description:
        "Do not make clients wait that send faster than others receive: those get less from 75% of max_pending on",
    }),
    option({
      key: "tls",
      field: "tls",
      heading: "TLS",
      type: clientTls,
      default: null,
      defaultText: "off",
      reload: "live",
      description: "TLS for clients: the block of keys described in docs/security.md",
    }),
    option({
      key: "allow_non_tls",
      field: "allowNonTls",
      heading: "TLS",
      type: bool,
      default: false,
      reload: "live",
      description: "With TLS, plaintext clients are served as well",
    }),
  ],
  complete: ({ client: { maxPayloadBytes, maxPendingBytes } }) =>
    maxPayloadBytes >= 0 ? {} : { maxPayloadBytes: Math.min(PAYLOAD_MAX_BYTES, maxPendingBytes) },
  check({ client: { maxPayloadBytes, maxPendingBytes, tls, allowNonTls } }, sheet) {
    const errors: ConfError[] = [];
    if (maxPayloadBytes > maxPendingBytes) {
      const reason = `max_payload (${maxPayloadBytes}) cannot be higher than max_pending (${maxPendingBytes})`;
      errors.push(sheet.errorAt(["client.maxPayloadBytes", "client.maxPendingBytes"], reason));
    }
    if (tls !== null && tls.certificates.length === 0 && !allowNonTls)
      errors.push(sheet.errorAt(["client.tls"], LACKS_CERTIFICATE));
    return errors;
  },
  advise({ client: { maxPayloadBytes, allowNonTls, tls } }, warn) {
    if (maxPayloadBytes > PAYLOAD_DISCOURAGED_BYTES)
      warn("client.maxPayloadBytes", "maximum payloads over 8MB are discouraged, they slow all others down");
    if (allowNonTls && tls === null)
      warn("client.allowNonTls", "allow_non_tls has no effect without a tls block");
  },
};
