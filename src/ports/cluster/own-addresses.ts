/** The addresses that lead to this server's own route port: the mesh does not dial them. */
import { networkInterfaces } from "node:os";
import { addressKey } from "../../cluster/address.ts";
import type { AddressKey } from "../../cluster/mesh-types.ts";

export function ownAddresses(
  host: string,
  port: number,
  advertise: { readonly host: string; readonly port: number | null } | null,
): AddressKey[] {
  const isAny = host === "" || host === "0.0.0.0" || host === "::";
  const hosts = isAny ? localAddresses() : [host, ...(host === "localhost" ? ["127.0.0.1", "::1"] : [])];
  const keys = hosts.map((own) => addressKey(own, port));
  return advertise === null ? keys : [...keys, addressKey(advertise.host, advertise.port ?? port)];
}

function localAddresses(): string[] {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return ["localhost", ...all.map((one) => one.address)];
}
