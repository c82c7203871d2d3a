/**
 * What prometheus-nats-exporter shows of a nats-server, under the same names and with the same labels, so that what was made
 * for it works unchanged. Types are the exporter's but for eight names that Prometheus' conventions do not allow for their
 * type: these are untyped. Sums of `connz` are over all connections, not over a page of them.
 */
import { readings } from "./documents.ts";
import { boundedAccounts, type Family, type Sample, type Summed } from "./family.ts";
import { fieldHelp } from "./field-help.ts";
import type { ClientsLook, Look } from "./look.ts";

const SERVER = ["server_id"] as const;
/** Default limit of `/connz`. */
const CONNZ_LIMIT = 1024;

/** `varz` and `subsz`: a family for each number in what they answer at present. */
export function documentFamilies(look: Look): Family[] {
  return [...familiesOf("varz", look.varz), ...familiesOf("subsz", look.subsz, SUBSZ_LEFT_OUT)];
}

/** Fields of the list, which is not requested. */
const SUBSZ_LEFT_OUT: ReadonlySet<string> = new Set(["server_id"]);

function* familiesOf(
  endpoint: "varz" | "subsz",
  document: object,
  leftOut?: ReadonlySet<string>,
): Generator<Family> {
  for (const { name, value, text } of readings(document)) {
    if (leftOut?.has(name) === true) continue;
    yield {
      name: `${endpoint}_${name}`,
      type: name.endsWith("_total") ? "untyped" : "gauge",
      help: fieldHelp(endpoint, name),
      labels: text === null ? SERVER : [...SERVER, "value"],
      samples: ({ serverId }) => [text === null ? [value, serverId] : [value, serverId, text]],
    };
  }
}

export const exporterFamilies: readonly Family[] = [
  ofServer("routez_num_routes", "Connections to other servers, each of a pool.", (look) => {
    return look.cluster?.routes ?? 0;
  }),
  ofServer("healthz_status", "0 while the server serves clients, 1 while it does not.", (look) =>
    look.health === "ok" ? 0 : 1,
  ),
  {
    name: "healthz_status_value",
    type: "gauge",
    help: "1 while the server serves clients, 0 while it does not; the label tells what /healthz says.",
    labels: [...SERVER, "value"],
    samples: ({ serverId, health }) => [[health === "ok" ? 1 : 0, serverId, health]],
  },
  ofServer("connz_num_connections", "Open client connections.", ({ clients }) => clients.open),
  untyped(ofServer("connz_total", "Open client connections.", ({ clients }) => clients.open)),
  ofServer("connz_offset", "First connection of a page of /connz that is not asked for otherwise.", () => 0),
  ofServer("connz_limit", "Connections on a page of /connz where it is not asked for.", () => CONNZ_LIMIT),
  ofServer("connz_pending_bytes", "Bytes pending for open client connections.", ({ clients }) =>
    clients.pendingBytes.reduce((sum, bytes) => sum + bytes, 0),
  ),
  ofServer("connz_subscriptions", "Subscriptions of open client connections.", ({ clients }) => {
    return clients.subscriptions;
  }),
  ofOpenClients("connz_in_msgs", "Messages from the clients that are connected.", (t) => t.inMessages),
  ofOpenClients("connz_in_bytes", "Bytes of payload from the clients that are connected.", (t) => t.inBytes),
  ofOpenClients("connz_out_msgs", "Messages to the clients that are connected.", (t) => t.outMessages),
  ofOpenClients("connz_out_bytes", "Bytes of payload to the clients that are connected.", (t) => t.outBytes),
  ofAccount("current_connections", "Client connections of the account.", (a) => a.connections),
  ofAccount("total_connections", "Client connections of the account.", (a) => a.connections),
  ofAccount("subscriptions", "Interest in the account, of clients here and of other servers.", (a) => {
    return a.subscriptions;
  }),
  ofAccount("leaf_nodes", "Connections of leaf nodes in the account.", (a) => a.leafNodes ?? 0),
  ofAccount("sent_messages", "Messages sent in the account, to clients and other servers.", (a) => {
    return a.outMessages;
  }),
  ofAccount("sent_bytes", "Bytes of payload sent in the account.", (a) => a.outBytes),
  ofAccount("received_messages", "Messages received in the account, from clients and other servers.", (a) => {
    return a.inMessages;
  }),
  ofAccount("received_bytes", "Bytes of payload received in the account.", (a) => a.inBytes),
  ofAccount("slow_consumers", "Connections of the account that were cut as slow consumers.", (a) => {
    return a.slowConsumers;
  }),
];

function ofServer(name: string, help: string, value: (look: Look) => number): Family {
  return {
    name,
    type: "gauge",
    help,
    labels: SERVER,
    samples: (look) => [[value(look), look.serverId]],
  };
}

/** The exporter has them as counters, yet they fall when a connection ends. */
function ofOpenClients(name: string, help: string, value: (t: ClientsLook["traffic"]) => number): Family {
  return untyped(ofServer(name, help, ({ clients }) => value(clients.traffic)));
}

function untyped(family: Family): Family {
  return { ...family, type: "untyped" };
}

function ofAccount(name: string, help: string, value: (account: Omit<Summed, "name">) => number): Family {
  return {
    name: `accstatz_${name}`,
    type: "gauge",
    help,
    labels: [...SERVER, "account", "account_id", "account_name"],
    samples: ({ serverId, accounts }) =>
      boundedAccounts(accounts).map((account): Sample => [
        value(account),
        serverId,
        account.name,
        account.name,
        account.tag ?? account.name,
      ]),
  };
}
