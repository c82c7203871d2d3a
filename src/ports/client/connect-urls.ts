/** Where clients can reach this server, as INFO's `connect_urls` says it. */
import { networkInterfaces } from "node:os";
import { hostPort } from "../../base/host-port.ts";

interface Advertised {
  readonly host: string;
  readonly port: number | null;
}

export interface ClientEndpoint {
  readonly host: string;
  readonly port: number;
  readonly advertise: Advertised | null;
}

/** The second listener. */
export interface ExternalEndpoint {
  readonly port: number;
  readonly advertise: Advertised | null;
}

/** The advertised address; else the listening address; for "every address" the machine's own ones, as nats-server does. */
export function ownConnectUrls(endpoint: ClientEndpoint): string[] {
  const { host, port, advertise } = endpoint;
  if (advertise !== null) return [hostPort(advertise.host, advertise.port ?? port)];
  if (host !== "0.0.0.0" && host !== "::" && host !== "") return [hostPort(host, port)];
  const found = globalAddresses();
  return (found.length > 0 ? found : ["127.0.0.1"]).map((address) => hostPort(address, port));
}

/** Only what was advertised: an address of the machine, or of a pod, leads nowhere from outside. */
export function ownExternalUrls(endpoint: ClientEndpoint, external: ExternalEndpoint | null): string[] {
  const { port, advertise } = external ?? endpoint;
  return advertise === null ? [] : [hostPort(advertise.host, advertise.port ?? port)];
}

function globalAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return all.filter((one) => !one.internal && !one.address.startsWith("fe80:")).map((one) => one.address);
}
