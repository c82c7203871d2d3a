/** Drives one mesh by hand: keeps the time, numbers connections, speaks for peers, and reads what the mesh wants done. */
import { seededRandom } from "../../../src/base/random.ts";
import { meshOptions } from "../../../src/cluster/mesh-options.ts";
import { createMesh } from "../../../src/cluster/mesh.ts";
import type {
  ConnId,
  Mesh,
  MeshAction,
  MeshEvent,
  MeshFact,
  MeshOptions,
  RouteInfo,
} from "../../../src/cluster/mesh-types.ts";

export type ActionOf<K extends MeshAction["kind"]> = Extract<MeshAction, { kind: K }>;

export class MeshDriver {
  readonly mesh: Mesh;
  nowMs = 0;
  private nextConnId = 1;

  constructor(options: Partial<MeshOptions> = {}) {
    const given = {
      id: "M",
      name: "own",
      clusterName: "C",
      poolSize: 1,
      gossipIntervalMs: 0,
      probeMinMs: 0,
      ...options,
    };
    this.mesh = createMesh(meshOptions(given), seededRandom(1), 0);
  }

  step(event: MeshEvent): MeshAction[] {
    return this.mesh.step(event, this.nowMs);
  }

  /** Lets time pass, ticking whenever the mesh asks for it. */
  wait(byMs: number): MeshAction[] {
    const untilMs = this.nowMs + byMs;
    const actions: MeshAction[] = [];
    for (let at = this.mesh.nextWakeMs(); at !== undefined && at <= untilMs; at = this.mesh.nextWakeMs()) {
      this.nowMs = Math.max(this.nowMs, at);
      actions.push(...this.step({ kind: "tick" }));
    }
    this.nowMs = untilMs;
    return actions;
  }

  /** Ticks until the mesh dials. */
  waitForDial(): ActionOf<"dial"> {
    for (let at = this.mesh.nextWakeMs(); at !== undefined; at = this.mesh.nextWakeMs()) {
      this.nowMs = at;
      const [dial] = all(this.step({ kind: "tick" }), "dial");
      if (dial !== undefined) return dial;
    }
    throw new Error("nothing is due, so nothing will be dialled");
  }

  list(hosts: readonly string[], origin: "explicit" | "discovered" = "explicit"): MeshAction[] {
    const peers = hosts.map((host) => ({ host, port: 6222 }));
    return this.step({ kind: "sourceChanged", source: origin, origin, peers });
  }

  /** Answers the dial with this INFO. */
  answer(dial: ActionOf<"dial">, info: RouteInfo): { connId: ConnId; actions: MeshAction[] } {
    const connId = this.nextConnId++;
    const { dialId, address } = dial;
    const actions = this.step({ kind: "dialSucceeded", dialId, connId, remoteIp: address.host });
    return { connId, actions: [...actions, ...this.step({ kind: "handshakeInfo", connId, info })] };
  }

  accept(info: RouteInfo, remoteIp: string): { connId: ConnId; actions: MeshAction[] } {
    const connId = this.begin(remoteIp);
    return { connId, actions: this.step({ kind: "handshakeInfo", connId, info }) };
  }

  /** Accepts a connection whose INFO is still to come. */
  begin(remoteIp: string): ConnId {
    const connId = this.nextConnId++;
    this.step({ kind: "connAccepted", connId, remoteIp });
    return connId;
  }

  fail(dial: ActionOf<"dial">): MeshAction[] {
    return this.step({ kind: "dialFailed", dialId: dial.dialId, error: "refused", detail: "refused" });
  }

  confirm(connId: ConnId): MeshAction[] {
    return this.step({ kind: "routeConfirmed", connId });
  }

  lose(connId: ConnId): MeshAction[] {
    return this.step({ kind: "routeClosed", connId, reason: "Read Error" });
  }

  gossip(connId: ConnId, about: RouteInfo): MeshAction[] {
    return this.step({ kind: "gossipReceived", connId, info: about });
  }

  peers(): readonly string[] {
    return this.mesh.snapshot(this.nowMs).peers.map((peer) => peer.id);
  }
}

export function info(id: string, fields: Partial<RouteInfo> = {}): RouteInfo {
  return {
    id,
    name: `name-of-${id}`,
    cluster: "C",
    clusterDynamic: false,
    host: "0.0.0.0",
    port: 6222,
    ip: "",
    routePoolSize: 1,
    routePoolIdx: 0,
    routeAccount: "",
    gossipMode: 0,
    shoal: true,
    raw: {},
    ...fields,
  };
}

export function all<K extends MeshAction["kind"]>(actions: readonly MeshAction[], kind: K): ActionOf<K>[] {
  return actions.filter((action): action is ActionOf<K> => action.kind === kind);
}

export function only<K extends MeshAction["kind"]>(actions: readonly MeshAction[], kind: K): ActionOf<K> {
  const found = all(actions, kind);
  if (found.length !== 1)
    throw new Error(`expected one ${kind}, got ${found.length} in ${JSON.stringify(actions)}`);
  return found[0] as ActionOf<K>;
}

export function facts(actions: readonly MeshAction[]): MeshFact["kind"][] {
  return all(actions, "fact").map((action) => action.fact.kind);
}
