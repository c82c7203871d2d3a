/**
 * Has two ports for routes meet each other, and part again: V8 compiles a function when it is called first, and clients here would
 * learn of the next member that comes only after that (`bench/newcomer.ts`).
 *
 * Both are of this process, on free ports of the loopback interface, with accounts, names and a cluster of their own: the real members
 * never hear of them, and nothing of it is counted or logged. Bounded by the caller's signal.
 */
import { Faults } from "../links/trunk/faults.ts";
import { Turn } from "../links/trunk/turn.ts";
import { systemClock } from "../base/clock.ts";
import { silentLogger } from "../base/logger.ts";
import { systemRandom } from "../base/random.ts";
import { Accounts } from "../core/accounts.ts";
import type { ClusterSettings } from "../ports/cluster/cluster-port-options.ts";
import { ClusterPort } from "../ports/cluster/cluster-port.ts";
import { S2Wires } from "../transport/s2-wire.ts";
import { SYSTEM_EDGE } from "../ports/cluster/system-edge.ts";

const LOOPBACK = "127.0.0.1";
const NO_RULES = { allow: null, deny: [] };

/** `settings`: the server's, whose routes, credentials and rules do not count here. Rejects when `signal` is aborted. */
export async function rehearseRoutes(settings: ClusterSettings, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  ended.catch(() => undefined);
  const abort = (): void => reject(new Error("the rehearsal took too long"));
  signal.addEventListener("abort", abort, { once: true });
  const first = new Rehearsing("first", settings, []);
  let second: Rehearsing | null = null;
  try {
    const { port } = await Promise.race([first.port.meet(), ended]);
    first.port.beginRoutes();
    second = new Rehearsing("second", settings, [{ host: LOOPBACK, port, credentials: null }]);
    await Promise.race([second.port.meet(), ended]);
    second.port.beginRoutes();
    await Promise.race([Promise.all([first.met, second.met]), ended]);
  } finally {
    signal.removeEventListener("abort", abort);
    await Promise.all([second?.leave(), first.leave()]);
  }
}

class Rehearsing {
  readonly port: ClusterPort;
  /** Resolves when the other one is a member. */
  readonly met: Promise<void>;
  private readonly accounts = new Accounts({ clock: systemClock, random: systemRandom });
  private connections = 0;

  constructor(name: string, settings: ClusterSettings, routes: ClusterSettings["routes"]) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.met = promise;
    this.port = new ClusterPort({
      identity: { id: `rehearsal-${name}`, name },
      name: "rehearsal",
      isNameDynamic: false,
      host: LOOPBACK,
      port: 0,
      advertise: null,
      settings: {
        ...settings,
        ...{ credentials: null, routes, certificateRule: null },
        permissions: { import: NO_RULES, export: NO_RULES },
      },
      toldClients: () => null,
      kubernetes: null,
      keepsStreams: false,
      poolSize: 1,
      pinnedAccounts: [],
      connectRetries: 0,
      connectBackoff: false,
      noHeaders: false,
      authTimeoutMs: 1000,
      zone: "",
      queuePreference: "none",
      tls: () => null,
      accounts: this.accounts,
      turn: new Turn(systemClock),
      clock: systemClock,
      logger: silentLogger,
      faults: new Faults(),
      s2: new S2Wires(),
      ownConnectUrls: () => [`${LOOPBACK}:1`],
      nextConnectionId: () => ++this.connections,
      onMembersChanged: resolve,
      edge: SYSTEM_EDGE,
    });
  }

  async leave(): Promise<void> {
    this.port.stop();
    await this.port.wires.drained();
    this.accounts[Symbol.dispose]();
  }
}
