/**
 * Sets up the sources of addresses that the configuration asks for, and puts what they report into the words of the mesh.
 * What goes into a dial beyond host and port (credentials, the name on the certificate) travels through the mesh unread.
 */
import type { Clock } from "../base/clock.ts";
import type { PeerAddress } from "../cluster/mesh-types.ts";
import {
  Discovery,
  type DiscoveredPeer,
  type DiscoverySnapshot,
  type SourceOrigin,
} from "../discovery/discovery.ts";
import { staticSource } from "../discovery/static.ts";

export interface Credentials {
  readonly user: string;
  readonly pass: string;
}

/** A configured route, with the credentials of its URL. */
export interface ConfiguredRoute {
  readonly host: string;
  readonly port: number;
  readonly credentials: Credentials | null;
}

/** What comes back with a dial. `credentials` is absent where the cluster's own apply: gossip, and sources without URLs. */
export interface DialTarget extends PeerAddress, DiscoveredPeer {
  readonly credentials?: Credentials | null;
}

interface MeshReport {
  readonly source: string;
  readonly origin: SourceOrigin;
  readonly peers: readonly DialTarget[];
}

interface PeerDiscoveryOptions {
  readonly routes: readonly ConfiguredRoute[];
  readonly clock: Clock;
  onReport(report: MeshReport): void;
}

export class PeerDiscovery implements Disposable {
  private readonly discovery: Discovery;
  private readonly options: PeerDiscoveryOptions;

  constructor(options: PeerDiscoveryOptions) {
    this.options = options;
    this.discovery = new Discovery((report) => this.options.onReport(report));
  }

  start(): void {
    this.discovery.use([staticSource("routes", this.options.routes)]);
  }

  snapshot(): DiscoverySnapshot[] {
    return this.discovery.snapshot(this.options.clock.nowMs());
  }

  [Symbol.dispose](): void {
    this.discovery[Symbol.dispose]();
  }
}
