/** `/connz`: client connections, open and closed, sorted and paged. */
import { GLOBAL_ACCOUNT } from "../subject/account-names.ts";
import type { CertificateSnapshot } from "../links/client/snapshot.ts";
import type { OpenConnection } from "../ports/client/open-connection.ts";
import { json, type Answer } from "./answer.ts";
import type { ClosedConnection } from "./closed-connections.ts";
import { readConnzOptions, type ConnzOptions, type Row } from "./connz-options.ts";
import { goDuration, goTime, goUptime, orOmit } from "./go-format.ts";
import { List } from "./json.ts";
import type { Query } from "./query.ts";
import type { MonitorSource } from "./source.ts";
import { mapped, subscriptionFields, subscriptionLists } from "./subscription-fields.ts";
import { sortInTurns, type Turns } from "./turns.ts";

/** Connections examined per turn. */
const SLICE = 1000;

type Connection = OpenConnection | ClosedConnection;

interface ConnectionRow extends Row {
  readonly connection: Connection;
  readonly subscriptions: Connection["subscriptions"];
}

export async function connz(source: MonitorSource, query: Query, turns: Turns): Promise<Answer> {
  const options = readConnzOptions(query);
  const nowMs = source.nowMs();
  const { offset, limit } = options.page;
  if (options.account !== "" && source.accounts.get(options.account) === undefined) {
    // nats-server answers without an id, too.
    const none = { num_connections: 0, total: 0, offset, limit, connections: null };
    return json({ server_id: "", now: goTime(nowMs), ...none });
  }
  const candidates = connectionsOf(source, options);
  const { found, shown } = await turns.alone(() =>
    findPage(wanted(candidates, options), options, nowMs, turns),
  );
  return json({
    server_id: source.facts().id,
    now: goTime(nowMs),
    num_connections: shown.length,
    // Counted before `user`, `cid` and `mqtt_client` filter, as in nats-server.
    total: candidates.length,
    found: options.search === "" ? undefined : found,
    offset,
    limit,
    connections: new List(mapped(shown, (one) => connectionFields(rowOf(one, nowMs), options, nowMs))),
  });
}

/** Rows are only needed for sorting: while a slow reader waits, only the connections are kept. */
async function findPage(
  candidates: readonly Connection[],
  { sort, search, page: { offset, limit } }: ConnzOptions,
  nowMs: number,
  turns: Turns,
): Promise<{ found: number; shown: Connection[] }> {
  const rows: ConnectionRow[] = [];
  let looked = 0;
  for (const connection of candidates) {
    if (++looked % SLICE === 0) await turns.next();
    const row = rowOf(connection, nowMs);
    if (search === "" || isFoundBy(row, search)) rows.push(row);
  }
  const sorted = await sortInTurns(rows, sort, turns);
  return { found: rows.length, shown: sorted.slice(offset, offset + limit).map((row) => row.connection) };
}

/** Whether the text occurs in anything that identifies the connection. */
function isFoundBy({ client }: ConnectionRow, search: string): boolean {
  const { cid, name, address, port, user, account, lang, version, closedFor } = client;
  const text = `${cid} ${name} ${address}:${port} ${user} ${account} ${lang} ${version} ${closedFor}`;
  return text.toLowerCase().includes(search);
}

function connectionsOf(source: MonitorSource, { state, account }: ConnzOptions): Connection[] {
  const all: Connection[] = [
    ...(state === "closed" ? [] : source.clients.connections()),
    ...(state === "open" ? [] : source.closed),
  ];
  return account === "" ? all : all.filter((connection) => connection.account === account);
}

function wanted(candidates: Connection[], { cid, user, mqttClient }: ConnzOptions): Connection[] {
  if (mqttClient !== "") return [];
  if (cid > 0) return candidates.filter((connection) => connection.cid === cid);
  return user === "" ? candidates : candidates.filter((connection) => connection.user === user);
}

function rowOf(connection: Connection, nowMs: number): ConnectionRow {
  const client = connection.snapshot();
  const { stoppedMs, subscriptions } = connection;
  const uptimeMs = (stoppedMs ?? nowMs) - client.startedMs;
  return { connection, client, stoppedMs, uptimeMs, subscriptions };
}

function connectionFields(row: ConnectionRow, options: ConnzOptions, nowMs: number): object {
  const { client, stoppedMs } = row;
  return {
    cid: client.cid,
    kind: "Client",
    type: client.clientType,
    ip: client.address,
    port: client.port,
    start: goTime(client.startedMs),
    last_activity: goTime(client.lastActivityMs),
    stop: stoppedMs === null ? undefined : goTime(stoppedMs),
    reason: orOmit(client.closedFor),
    rtt: goDuration(client.roundTripMs),
    uptime: goUptime(row.uptimeMs),
    idle: goUptime((stoppedMs ?? nowMs) - client.lastActivityMs),
    pending_bytes: client.pendingBytes,
    in_msgs: client.inMessages,
    out_msgs: client.outMessages,
    in_bytes: client.inBytes,
    out_bytes: client.outBytes,
    stalls: orOmit(client.stalls),
    subscriptions: client.subscriptions,
    name: orOmit(client.name),
    lang: orOmit(client.lang),
    version: orOmit(client.version),
    ...tlsFields(row, options),
    ...(options.showsUsers ? userFields(row) : {}),
    ...listsOf(row, options),
    name_tag: options.showsUsers ? nameTag(row) : undefined,
    tags: options.showsUsers && (client.signed?.tags.length ?? 0) > 0 ? client.signed?.tags : undefined,
    proxy: client.proxyKey === "" ? undefined : { key: client.proxyKey },
  };
}

/** Closed connections omit the global account. */
function nameTag({ client: { account, accountTag }, stoppedMs }: ConnectionRow): string | undefined {
  return stoppedMs !== null && account === GLOBAL_ACCOUNT ? undefined : accountTag;
}

function tlsFields({ client: { tls }, connection }: ConnectionRow, { showsUsers }: ConnzOptions): object {
  if (tls === null) return {};
  const chain = showsUsers ? connection.certificates() : [];
  return {
    tls_version: tls.version,
    tls_cipher_suite: tls.cipherSuite,
    tls_peer_certs: chain.length === 0 ? undefined : chain.map(certificateFields),
    tls_first: orOmit(tls.isFirst),
  };
}

function certificateFields({ subject, keySha256, sha256 }: CertificateSnapshot): object {
  return { subject: orOmit(subject), spki_sha256: keySha256, cert_sha256: sha256 };
}

/** The global account is omitted. */
function userFields({ client }: ConnectionRow): object {
  return {
    authorized_user: orOmit(client.user),
    account: client.account === GLOBAL_ACCOUNT ? undefined : client.account,
    jwt: orOmit(client.signed?.jwt ?? ""),
    issuer_key: orOmit(client.signed?.issuer ?? ""),
  };
}

function listsOf({ client, subscriptions, stoppedMs }: ConnectionRow, { lists }: ConnzOptions): object {
  // Closed connections show the account of each subscription.
  const extra = stoppedMs === null ? {} : { account: client.account, account_tag: client.accountTag };
  return subscriptionLists(
    lists,
    subscriptions,
    (one) => one.subject,
    (one) => ({ ...extra, ...subscriptionFields(one, client.cid) }),
  );
}
