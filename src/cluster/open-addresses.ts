/**
 * The addresses that are wanted and lead nowhere yet, and how many servers that makes: several addresses may lead to one.
 * The count is kept, since it goes into every fact about a member that comes or goes.
 */
import { assert } from "../base/assert.ts";
import type { AddressKey, ServerId } from "./mesh-types.ts";

interface Wanted {
  readonly key: AddressKey;
  readonly leadsTo: ServerId | undefined;
}

export class OpenAddresses {
  /** What each address stands for: the server that it leads to, or else itself. */
  private readonly standsFor = new Map<AddressKey, string>();
  private readonly addressesOf = new Map<string, number>();

  get size(): number {
    return this.standsFor.size;
  }

  /** How many servers these addresses lead to. */
  get servers(): number {
    return this.addressesOf.size;
  }

  has(key: AddressKey): boolean {
    return this.standsFor.has(key);
  }

  /** Also where an address that is in already leads elsewhere now. */
  add({ key, leadsTo }: Wanted): void {
    const server = leadsTo ?? key;
    if (this.standsFor.get(key) === server) return;
    this.delete(key);
    this.standsFor.set(key, server);
    this.addressesOf.set(server, (this.addressesOf.get(server) ?? 0) + 1);
  }

  delete(key: AddressKey): void {
    const server = this.standsFor.get(key);
    if (server === undefined) return;
    this.standsFor.delete(key);
    const left = (this.addressesOf.get(server) ?? 0) - 1;
    assert(left >= 0, "an open address is counted once for its server");
    if (left > 0) this.addressesOf.set(server, left);
    else this.addressesOf.delete(server);
  }
}
