/**
 * Sets up the sources of addresses that the configuration asks for, and puts what they report into the words of the mesh.
 * What goes into a dial beyond host and port (credentials, the name on the certificate) travels through the mesh unread.
 */
import { isIP } from "node:net";
import type { Clock } from "../../base/clock.ts";
import type { Live } from "../../base/live.ts";
import type { Logger } from "../../base/logger.ts";
import { addressKey } from "../../cluster/address.ts";
import type { AddressKey, PeerAddress } from "../../cluster/mesh-types.ts";
import {
  Discovery,
  type DiscoveredPeer,
  type DiscoverySnapshot,
  type DiscoverySource,
  type SourceOrigin,
  type SourceReport,
} from "../../discovery/discovery.ts";
import type { DnsName } from "../../discovery/dns.ts";
import { staticSource } from "../../discovery/static.ts";
import type { ClusterEdge } from "./route-network.ts";

export interface RouteCredentials {
  readonly user: string;
  readonly pass: string;
}

/** A configured route, with the credentials of its URL. */
export interface ConfiguredRoute extends DnsName {
  readonly credentials: RouteCredentials | null;
}

/** What comes back with a dial. `credentials` is absent where the cluster's own apply: gossip, and sources without URLs. */
export interface DialTarget extends PeerAddress, DiscoveredPeer {
  readonly credentials?: RouteCredentials | null;
}

interface MeshReport {
  readonly source: string;
  readonly origin: SourceOrigin;
  readonly peers: readonly DialTarget[];
}

/** A service of Kubernetes; see `KubernetesSourceOptions`. */
export interface KubernetesService {
  readonly service: string;
  readonly namespace: string | null;
  readonly portName: string;
}

/** What a reload may change. */
interface Routes {
  readonly routes: readonly ConfiguredRoute[];
  readonly discoveryIntervalMs: number;
}

interface PeerDiscoveryOptions {
  /** null: Kubernetes is not asked. */
  readonly kubernetes: KubernetesService | null;
  /** For routes, of this server. */
  readonly port: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly edge: Pick<ClusterEdge, "random" | "createDnsSource" | "createKubernetesSource">;
  onReport(report: MeshReport): void;
  /** A source knows the zone of this server. */
  onOwnZone(zone: string): void;
  /** False: members are missing, or nobody has been found yet. */
  isMeshWhole(): boolean;
}

export class PeerDiscovery implements Disposable {
  private readonly discovery: Discovery;
  private readonly options: PeerDiscoveryOptions;
  private readonly settings: Live<Routes>;
  private readonly routeOfSource = new Map<string, ConfiguredRoute>();
  private ownAddresses: ReadonlySet<AddressKey> = new Set();

  constructor(settings: Live<Routes>, options: PeerDiscoveryOptions) {
    this.settings = settings;
    this.options = options;
    this.discovery = new Discovery((report) => this.pass(report));
  }

  /** `ownAddresses`: those by which others may reach this server. */
  start(ownAddresses: readonly AddressKey[]): void {
    this.ownAddresses = new Set(ownAddresses);
    this.follow();
  }

  /** Adopts the new routes; lookups of names that stay are not interrupted. */
  follow(): void {
    this.routeOfSource.clear();
    this.discovery.use([...this.sourcesOf(this.settings.current), ...this.fromKubernetes()]);
  }

  /** A member is missing. */
  hasten(): void {
    this.discovery.hasten();
  }

  /** This server is left out. */
  snapshot(): DiscoverySnapshot[] {
    const sources = this.discovery.snapshot(this.options.clock.nowMs());
    return sources.map((source) => ({ ...source, peers: this.others(source.name, source.peers) }));
  }

  [Symbol.dispose](): void {
    this.discovery[Symbol.dispose]();
  }

  private sourcesOf({ routes, discoveryIntervalMs: intervalMs }: Routes): DiscoverySource[] {
    const { edge } = this.options;
    const literal = routes.filter(isLiteral);
    const sources: DiscoverySource[] = literal.length > 0 ? [staticSource("routes", literal)] : [];
    for (const route of routes) {
      if (isLiteral(route)) continue;
      const source = edge.createDnsSource(route, { ...this.options, random: edge.random, intervalMs });
      this.routeOfSource.set(source.name, route);
      sources.push(source);
    }
    return sources;
  }

  private fromKubernetes(): DiscoverySource[] {
    const { kubernetes, port, edge } = this.options;
    if (kubernetes === null) return [];
    const options = { ...this.options, ...kubernetes, random: edge.random, defaultPort: port };
    return [edge.createKubernetesSource(options)];
  }

  private pass({ source, origin, peers }: SourceReport): void {
    const self = peers.find(({ host, port }) => this.ownAddresses.has(addressKey(host, port)));
    if (self?.zone !== undefined) this.options.onOwnZone(self.zone);
    const route = this.routeOfSource.get(source);
    const credentials = route === undefined ? {} : { credentials: route.credentials };
    const targets = this.others(source, peers).map((peer) => ({ ...peer, ...credentials }));
    this.options.onReport({ source, origin, peers: targets });
  }

  private others(source: string, peers: readonly DiscoveredPeer[]): readonly DiscoveredPeer[] {
    const route = this.routeOfSource.get(source);
    if (route !== undefined && this.isOwnName(route) && namesOneServer(peers)) return [];
    return peers.filter(({ host, port }) => !this.ownAddresses.has(addressKey(host, port)));
  }

  /** The name that this server advertises. Where it stands for several servers, addresses and server ids tell them apart. */
  private isOwnName({ host, port }: ConfiguredRoute): boolean {
    return port !== null && this.ownAddresses.has(addressKey(host.replace(/\.$/, ""), port));
  }
}

/** There is nothing to look up, or nothing that could change. */
function isLiteral(route: ConfiguredRoute): route is ConfiguredRoute & { readonly port: number } {
  const isAddress = isIP(route.host) !== 0 || /^(?:.+\.)?localhost\.?$/i.test(route.host);
  return isAddress && route.port !== null;
}

/** One address, or one of each family. */
function namesOneServer(peers: readonly DiscoveredPeer[]): boolean {
  const families = peers.map(({ host }) => isIP(host));
  return new Set(families).size === families.length;
}
