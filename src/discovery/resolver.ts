/**
 * The machine's means of resolving names: DNS queries by c-ares, which report the time to live and block no thread, the files that
 * configure them, and the system's own lookup. The rules are in lookup.ts.
 */
import { lookup, Resolver } from "node:dns/promises";
import { readFile } from "node:fs/promises";

export interface AddressRecord {
  readonly address: string;
  /** Seconds. */
  readonly ttl: number;
}

export interface ServiceRecord {
  readonly name: string;
  readonly port: number;
}

/** Names are asked for as they are, without search domains. Rejections carry a `code`, as those of node:dns do. */
export interface NameResolver {
  resolve4(name: string): Promise<readonly AddressRecord[]>;
  resolve6(name: string): Promise<readonly AddressRecord[]>;
  resolveSrv(name: string): Promise<readonly ServiceRecord[]>;
  /** getaddrinfo: also uses the sources that the system has beyond DNS; blocks a thread. */
  systemLookup(name: string): Promise<readonly string[]>;
  /** The text of /etc/hosts; "" if there is none. */
  hostsText(): Promise<string>;
  /** The text of /etc/resolv.conf; "" if there is none. A change takes effect on the next query. */
  resolvConfText(): Promise<string>;
  /** Queries under way reject. */
  cancel(): void;
}

/** Per attempt and name server. */
const QUERY_TIMEOUT_MS = 1000;
const QUERY_TRIES = 2;

export function systemResolver(): NameResolver {
  const create = (): Resolver => new Resolver({ timeout: QUERY_TIMEOUT_MS, tries: QUERY_TRIES });
  let resolver = create();
  let configuredBy: string | null = null;
  return {
    resolve4: (name) => resolver.resolve4(name, { ttl: true }),
    resolve6: (name) => resolver.resolve6(name, { ttl: true }),
    resolveSrv: (name) => resolver.resolveSrv(name),
    systemLookup: async (name) => (await lookup(name, { all: true })).map(({ address }) => address),
    hostsText: () => textOf("/etc/hosts"),
    async resolvConfText() {
      const text = await textOf("/etc/resolv.conf");
      // The name servers are read when a resolver is made.
      if (configuredBy !== null && configuredBy !== text) resolver = create();
      configuredBy = text;
      return text;
    },
    cancel: () => resolver.cancel(),
  };
}

async function textOf(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}
