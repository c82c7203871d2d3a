/**
 * From EndpointSlices to peers. Pure. A slice has the addresses of one family; a pod with an address of each family is in two
 * slices, and is one peer. Malformed entries are left out: they may come from a newer Kubernetes.
 */
import type { DiscoveredPeer } from "./discovery.ts";

/** The fields of a slice that are read (discovery.k8s.io/v1). */
export interface EndpointSlice {
  readonly metadata?: { readonly name?: string; readonly resourceVersion?: string };
  readonly addressType?: string;
  readonly endpoints?: readonly Endpoint[];
  readonly ports?: readonly { readonly name?: string; readonly port?: number }[];
}

interface Endpoint {
  readonly addresses?: readonly string[];
  readonly conditions?: {
    readonly ready?: boolean;
    readonly serving?: boolean;
    readonly terminating?: boolean;
  };
  /** For a pod of a StatefulSet: its name within the service. */
  readonly hostname?: string;
  readonly nodeName?: string;
  readonly zone?: string;
  readonly targetRef?: { readonly kind?: string; readonly name?: string };
}

export interface SliceReading {
  readonly service: string;
  readonly namespace: string;
  /** Name of the service's port for routes. */
  readonly portName: string;
  /** For slices without a port of that name: pods of one service have the same. */
  readonly defaultPort: number;
}

/** As many as the mesh would take. */
const PEERS_MAX = 2048;
/** Where a pod has several addresses, the first of these families. */
const FAMILIES = ["IPv4", "IPv6", "FQDN"];

/** In a fixed order, so that equal sets compare equal. */
export function peersOf(slices: Iterable<EndpointSlice>, reading: SliceReading): DiscoveredPeer[] {
  const byFamily = [...slices].sort(
    (a, b) => FAMILIES.indexOf(a.addressType ?? "") - FAMILIES.indexOf(b.addressType ?? ""),
  );
  const peers = new Map<string, DiscoveredPeer>();
  for (const slice of byFamily) {
    if (!FAMILIES.includes(slice.addressType ?? "") || !Array.isArray(slice.endpoints)) continue;
    const port = portOf(slice, reading);
    for (const endpoint of slice.endpoints as readonly Endpoint[]) {
      const host = endpoint?.addresses?.[0];
      if (typeof host !== "string" || host === "" || port === 0 || isLeaving(endpoint)) continue;
      const key = podOf(endpoint) ?? `${host} ${port}`;
      if (!peers.has(key) && peers.size < PEERS_MAX) peers.set(key, peerOf(endpoint, host, port, reading));
    }
  }
  return [...peers.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, peer]) => peer);
}

function peerOf(endpoint: Endpoint, host: string, port: number, reading: SliceReading): DiscoveredPeer {
  const { hostname, nodeName, zone } = endpoint;
  const name = podOf(endpoint);
  return {
    host,
    port,
    ...(name !== undefined && { name }),
    ...(nodeName !== undefined && { node: nodeName }),
    ...(zone !== undefined && { zone }),
    isReady: isReady(endpoint),
    ...(hostname !== undefined && { verifyName: `${hostname}.${reading.service}.${reading.namespace}.svc` }),
  };
}

function podOf({ targetRef }: Endpoint): string | undefined {
  return targetRef?.kind === "Pod" ? targetRef.name : undefined;
}

/** `ready` is true for every pod of a service that publishes those that are not; `serving` tells. Not told: ready. */
function isReady({ conditions }: Endpoint): boolean {
  return (conditions?.serving ?? conditions?.ready ?? true) && conditions?.terminating !== true;
}

/** A pod that is terminating accepts no connections, so it is not worth a new route. */
function isLeaving({ conditions }: Endpoint): boolean {
  return conditions?.terminating === true && conditions.serving === false;
}

function portOf({ ports }: EndpointSlice, { portName, defaultPort }: SliceReading): number {
  if (!Array.isArray(ports)) return defaultPort;
  const named = (ports as NonNullable<EndpointSlice["ports"]>).find((each) => each?.name === portName)?.port;
  return typeof named === "number" ? named : defaultPort;
}
