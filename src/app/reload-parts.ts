/** What of a server follows the configuration, and how: see reload.ts. What one reload does is done in one turn, but for subscriptions, which follow in slices. */
import type { Chores } from "../base/chores.ts";
import { systemClock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import { askedBy } from "../base/option-refused.ts";
import { sameValues } from "../base/same-values.ts";
import type { Prepared } from "../base/prepared.ts";
import type { Config } from "../config/config.ts";
import type { LoadResult } from "../config/load.ts";
import { accountsDefinition, mappingsToSet } from "./slices/accounts.ts";
import { clientLimits, tlsSlice } from "./slices/client.ts";
import { liveClusterOptions } from "./slices/cluster.ts";
import { ConfigWatch } from "./config-watch.ts";
import { clientUsersOptions } from "./slices/authorization.ts";
import { Reload, type ReloadPart } from "./reload.ts";
import type { Server, ServerParts } from "./server.ts";

export function reloadsOf(
  server: Server,
  { config, configDigest, configSource, logger }: ServerParts,
): Reload {
  const inForce = { config, digest: configDigest ?? "", loadedMs: server.startedMs };
  return new Reload(inForce, {
    load: () => configSource?.load() ?? Promise.resolve(NO_SOURCE),
    files: configSource?.files ?? [],
    parts: [...(configSource?.parts ?? []), ...partsOf(server)],
    followed: () => followed(server.turn.chores),
    clock: systemClock,
    logger,
  });
}

/** Sessions are looked at again in slices, and put off what takes long, such as looking at their subscriptions. */
async function followed(chores: Chores): Promise<void> {
  await chores.caughtUp();
  await chores.caughtUp();
}

const NO_SOURCE: LoadResult = {
  kind: "error",
  messages: ["the server was started without a configuration that can be loaded again"],
  position: null,
  isParseError: false,
  files: [],
};

export function watchOf(server: Server, logger: Logger): ConfigWatch {
  return new ConfigWatch({
    clock: systemClock,
    logger,
    mode: () => server.config.server.watchFiles,
    files: () => server.reloads.files,
    readMs: () => server.reloads.readMs,
    onChange: () => void server.reload("files"),
  });
}

/** In the order in which they are applied: users come after their accounts. */
function partsOf(server: Server): ReloadPart[] {
  return [
    { prepare: (next) => prepareTls(server, next) },
    { prepare: (next, before) => prepareAccounts(server, next, before) },
    { prepare: (next) => server.users.prepare(clientUsersOptions(next)) },
    { prepare: (next, before) => (isSameAccounts(next, before) ? null : recheckAccounts(server)) },
    { prepare: (next, before) => prepareLimits(server, next, before) },
    { prepare: (next, before) => prepareCluster(server, next, before) },
    { prepare: (next, before) => prepareTrace(server, next, before) },
    { prepare: ({ monitor }) => ({ apply: () => server.monitor?.guard.use(monitor) }) },
    { prepare: (next, before) => prepareInfo(server, next, before) },
  ];
}

/** Always, since files may have changed. */
function prepareTls(server: Server, next: Config): Prepared {
  const prepared = server.tls.prepare(tlsSlice(next));
  return {
    apply() {
      prepared.apply();
      const { client } = server.tls;
      server.clients.tls = client;
      if (client !== null) server.monitor?.useCertificate(client.context.options);
    },
  };
}

function prepareAccounts({ accounts, cluster }: Server, next: Config, before: Config): Prepared | null {
  if (isSameAccounts(next, before)) return null;
  const definition = accountsDefinition(next);
  // What cannot be done with them is found out where it does no harm.
  const setMappings = askedBy("accounts.list", () => {
    accounts.check(definition);
    return mappingsToSet(next.accounts, before.accounts);
  });
  return {
    apply() {
      accounts.reconfigure(definition);
      setMappings(accounts, cluster?.clusterName ?? "");
    },
  };
}

function isSameAccounts(next: Config, before: Config): boolean {
  return sameValues(next.accounts, before.accounts);
}

/** Those whose users are gone no longer count. */
function recheckAccounts({ clients }: Server): Prepared {
  return { apply: () => clients.recheckAccounts() };
}

function prepareLimits({ clients }: Server, next: Config, before: Config): Prepared | null {
  const limits = clientLimits(next);
  const { maxConnections } = next.client;
  const isSame = sameValues(limits, clientLimits(before)) && maxConnections === before.client.maxConnections;
  return isSame ? null : { apply: () => clients.applyLimits(limits, maxConnections) };
}

function prepareCluster({ cluster }: Server, next: Config, before: Config): Prepared | null {
  const options = liveClusterOptions(next);
  const isSame =
    sameValues(options, liveClusterOptions(before)) &&
    sameValues(next.client.advertise, before.client.advertise) &&
    (next.cluster.tls === null) === (before.cluster.tls === null);
  return cluster === null || isSame ? null : { apply: () => cluster.reconfigure(options) };
}

function prepareTrace({ clients, cluster }: Server, next: Config, before: Config): Prepared | null {
  if (next.log.trace === before.log.trace) return null;
  return {
    apply() {
      for (const session of clients.sessions.values()) session.followTracing();
      for (const session of cluster?.sessions.values() ?? []) session.followTracing();
    },
  };
}

function prepareInfo({ clients }: Server, next: Config, before: Config): Prepared | null {
  if (sameValues(toldOf(next), toldOf(before))) return null;
  return { apply: () => clients.sendInfoToAll() };
}

/** What clients have been told by INFO. */
function toldOf({ client, cluster }: Config): unknown {
  const { maxPayloadBytes, advertise, tls, allowNonTls } = client;
  return { maxPayloadBytes, advertise, hasTls: tls !== null, allowNonTls, noAdvertise: cluster.noAdvertise };
}
