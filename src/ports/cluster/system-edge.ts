/** The real surroundings of the port of the other servers: sockets, DNS, Kubernetes, the event loop. */
import { systemRandom } from "../../base/random.ts";
import { createMesh } from "../../cluster/mesh.ts";
import { DnsSource } from "../../discovery/dns.ts";
import { KubernetesSource } from "../../discovery/kubernetes-source.ts";
import { systemResolver } from "../../discovery/resolver.ts";
import type { ClusterEdge } from "./route-network.ts";
import { TcpRoutes } from "./tcp-routes.ts";

export const SYSTEM_EDGE: ClusterEdge = {
  random: systemRandom,
  createNetwork: (options) => new TcpRoutes(options),
  createMesh,
  // One resolver for each name: a lookup that takes too long is called off with all of its resolver's.
  createDnsSource: (name, options) => new DnsSource(name, { ...options, resolver: systemResolver() }),
  createKubernetesSource: (options) => new KubernetesSource(options),
  nextRound: (work) => void setImmediate(work),
};
