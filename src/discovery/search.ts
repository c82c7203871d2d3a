/** Reads resolv.conf(5) and hosts(5), as far as a lookup needs them. Pure text. */
import { isIP } from "node:net";

interface SearchRules {
  readonly domains: readonly string[];
  /** With fewer dots than these, a name is tried with the search domains first. */
  readonly ndots: number;
}

const NDOTS_MAX = 15;

export function readSearchRules(resolvConf: string): SearchRules {
  let domains: readonly string[] = [];
  let ndots = 1;
  for (const line of resolvConf.split("\n")) {
    const [keyword, ...words] = line
      .replace(/[#;].*$/, "")
      .trim()
      .split(/\s+/);
    if (keyword === "search") domains = words;
    else if (keyword === "domain") domains = words.slice(0, 1);
    else if (keyword === "options") {
      const given = words.map((word) => /^ndots:(\d+)$/.exec(word)?.[1]).findLast((n) => n !== undefined);
      if (given !== undefined) ndots = Math.min(Number(given), NDOTS_MAX);
    }
  }
  return {
    domains: domains.map((domain) => domain.replace(/\.$/, "")).filter((domain) => domain !== ""),
    ndots,
  };
}

/** The full names that `name` may stand for, in the order in which they are tried. */
export function fullNames(name: string, { domains, ndots }: SearchRules): string[] {
  if (name.endsWith(".")) return [name.slice(0, -1)];
  const searched = domains.map((domain) => `${name}.${domain}`);
  const dots = name.split(".").length - 1;
  return dots >= ndots ? [name, ...searched] : [...searched, name];
}

export function hostsAddresses(hosts: string, name: string): string[] {
  const wanted = name.replace(/\.$/, "").toLowerCase();
  const found: string[] = [];
  for (const line of hosts.split("\n")) {
    const [address = "", ...names] = line.replace(/#.*$/, "").trim().split(/\s+/);
    if (isIP(address) !== 0 && names.some((known) => known.toLowerCase() === wanted)) found.push(address);
  }
  return found;
}
