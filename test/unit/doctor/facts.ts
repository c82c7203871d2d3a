/** Facts about healthy servers, streams and consumers, for tests that change one thing. */
import type {
  ConsumerFacts,
  ExaminedServer,
  JetStreamFacts,
  ReplicaFacts,
  StreamFacts,
} from "../../../src/doctor/facts.ts";

export function replica(name: string, change: Partial<ReplicaFacts> = {}): ReplicaFacts {
  return { name, isCurrent: true, isOffline: false, silentMs: 100, lag: 0, ...change };
}

export function consumer(change: Partial<ConsumerFacts> = {}): ConsumerFacts {
  return {
    name: "C",
    group: { leader: "n1", replicas: [replica("n2"), replica("n3")] },
    ...{ pending: 0, ackPending: 0, maxAckPending: 1000, waiting: 0, deliverSubject: "", isBound: false },
    ...{ pausedForMs: null, quietMs: 0, isPaced: false },
    ...change,
  };
}

export function stream(change: Partial<StreamFacts> = {}): StreamFacts {
  return {
    account: "A",
    name: "S",
    group: { leader: "n1", replicas: [replica("n2"), replica("n3")] },
    ...{ messages: 5, bytes: 500, maxMessages: -1, maxBytes: -1, refusesNew: false, lost: 0 },
    origins: [],
    consumers: [],
    ...change,
  };
}

/** Of n1, which leads the meta group. */
export function jetStream(change: Partial<JetStreamFacts> = {}): JetStreamFacts {
  return {
    meta: { cluster: "C", leader: "n1", replicas: [replica("n2"), replica("n3")], size: 3, quorum: 2 },
    storageBytes: 10,
    maxStorageBytes: 100,
    streams: [],
    ...change,
  };
}

export function server(name: string, change: Partial<ExaminedServer> = {}): ExaminedServer {
  return {
    ...{ id: `N${name}`, name, cluster: "C", version: "2.15.3", notReady: [], isLameDuck: false },
    ...{ connections: 1, maxConnections: 100, complaints: [], lostLeaves: [] },
    routes: ["n1", "n2", "n3"].filter((other) => other !== name),
    ...{ awaited: [], unserved: [], unanswered: [] },
    jetStream: jetStream(),
    ...change,
  };
}

/** Three servers, of which n1 tells of these streams. */
export function trio(...streams: readonly StreamFacts[]): ExaminedServer[] {
  return [server("n1", { jetStream: jetStream({ streams }) }), server("n2"), server("n3")];
}
