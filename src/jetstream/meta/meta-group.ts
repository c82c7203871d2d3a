/**
 * The meta group: all servers of a cluster with JetStream, who agree on the assignments. Its leader judges what clients ask for and
 * proposes it; every server applies what is agreed on, and keeps what it is assigned.
 *
 * The leader judges against what has been applied: `whenSettled` waits until nothing is under way.
 */
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Random } from "../../base/random.ts";
import type { PeerId, PeerState } from "../../raft/messages.ts";
import {
  peerStateOf,
  type Company,
  type Group,
  type GroupMachine,
  type Groups,
  type GroupTransport,
} from "../group/group.ts";
import { Assignments, type AssignmentChange } from "./assignments.ts";
import { Bootstrap } from "./bootstrap.ts";
import type { KnownServers } from "./known-servers.ts";

export const META_GROUP = "_meta_";
/** No majority of so many is ever there. */
const UNKNOWN: PeerState = { size: 4096, peers: [], domainExtension: 0 };
const SNAPSHOTS = { entriesMax: 256, bytesMax: 1 << 20 };
const FIRST_CAMPAIGN_MS = 300;
/** The leader looks so often whether a server has come that is no member yet. */
const LOOK_MS = 1000;
/** A server that is there tells of itself more often than this. */
const HEARD_MS = 15_000;
/** An election takes less. */
export const LEADERLESS_MS = 10_000;

export interface MetaGroupOptions {
  readonly groups: Groups;
  readonly transport: GroupTransport;
  readonly servers: KnownServers;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly clusterName: () => string;
  readonly company: Company;
  /** Servers that there have to be before the group begins; Infinity: this server only joins one that has begun. */
  readonly expected: () => number;
  /** Something was agreed on; null: everything may be different. */
  readonly changed: (change: AssignmentChange | null) => void;
  readonly leadershipChanged: () => void;
  /** The group begins now, so that this server has been a member of nothing before. */
  readonly begun: () => void;
}

interface Waiting {
  readonly call: () => void;
  readonly lost: () => void;
}

export class MetaGroup implements GroupMachine {
  readonly assignments = new Assignments();
  /** null: it has not begun. */
  group: Group | null = null;
  /** Why nothing more is applied; "": all is well. */
  problem = "";
  private readonly options: MetaGroupOptions;
  private bootstrap: Bootstrap | null = null;
  private underWay: Uint8Array[] = [];
  private waiting: Waiting[] = [];
  private timer: Disposable | null = null;
  private startedMs = 0;
  /** Peers that were removed on purpose, with the ids that they had: they come back when they have started again. */
  private readonly removed = new Map<PeerId, string>();

  constructor(options: MetaGroupOptions) {
    this.options = options;
  }

  start(): void {
    const { groups, transport, clock, random, expected, company } = this.options;
    this.startedMs = clock.nowMs();
    if (groups.exists(META_GROUP)) this.open(UNKNOWN, "known");
    const known = this.group?.peers.peers ?? [];
    // a log without entries says nothing of its members: it may not take itself for the only one
    if (known.length === 0) this.group?.stop();
    if (known.length === 0) this.group = null;
    const members = known.length === 0 ? null : known;
    if (company === "shoals")
      this.bootstrap = new Bootstrap(
        {
          self: groups.self,
          expected,
          transport,
          clock,
          random,
          begin: ({ kind, peers }) => {
            this.open(peerStateOf(peers), kind === "new" ? "new" : "known");
            if (kind === "new") this.options.begun();
          },
        },
        members,
      );
    this.look();
  }

  stop(): void {
    this.bootstrap?.stop();
    this.timer?.[Symbol.dispose]();
    this.group?.stop();
  }

  get leads(): boolean {
    return this.group?.leads === true && this.problem === "";
  }

  /** Nobody has led it for a while, so that nothing can be changed. */
  get isLeaderless(): boolean {
    const { clock, company } = this.options;
    if (this.group === null) return company === "shoals" && clock.nowMs() - this.startedMs > LEADERLESS_MS;
    const { leader, ageMs, isRecovering } = this.group;
    return leader === "" && ageMs > LEADERLESS_MS && !isRecovering;
  }

  /** All that was agreed on is known here. */
  get isCurrent(): boolean {
    return this.group?.isCurrent === true && this.problem === "";
  }

  /** Calls that wait for what is under way. */
  get waitingCount(): number {
    return this.waiting.length;
  }

  /** Nobody leads it that this server knows of, or this server is about to. */
  get isUndecided(): boolean {
    const leader = this.group?.leader ?? "";
    return !this.leads && (leader === "" || leader === this.options.groups.self);
  }

  /** Calls once nothing is under way, in order; `lost` where this server leads no longer by then. */
  whenSettled(call: () => void, lost: () => void = () => {}): void {
    this.waiting.push({ call, lost });
    this.callWaiting();
  }

  propose(operation: Uint8Array): void {
    if (this.group?.propose([operation]) === true) this.underWay.push(operation);
  }

  /** To whoever leads. */
  forward(operation: Uint8Array): void {
    this.group?.forward(operation);
  }

  removePeer(peer: PeerId): void {
    this.removed.set(peer, this.options.servers.get(peer)?.id ?? "");
    this.group?.removePeer(peer);
  }

  /** This server is no member any more: what it keeps of the group goes, so that it asks the others when it starts again. */
  forget(): void {
    this.bootstrap?.stop();
    this.group?.destroy();
  }

  apply(_index: number, operations: readonly Uint8Array[]): void {
    for (const operation of operations) {
      if (this.problem !== "") return;
      const change = this.assignments.apply(operation);
      const [next] = this.underWay;
      if (next !== undefined && Buffer.compare(next, operation) === 0) this.underWay.shift();
      if (change === "unknown") this.fail(`an operation that this server does not know: ${operation[0]}`);
      else if (change !== null) this.options.changed(change);
    }
    this.callWaiting();
    this.options.leadershipChanged();
  }

  snapshot(): Uint8Array | null {
    return this.problem === "" ? this.assignments.snapshot() : null;
  }

  install(data: Uint8Array): void {
    if (this.assignments.install(data)) this.options.changed(null);
    else this.fail("a snapshot that cannot be read");
  }

  leadershipChanged(): void {
    if (!this.leads) {
      this.underWay = [];
      const { waiting } = this;
      this.waiting = [];
      for (const { lost } of waiting) lost();
    }
    this.options.leadershipChanged();
    this.callWaiting();
  }

  peersChanged(): void {
    // placement asks for them
  }

  private open(peers: PeerState, how: "new" | "known"): void {
    const { groups } = this.options;
    this.group = groups.open({
      name: META_GROUP,
      self: groups.self,
      snapshots: SNAPSHOTS,
      storage: "file",
      peers,
      isNew: how === "new",
      machine: this,
    });
    this.leadershipChanged();
    // one of the first members begins, so that they need not wait for an election
    if (how === "new" && peers.peers[0] === groups.self)
      this.options.clock.setTimer(FIRST_CAMPAIGN_MS, () => this.group?.campaign());
  }

  private callWaiting(): void {
    while (this.waiting.length > 0 && this.leads && this.underWay.length === 0) this.waiting.shift()!.call();
  }

  /** The leader takes in servers with JetStream that are no members yet. */
  private look(): void {
    const { clock, servers } = this.options;
    const { group } = this;
    if (this.leads && group !== null) {
      const sinceMs = clock.nowMs() - HEARD_MS;
      const stranger = servers.servers.find(
        ({ peer, id, isOnline, heardMs, cluster }) =>
          isOnline &&
          heardMs > sinceMs &&
          cluster === this.options.clusterName() &&
          !group.peers.peers.includes(peer) &&
          this.removed.get(peer) !== id,
      );
      if (stranger !== undefined) group.addPeer(stranger.peer);
    }
    if (this.options.company === "nats-servers" && group === null) this.joinLed();
    this.options.leadershipChanged();
    this.timer = clock.setTimer(LOOK_MS, () => this.look());
  }

  /**
   * Follows the group that a nats-server leads. It may be one that this server belonged to before its disk was lost, so that this server
   * counts for nothing before it has all that the leader has. The leader takes in whoever answers.
   */
  private joinLed(): void {
    const { clock, servers, clusterName, groups } = this.options;
    const sinceMs = clock.nowMs() - HEARD_MS;
    const found = servers.servers.find(
      ({ led, isOnline, heardMs, cluster }) =>
        led.length > 0 && isOnline && heardMs > sinceMs && cluster === clusterName(),
    );
    if (found === undefined) return;
    this.options.logger.info("Joining the group of servers that keep streams", { leader: found.name });
    this.open(peerStateOf([...new Set([...found.led, groups.self])].toSorted()), "known");
  }

  private fail(problem: string): void {
    this.problem = problem;
    this.options.logger.error(
      "This server no longer follows the assignments of the cluster: it has agreed on something unknown",
      { problem },
    );
    if (this.group?.leads === true) this.group.transfer("");
  }
}
