/** All addresses of a name, in any order, so that dials are spread over the servers behind it. */
import { lookup } from "node:dns/promises";
import { systemRandom } from "../../base/random.ts";

/** As the system looks names up, with /etc/hosts and search domains. Rejects with its error. */
export async function allAddresses(name: string): Promise<readonly string[]> {
  const found = (await lookup(name, { all: true })).map(({ address }) => address);
  const first = Math.floor(systemRandom.next() * found.length);
  return [...found.slice(first), ...found.slice(0, first)];
}
