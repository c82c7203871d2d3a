/**
 * By what the port of the other servers reaches the world: connections, sources of addresses, chance, the next round of the event
 * loop. The server hands in the real ones (system-edge.ts), the simulation its own, which are made of memory.
 */
import type { NextRound } from "../../base/chores.ts";
import type { Clock } from "../../base/clock.ts";
import type { Live } from "../../base/live.ts";
import type { Logger } from "../../base/logger.ts";
import type { Random } from "../../base/random.ts";
import type { DialErrorKind, Mesh, MeshOptions, PeerAddress } from "../../cluster/mesh-types.ts";
import type { DiscoverySource } from "../../discovery/discovery.ts";
import type { DnsName, DnsSourceOptions } from "../../discovery/dns.ts";
import type { KubernetesSourceOptions } from "../../discovery/kubernetes-source.ts";
import type { OpenWires } from "../../transport/open-wires.ts";
import type { TlsTerms } from "../../transport/tls.ts";
import type { Endpoint, Wire } from "../../transport/wire.ts";

export interface RouteListener {
  readonly endpoint: Endpoint;
  close(): void;
}

export interface RouteListenerHost {
  /** Either this is called first, or `onFailed`, with the operating system's error. */
  onListening(listener: RouteListener): void;
  onFailed(error: unknown): void;
  /** A server has connected, and the connection is secured where that is asked for. */
  onWire(wire: Wire): void;
}

/** One of the two is called, once. */
export interface DialOutcome {
  connected(wire: Wire): void;
  failed(error: DialErrorKind, detail: string): void;
}

export interface RouteNetwork {
  /** TLS handshakes that made room for newer ones, since the start. */
  readonly crowdedOut: number;
  listen(host: string, port: number, listenerHost: RouteListenerHost): void;
  /** Nobody answers within `timeoutMs`: it fails. Once it is disposed of, nothing is reported any more. */
  dial(address: PeerAddress, timeoutMs: number, outcome: DialOutcome): Disposable;
}

export interface RouteNetworkOptions {
  readonly wires: OpenWires;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What secures routes from now on; null: plaintext. */
  tls(): TlsTerms | null;
  /** Configured routes, whose names count for certificates. */
  readonly settings: Live<{ readonly routes: readonly { readonly host: string }[] }>;
}

export interface ClusterEdge {
  readonly random: Random;
  createNetwork(options: RouteNetworkOptions): RouteNetwork;
  createMesh(options: MeshOptions, random: Random, nowMs: number): Mesh;
  createDnsSource(name: DnsName, options: Omit<DnsSourceOptions, "resolver">): DiscoverySource;
  createKubernetesSource(options: KubernetesSourceOptions): DiscoverySource;
  /** Calls `work` once, after what else is due in this round of the event loop. */
  readonly nextRound: NextRound;
}
