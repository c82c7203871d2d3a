/** Writing and reading `host:port`, and the address that a peer's INFO tells to dial. Pure text, no tables. */
import type { AddressKey, PeerAddress, RouteInfo } from "./mesh-types.ts";
import { hostPort } from "../base/host-port.ts";

export function addressKey(host: string, port: number): AddressKey {
  const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
  const name = bare.toLowerCase();
  return hostPort(name, port);
}

/**
 * Where an INFO says that its server can be dialled. nats-server takes `ip`, which the peer sets when it advertises and a
 * forwarding member fills in; first hand it falls back to the address the connection came from (`remoteIp`).
 */
export function advertisedAddress(info: RouteInfo, remoteIp: string | undefined): PeerAddress | undefined {
  const fromIp = parseRouteUrl(info.ip);
  if (fromIp !== undefined) return fromIp;
  const host = remoteIp !== undefined && remoteIp !== "" ? remoteIp : info.host;
  if (host === "" || host === "0.0.0.0" || host === "::" || !isPort(info.port)) return undefined;
  return { host, port: info.port };
}

/** The `ip` field for a server that can be dialled at `address`. */
export function routeUrl(address: PeerAddress): string {
  return `nats-route://${addressKey(address.host, address.port)}/`;
}

const ROUTE_URL = /^[a-z-]+:\/\/(?:[^@/]*@)?(\[[^\]]+\]|[^:/[\]]+):(\d{1,5})\/?$/;

function parseRouteUrl(url: string): PeerAddress | undefined {
  const match = ROUTE_URL.exec(url);
  if (match === null) return undefined;
  const host = (match[1] as string).replace(/^\[|\]$/g, "");
  const port = Number(match[2]);
  return isPort(port) ? { host, port } : undefined;
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port > 0 && port < 65536;
}
