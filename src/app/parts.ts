/** The parts that a server has a list of (`base/part.ts`): each acts on the rooms that it is handed, and on no others. */
import { systemClock } from "../base/clock.ts";
import { askedBy } from "../base/option-refused.ts";
import { bind, type Part } from "../base/part.ts";
import { systemRandom } from "../base/random.ts";
import { sameValues } from "../base/same-values.ts";
import type { Config } from "../config/config.ts";
import type { WebSocketSettings } from "../ports/websocket/websocket-port.ts";
import { SERVER_SHUTDOWN } from "../protocol/close-cause.ts";
import { ConfigWatch, type ConfigWatchOptions } from "./config-watch.ts";
import { partWithStreams, watchGonePods } from "./parting-pod.ts";
import { Rebalancer } from "./rebalancer.ts";
import type { ReloadOutcome } from "./reload.ts";
import type { Rooms } from "./rooms.ts";
import { accountsDefinition, mappingsToSet } from "./slices/accounts.ts";
import { clientUsersOptions } from "./slices/authorization.ts";
import { clientLimits, tlsSlice } from "./slices/client.ts";
import { liveClusterOptions, rebalanceSettings } from "./slices/cluster.ts";
import { startJetStream } from "./start-jetstream.ts";
import { leafSettings } from "./slices/leafnodes.ts";
import { webSocketLimits, webSocketSettings } from "./slices/websocket.ts";
import { joinSystemAccount, type SystemAccountHost } from "./views/system-account.ts";
import { warmUp } from "./warm-up.ts";

type ServerPart = Part<Config>;

export function certificates({ tls, monitor }: Pick<Rooms, "tls" | "monitor">): ServerPart {
  const part: Part<ReturnType<typeof tlsSlice>> = {
    name: "certificates",
    prepare(next) {
      const prepared = tls.prepare(next);
      return {
        apply() {
          prepared.apply();
          if (tls.client !== null) monitor.current?.useCertificate(tls.client.context.options);
        },
      };
    },
    stop: () => tls[Symbol.dispose](),
  };
  return bind(part, tlsSlice);
}

export function accountsPart({
  accounts,
  cluster,
  operator,
}: Pick<Rooms, "accounts" | "cluster" | "operator">): ServerPart {
  return {
    name: "accounts",
    prepare(next, before) {
      if (sameValues(next.accounts, before.accounts)) return null;
      const definition = accountsDefinition(next);
      // What cannot be done with them is found out where it does no harm.
      const setMappings = askedBy("accounts.list", () => {
        accounts.check(definition);
        return mappingsToSet(next, before);
      });
      return {
        apply() {
          // The configuration names no accounts of an operator.
          if (operator === null) accounts.reconfigure(definition);
          setMappings(accounts, cluster?.clusterName ?? "");
        },
      };
    },
    stop: () => accounts[Symbol.dispose](),
  };
}

export function usersPart({
  users,
  clients,
  leafNodes,
}: Pick<Rooms, "users" | "clients" | "leafNodes">): ServerPart {
  const recheck = (): void => {
    clients.recheckGrants();
    leafNodes.recheckGrants();
  };
  return {
    name: "users",
    start: () => users.watch(recheck),
    prepare(next, before) {
      const { usersDir, callout } = next.authorization;
      // A directory may have changed without the configuration; what a callout lacks is said at each reload.
      const isAlone = usersDir === null && callout === null;
      return isAlone && hasSameUsers(next, before) ? null : users.prepare(clientUsersOptions(next));
    },
    stop: () => users[Symbol.dispose](),
  };
}

function hasSameUsers(next: Config, before: Config): boolean {
  return (
    sameValues(next.authorization, before.authorization) &&
    sameValues(next.accounts, before.accounts) &&
    sameValues(next.websocket, before.websocket) &&
    sameValues(next.leafNodes, before.leafNodes) &&
    next.client.tls?.map === before.client.tls?.map
  );
}

export function systemAccount(
  rooms: SystemAccountHost & Pick<Rooms, "system">,
  reload: () => Promise<ReloadOutcome>,
): ServerPart {
  const { system } = rooms;
  return {
    name: "system account",
    start: () => void (system.current = joinSystemAccount(rooms, reload)),
    drain: () => system.current?.service?.lameDuck(),
    stop: () => system.current?.service?.[Symbol.dispose](),
  };
}

/** Stops last, since it is asked how the others do. Its code is loaded where one of its ports is configured. */
export function monitoring(rooms: Rooms): ServerPart {
  const { monitor, system, inForce } = rooms;
  return {
    name: "monitoring",
    async start() {
      const { config } = inForce.current;
      const ports = [config.monitor.port, config.monitor.httpsPort, config.metrics.port];
      if (system.current === null || ports.every((port) => port === null)) return;
      const { openMonitorPorts } = await import("./views/monitor-port.ts");
      monitor.current = await openMonitorPorts(rooms, system.current.source);
    },
    prepare: (next) => ({ apply: () => monitor.current?.guard.use(next.monitor) }),
    stop: async () => monitor.current?.close(),
  };
}

export function configWatch(options: Omit<ConfigWatchOptions, "clock">): ServerPart {
  const watch = new ConfigWatch({ ...options, clock: systemClock });
  return {
    name: "watch of the configuration",
    start: () => watch.start(),
    stop: () => watch[Symbol.dispose](),
  };
}

export function streams(
  rooms: Pick<
    Rooms,
    | "accounts"
    | "turn"
    | "logger"
    | "identity"
    | "disk"
    | "company"
    | "inForce"
    | "jetStream"
    | "cluster"
    | "leafNodes"
    | "operator"
    | "pod"
  >,
): ServerPart {
  const { jetStream, inForce, cluster, turn, leafNodes } = rooms;
  leafNodes.watchers.push({
    opened: ({ account }) => jetStream.current?.jetStream.wakeOrigins(account?.name ?? ""),
  });
  let gone: Disposable | null = null;
  return {
    name: "streams",
    async start() {
      const clusterSize = (): number | null => inForce.current.config.jetStream.clusterSize;
      jetStream.current = await startJetStream({ ...rooms, clusterSize, config: inForce.current.config });
      gone = watchGonePods(rooms);
      if (cluster !== null) cluster.onPeerLost = (name) => jetStream.current?.cluster?.serverLost(name);
    },
    // Which accounts import JetStream is known when the imports have been made.
    prepare: () => ({
      apply: () => void turn.chores.caughtUp().then(() => jetStream.current?.refusals.followAll()),
    }),
    async drain() {
      await partWithStreams({ ...rooms, withinMs: inForce.current.config.jetStream.leaveWithinMs });
      await jetStream.current?.handOver();
    },
    stop() {
      gone?.[Symbol.dispose]();
      jetStream.current?.stop();
    },
    closed: async () => jetStream.current?.closed(),
  };
}

/** Meets the other members before clients are let in, so that their clients learn of the new server sooner. */
export function meeting({ cluster, listening }: Pick<Rooms, "cluster" | "listening">): ServerPart {
  return {
    name: "meeting of members",
    async start() {
      if (cluster !== null) listening.current = { ...listening.current, cluster: await cluster.meet() };
    },
  };
}

export function clientPort({ clients, listening }: Pick<Rooms, "clients" | "listening">): ServerPart {
  return {
    name: "clients",
    async start() {
      listening.current = { ...listening.current, client: await clients.listen() };
      listening.current = { ...listening.current, external: await clients.listenOutside() };
    },
    prepare(next, before) {
      const limits = clientLimits(next);
      const { maxConnections } = next.client;
      const hasSameAccounts = sameValues(next.accounts, before.accounts);
      const webSocket = webSocketLimits(next);
      const hasSameLimits =
        sameValues(limits, clientLimits(before)) &&
        sameValues(webSocket, webSocketLimits(before)) &&
        maxConnections === before.client.maxConnections;
      return {
        apply() {
          // Clients whose users are gone no longer count.
          if (!hasSameAccounts) clients.recheckAccounts();
          if (!hasSameLimits) clients.applyLimits(limits, maxConnections, webSocket);
        },
      };
    },
    drain: () => clients.sendInfoToAll(),
    stop: () => clients.closeAll(SERVER_SHUTDOWN),
    closed: async () => clients.wires.drained(),
  };
}

/** Its clients are those of the part "clients", which ends them. */
export function webSocketPort({
  webSocket,
  webSocketSettings: settings,
  listening,
}: Pick<Rooms, "webSocket" | "webSocketSettings" | "listening">): ServerPart {
  if (webSocket === null) return { name: "websocket" };
  const part: Part<WebSocketSettings> = {
    name: "websocket",
    async start() {
      listening.current = { ...listening.current, webSocket: await webSocket.listen() };
    },
    prepare: (next, before) => (sameValues(next, before) ? null : { apply: () => (settings.current = next) }),
    drain: () => webSocket.stop(),
    stop: () => webSocket.stop(),
    closed: async () => webSocket.wires.drained(),
  };
  return bind(part, webSocketSettings);
}

/** The port for leaf nodes, and the hubs that are dialled once clients are let in. */
export function leafNodePort({ leafNodes, listening }: Pick<Rooms, "leafNodes" | "listening">): ServerPart {
  return {
    name: "leaf nodes",
    async start() {
      listening.current = { ...listening.current, leafNodes: await leafNodes.listen() };
      leafNodes.solicit();
    },
    prepare(next, before) {
      const settings = leafSettings(next);
      const isSame = sameValues(settings, leafSettings(before));
      const hasSameAccounts = sameValues(next.accounts, before.accounts);
      return {
        apply() {
          if (!hasSameAccounts) leafNodes.feeds.recheckOwn();
          if (!hasSameAccounts) leafNodes.recheckGrants();
          if (!isSame) leafNodes.reconfigure(settings);
        },
      };
    },
    drain: () => leafNodes.stopListening(),
    stop: () => leafNodes.closeAll(SERVER_SHUTDOWN),
    closed: async () => leafNodes.wires.drained(),
  };
}

export function routes({ cluster }: Pick<Rooms, "cluster">): ServerPart {
  if (cluster === null) return { name: "routes" };
  return {
    name: "routes",
    start: () => cluster.beginRoutes(),
    prepare(next, before) {
      const options = liveClusterOptions(next);
      const isSame =
        sameValues(options, liveClusterOptions(before)) &&
        sameValues(next.client.advertise, before.client.advertise) &&
        (next.cluster.tls === null) === (before.cluster.tls === null);
      return isSame ? null : { apply: () => cluster.reconfigure(options) };
    },
    drain: () => cluster.announceLameDuck(),
    stop: () => cluster.stop(),
    closed: async () => cluster.wires.drained(),
  };
}

export function traces({
  clients,
  cluster,
  leafNodes,
}: Pick<Rooms, "clients" | "cluster" | "leafNodes">): ServerPart {
  const part: Part<boolean> = {
    name: "traces",
    prepare(next, before) {
      if (next === before) return null;
      return {
        apply() {
          clients.followTracing();
          for (const session of cluster?.sessions.values() ?? []) session.followTracing();
          leafNodes.followTracing();
        },
      };
    },
  };
  return bind(part, ({ log }) => log.trace);
}

/** What clients have been told by INFO. */
export function toldByInfo({ clients }: Pick<Rooms, "clients">): ServerPart {
  const part: Part<object> = {
    name: "INFO",
    prepare: (next, before) => (sameValues(next, before) ? null : { apply: () => clients.sendInfoToAll() }),
  };
  return bind(part, ({ client, cluster, websocket }: Config) => {
    const { maxPayloadBytes, advertise, tls, allowNonTls } = client;
    const { noAdvertise } = cluster;
    const overWebSocket = { advertise: websocket.advertise, hasTls: websocket.tls !== null };
    return { maxPayloadBytes, advertise, hasTls: tls !== null, allowNonTls, noAdvertise, overWebSocket };
  });
}

export function readinessPart({ readiness }: Pick<Rooms, "readiness">): ServerPart {
  return {
    name: "readiness",
    start: () => readiness.begin(),
    stop: () => readiness[Symbol.dispose](),
  };
}

export function rebalancing(
  rooms: Pick<Rooms, "clients" | "cluster" | "logger" | "inForce" | "rebalancer">,
): ServerPart {
  const { clients, cluster, logger, inForce, rebalancer } = rooms;
  const stop = (): void => rebalancer.current?.[Symbol.dispose]();
  return {
    name: "rebalancing",
    start() {
      const { config } = inForce.current;
      if (cluster === null || !config.cluster.rebalances) return;
      const surroundings = { clients, cluster, clock: systemClock, random: systemRandom, logger };
      rebalancer.current = new Rebalancer({ ...rebalanceSettings(config), ...surroundings });
      cluster.tellClientCount();
    },
    drain: stop,
    stop,
  };
}

/** Clients of other members come when those leave, and are in a hurry. */
export function warmUpPart(
  rooms: Pick<Rooms, "cluster" | "logger" | "inForce" | "self" | "warmsUp">,
  signal: AbortSignal,
): ServerPart {
  return {
    name: "warm-up",
    start() {
      const { cluster, logger, inForce, self, warmsUp } = rooms;
      if (cluster === null || !warmsUp) return;
      const { config } = inForce.current;
      const [limits, routes] = [clientLimits(config), liveClusterOptions(config)];
      void warmUp({ limits, routes, info: (context) => self.clientInfo(context), logger, signal });
    },
  };
}
