/** The options that name the other servers of the cluster. They are part of the section `cluster`. */
import { rowsOf, type Option } from "../option.ts";
import { routeUrls, type RouteUrl } from "../values/address.ts";
import { duration, spacelessName } from "../values/value-type.ts";

export interface DiscoveryConfig {
  readonly routes: readonly RouteUrl[];
  /** How often the names in `routes` are resolved. */
  readonly discoveryIntervalMs: number;
  /** The service whose EndpointSlices list the other servers. null: Kubernetes is not asked. */
  readonly kubernetesService: string | null;
  /** null: the namespace that the server runs in. */
  readonly kubernetesNamespace: string | null;
  readonly kubernetesPortName: string;
}

interface Seen {
  readonly cluster: DiscoveryConfig;
}

const { option } = rowsOf<Seen, "cluster">("cluster", "Cluster");

export const discoveryRows: readonly Option[] = [
  option({
    key: "cluster.routes",
    field: "routes",
    type: routeUrls,
    default: [],
    flags: ["routes"],
    flagValue: "<rurl-1, rurl-2>",
    reload: "live",
    description: "Servers to have a route to; of a name, all that its addresses or SRV records show",
  }),
  option({
    key: "cluster.discovery.interval",
    field: "discoveryIntervalMs",
    type: duration({ minMs: 100, zero: "default", bareNumber: "seconds" }),
    default: 5000,
    reload: "live",
    description: "Time between two lookups of a name in routes; shorter while servers are missing",
  }),
  option({
    key: "cluster.discovery.kubernetes.service",
    field: "kubernetesService",
    type: spacelessName,
    default: null,
    defaultText: "off",
    reload: "restart",
    description: "Headless service of Kubernetes whose EndpointSlices show the other servers",
  }),
  option({
    key: "cluster.discovery.kubernetes.namespace",
    field: "kubernetesNamespace",
    type: spacelessName,
    default: null,
    defaultText: "that of the pod",
    reload: "restart",
    description: "Namespace of that service",
  }),
  option({
    key: "cluster.discovery.kubernetes.port_name",
    field: "kubernetesPortName",
    type: spacelessName,
    default: "cluster",
    reload: "restart",
    description:
      "Name of the service's port for routes; where it has none of that name, cluster.port is dialled",
  }),
];
