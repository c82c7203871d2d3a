/** `/accountz`: which accounts there are, or one in detail. `/accstatz`: what they carry. */
import type { Account } from "../core/account.ts";
import { json, type Answer } from "./answer.ts";
import { goTime, shownText } from "./go-format.ts";
import { List } from "./json.ts";
import type { AccountInForce } from "../auth/operator/accounts.ts";
import { exportTerms, signedFields } from "./signed-account.ts";
import { BadQuery, type Query } from "./query.ts";
import type { AccountTraffic, MonitorSource } from "./source.ts";
import { mapped } from "./subscription-fields.ts";
import { interestFigures } from "./subsz.ts";
import type { Traffic } from "../links/trunk/traffic.ts";

export function accountz(source: MonitorSource, query: Query): Answer {
  const name = query.text("acc");
  const account = source.accounts.get(name);
  if (name !== "" && account === undefined) throw new BadQuery(`Account ${name} does not exist`);
  return json({
    server_id: source.facts().id,
    now: goTime(source.nowMs()),
    system_account: source.accounts.system?.name,
    ...(account === undefined
      ? { accounts: Array.from(source.accounts, (each) => each.name) }
      : { account_detail: accountDetail(source, account) }),
  });
}

function accountDetail(source: MonitorSource, account: Account): object {
  const signed = source.signed(account.name);
  return {
    account_name: account.name,
    update_time: goTime(signed?.updatedMs ?? source.facts().configLoadedMs),
    is_system: account === source.accounts.system ? true : undefined,
    expired: signed?.isOver === true,
    complete: signed?.isComplete !== false,
    jetstream_enabled: (source.jetStream()?.report.account(account.name) ?? null) !== null,
    leafnode_connections: account.leafnodes,
    client_connections: account.connections - account.leafnodes,
    subscriptions: account.interest.size,
    mappings: mappingFields(account),
    exports: orOmitted(exportFields(account, signed)),
    imports: orOmitted(importFields(account)),
    name_tag: account.nameTag || account.name,
    ...(signed === null ? {} : signedFields(signed, source.nowMs())),
    sublist_stats: interestFigures([account.interest.snapshot()]),
  };
}

function orOmitted(list: readonly object[]): readonly object[] | undefined {
  return list.length === 0 ? undefined : list;
}

const RESPONSE_TYPES = { singleton: "Singleton", stream: "Streamed", chunked: "Chunked" } as const;

function exportFields({ serviceExports, streamExports }: Account, signed: AccountInForce | null): object[] {
  const services = serviceExports.map((service) => ({
    subject: shownText(service.subject),
    type: "service",
    response_type: RESPONSE_TYPES[service.responseType],
    service_latency: latencyFields(service.latency),
    approved_accounts: approved(service),
    ...exportTerms(signed, "service", shownText(service.subject)),
  }));
  const streams = streamExports.map((stream) => ({
    subject: shownText(stream.subject),
    type: "stream",
    approved_accounts: approved(stream),
    ...exportTerms(signed, "stream", shownText(stream.subject)),
  }));
  return [...services, ...streams];
}

/** Those that may import a signed account's export by a token are not listed. */
function approved({ accounts }: Account["streamExports"][number]): readonly string[] | undefined {
  return accounts === null || accounts.length === 0 ? undefined : accounts;
}

function latencyFields(latency: Account["serviceExports"][number]["latency"]): object | undefined {
  if (latency === null) return undefined;
  return { sampling: latency.sampling ?? 0, results: shownText(latency.subject) };
}

function importFields({ streamImports, serviceImports }: Account): object[] {
  const flags = { invalid: false, share: false, tracking: false };
  const streams = streamImports.map(({ exporter, from, to }) => ({
    subject: shownText(from),
    account: exporter.name,
    local_subject: shownText(to),
    type: "stream",
    ...flags,
  }));
  const services = serviceImports.map(({ subject: here, parts }) => ({
    subject: shownText(parts.subject),
    account: parts.exporter.name,
    to: shownText(here),
    local_subject: shownText(here),
    type: "service",
    ...flags,
    share: parts.share,
    latency: latencyFields(parts.export.latency),
  }));
  return [...streams, ...services];
}

/** As nats-server shows them, with cumulated weights. */
function mappingFields({ mappings }: Account): object | undefined {
  if (mappings === null) return undefined;
  const fields = mappings.list.map((mapping): [string, object[]] => {
    const destinations = Array.from(mapping, ([{ transform, below }, cluster]) => ({
      subject: shownText(transform.destination),
      weight: below,
      cluster: cluster ?? undefined,
    }));
    return [shownText(mapping.source), destinations];
  });
  return Object.fromEntries(fields.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Accounts without a connection here appear with `unused=1` only. */
export function accstatz(source: MonitorSource, query: Query): Answer {
  const showsUnused = query.flag("unused");
  const shown = Array.from(source.accounts).filter((account) => showsUnused || account.connections > 0);
  return json(statisticsOf(source, shown));
}

export function statisticsOf(source: MonitorSource, accounts: readonly Account[]): object {
  const { clients, cluster } = source;
  // In one pass over the connections, however many accounts there are.
  const own = clients.traffic.byAccount();
  const routed = cluster?.traffic.byAccount();
  const ofLeaves = source.leafNodes.traffic.byAccount();
  return {
    server_id: source.facts().id,
    now: goTime(source.nowMs()),
    account_statz: new List(
      mapped(accounts, (account) =>
        statisticsFields(account, {
          own: own.get(account.name),
          routed: routed?.get(account.name),
          ofLeaves: ofLeaves.get(account.name),
        }),
      ),
    ),
  };
}

/** Statistics of one account over all connections of this server. */
export function accountStatistics({ clients, cluster, leafNodes }: MonitorSource, account: Account): object {
  const { traffic } = clients;
  const own = { ...traffic.ofAccount(account.name), slowConsumers: traffic.slowConsumersOf(account.name) };
  return statisticsFields(account, {
    own,
    routed: cluster?.traffic.ofAccount(account.name),
    ofLeaves: leafNodes.traffic.ofAccount(account.name),
  });
}

interface TrafficOfKinds {
  readonly own: AccountTraffic | undefined;
  readonly routed: Traffic | undefined;
  readonly ofLeaves: Traffic | undefined;
}

function statisticsFields(account: Account, { own, routed, ofLeaves }: TrafficOfKinds): object {
  return {
    acc: account.name,
    name: account.nameTag || account.name,
    conns: account.connections - account.leafnodes,
    leafnodes: account.leafnodes,
    total_conns: account.connections,
    num_subscriptions: account.interest.size,
    sent: flow(
      counts(own?.outMessages, own?.outBytes),
      counts(routed?.outMessages, routed?.outBytes),
      counts(ofLeaves?.outMessages, ofLeaves?.outBytes),
    ),
    received: flow(
      counts(own?.inMessages, own?.inBytes),
      counts(routed?.inMessages, routed?.inBytes),
      counts(ofLeaves?.inMessages, ofLeaves?.inBytes),
    ),
    slow_consumers: own?.slowConsumers ?? 0,
  };
}

interface Counts {
  readonly msgs: number;
  readonly bytes: number;
}

function counts(msgs = 0, bytes = 0): Counts {
  return { msgs, bytes };
}

/** The total, and the parts of it that went over routes and leaf connections. */
function flow(clients: Counts, routes: Counts, leafs: Counts): object {
  return {
    msgs: clients.msgs + routes.msgs + leafs.msgs,
    bytes: clients.bytes + routes.bytes + leafs.bytes,
    gateways: counts(),
    routes,
    leafs,
  };
}
