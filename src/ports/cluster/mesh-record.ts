/** What the mesh went through since the server started: how often what happened, and for how long it was not complete. */
import type { DialErrorKind, MeshEvent, MeshFact } from "../../cluster/mesh-types.ts";

const CHANGES: Readonly<Record<MeshFact["kind"], string>> = {
  peerJoined: "peer_joined",
  peerLeft: "peer_left",
  peerRestarted: "peer_restarted",
  meshComplete: "mesh_complete",
  dialFailed: "dial_failing",
  gaveUp: "peer_given_up",
  routeToSelf: "route_to_self",
  duplicateName: "duplicate_name",
  clusterNameConflict: "cluster_name_conflict",
  otherJetStream: "other_jetstream",
  limitReached: "limit_reached",
};
const DIALS: Readonly<Record<DialErrorKind | "connected", true>> = {
  connected: true,
  refused: true,
  timeout: true,
  unreachable: true,
  resolve: true,
  tls: true,
  other: true,
};

export class MeshRecord {
  /** By kind; those that did not happen with 0, so that their first time shows as an increase. */
  readonly changes = new Map<string, number>(Object.values(CHANGES).map((kind) => [kind, 0]));
  readonly dials = new Map<string, number>(Object.keys(DIALS).map((result) => [result, 0]));
  /** How long the last stretch without a full mesh took. */
  completionMs: number | null = null;
  private incompleteSinceMs: number | null;
  private pastIncompleteMs = 0;

  constructor(nowMs: number) {
    this.incompleteSinceMs = nowMs;
  }

  hear(fact: MeshFact): void {
    increase(this.changes, CHANGES[fact.kind]);
  }

  fed(event: MeshEvent): void {
    if (event.kind === "dialSucceeded") increase(this.dials, "connected");
    if (event.kind === "dialFailed") increase(this.dials, event.error);
  }

  /** After each step of the mesh. */
  stepped(isComplete: boolean, nowMs: number): void {
    if (!isComplete) {
      this.incompleteSinceMs ??= nowMs;
    } else if (this.incompleteSinceMs !== null) {
      this.completionMs = nowMs - this.incompleteSinceMs;
      this.pastIncompleteMs += this.completionMs;
      this.incompleteSinceMs = null;
    }
  }

  incompleteMs(nowMs: number): number {
    return this.pastIncompleteMs + (this.incompleteSinceMs === null ? 0 : nowMs - this.incompleteSinceMs);
  }
}

function increase(counts: Map<string, number>, kind: string): void {
  counts.set(kind, (counts.get(kind) ?? 0) + 1);
}
