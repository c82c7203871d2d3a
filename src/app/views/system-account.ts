/**
 * The server in its system account, and who watches its clients on behalf of that and of monitoring. What answers requests is
 * loaded at the first one.
 */
import { assert } from "../../base/assert.ts";
import { systemClock } from "../../base/clock.ts";
import { systemRandom } from "../../base/random.ts";
import { ClosedConnections } from "../../monitor/closed-connections.ts";
import type { Endpoints } from "../../monitor/endpoints.ts";
import type { ClusterView, MonitorSource } from "../../monitor/source.ts";
import type { ServerAnswer } from "../../system/cluster-query.ts";
import type { EventClient } from "../../system/events.ts";
import { SystemService } from "../../system/service.ts";
import { serverHash } from "../process/identity.ts";
import { monitorSource, type MonitoredRooms } from "./monitor-source.ts";
import type { SystemMembership } from "./opened.ts";
import type { ReloadOutcome } from "../reload.ts";
import type { Rooms } from "../rooms.ts";
import type { ClientSession } from "../../links/client/session.ts";
import { clientSnapshot } from "../../links/client/snapshot.ts";
import { leafPeerSnapshot } from "../../links/leaf/snapshot.ts";
import type { LeafSession } from "../../links/leaf/session.ts";
import { clientOf } from "../../links/client/origin.ts";

/** For others to answer what the page asks of them. */
const VIEW_TIMEOUT_MS = 1500;

export type SystemAccountHost = MonitoredRooms & Pick<Rooms, "logger" | "monitor">;

export function joinSystemAccount(
  rooms: SystemAccountHost,
  reload: () => Promise<ReloadOutcome>,
): SystemMembership {
  const { accounts, clients, leafNodes, identity, logger, monitor, self, inForce } = rooms;
  const { maxClosedClients } = inForce.current.config.server;
  const closed = new ClosedConnections(maxClosedClients, () => systemClock.nowMs());
  const source = monitorSource(
    rooms,
    closed,
    viewThrough(() => service),
  );
  const { system } = accounts;
  const service: SystemService | null =
    system === null
      ? null
      : new SystemService({
          source,
          system,
          logger,
          clock: systemClock,
          random: systemRandom,
          serverHash: serverHash(identity.name),
          endpoints: async () => monitor.current?.endpoints ?? endpointsAlone(source),
          clientOf,
          moveTo: () => ({
            inside: self.connectUrls("inside"),
            outside: self.connectUrls("outside"),
            websocket: self.connectUrls("websocket"),
          }),
          reload: async () => problemOf(await reload()),
        });
  accounts.onTrace = (account, trace) => service?.trace(account, trace);
  clients.watcher = {
    connected: (session) => service?.events.connected(eventClient(session)),
    refused: (session, error) => service?.events.refused(eventClient(session), error),
    disconnected(session) {
      closed.add(clientSnapshot(session), session.subscriptions.values());
      service?.events.disconnected(eventClient(session));
    },
  };
  leafNodes.watchers.push({
    opened: (session) => service?.events.connected(eventLeaf(session)),
    closed: (session) => service?.events.disconnected(eventLeaf(session)),
  });
  return { source, service };
}

function eventLeaf(session: LeafSession): EventClient {
  const { account } = session;
  assert(account !== null, "a leaf connection that was of use has an account");
  return { account, snapshot: () => leafPeerSnapshot(session, account) };
}

export function eventClient(session: ClientSession): EventClient {
  return { account: session.account, snapshot: () => clientSnapshot(session) };
}

/** An error or anything but an object counts as no answer. */
function viewThrough(service: () => SystemService | null): ClusterView {
  return {
    everybody: (kind, expected) => told(service()?.clusterQuery(kind, VIEW_TIMEOUT_MS, expected)),
    async answers(kind, options, expected) {
      const asked = service()?.clusterQuery(kind, VIEW_TIMEOUT_MS, expected, options);
      const answers = (await asked?.catch(() => [])) ?? [];
      return answers.map(({ server: { id, name }, data, error }) => ({
        ...{ id, name, error },
        data: isRecord(data) ? data : null,
      }));
    },
    accounts: (expected) => told(service()?.accountsQuery(VIEW_TIMEOUT_MS, expected)),
    async one(serverId, kind, options) {
      const asked = service()?.serverQuery(serverId, kind, VIEW_TIMEOUT_MS, options);
      const answer = await asked?.catch(() => null); // too many questions at a time
      return isRecord(answer?.data) ? answer.data : null;
    },
  };
}

/** undefined: there is nobody to ask through. Rejected: too many questions at a time. */
async function told(asked: Promise<ServerAnswer[]> | undefined): Promise<Record<string, unknown>[]> {
  const answers = (await asked?.catch(() => [])) ?? [];
  return answers.flatMap(({ data }) => (isRecord(data) ? [data] : []));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

async function endpointsAlone(source: MonitorSource): Promise<Endpoints> {
  const { Endpoints } = await import("../../monitor/endpoints.ts");
  return new Endpoints(source);
}

/** Returns what is wrong; null: nothing. */
function problemOf(outcome: ReloadOutcome): string | null {
  return outcome.kind === "refused" ? outcome.messages.join("; ") : null;
}
