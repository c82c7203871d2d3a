/**
 * One name, looked up as the programs of a container expect it: /etc/hosts first, then DNS with the search domains of
 * /etc/resolv.conf, both families side by side, and what the system knows beyond that (mDNS, the host's own name) where DNS
 * has never known the name.
 *
 * Invariant: "none" means that every question was answered so; what was not answered is "failed".
 */
import { isIP } from "node:net";
import { assert } from "../base/assert.ts";
import type { AddressRecord, NameResolver, ServiceRecord } from "./resolver.ts";
import { fullNames, hostsAddresses, readSearchRules } from "./search.ts";

export type LookupAnswer<T> =
  | { readonly kind: "found"; readonly value: T }
  | { readonly kind: "none" }
  | {
      readonly kind: "failed";
      readonly error: string;
      /** Whether no name server has answered at all, so that trying other names is pointless. */
      readonly isSilence: boolean;
    };

/** `null` for a family whose question was not answered. */
export interface Families {
  readonly v4: readonly string[] | null;
  readonly v6: readonly string[] | null;
  /** The shortest time to live of the records; null: unknown. */
  readonly ttlMs: number | null;
}

const NEGATIVE_CODES = new Set(["ENOTFOUND", "ENODATA"]);
/** Codes of name servers that cannot or will not answer the query. */
const REFUSAL_CODES = new Set(["ESERVFAIL", "EREFUSED", "EFORMERR", "ENOTIMP", "EBADRESP", "EBADNAME"]);

export class NameLookup {
  private readonly resolver: NameResolver;
  private readonly name: string;
  /** The full name that was found last. It is tried first, so that a steady state needs no search. */
  private lastFound: string | null = null;

  constructor(resolver: NameResolver, name: string) {
    this.resolver = resolver;
    this.name = name;
  }

  async addresses(): Promise<LookupAnswer<Families>> {
    const listed = hostsAddresses(await this.resolver.hostsText(), this.name);
    if (listed.length > 0) return byFamily(listed);
    const answer = await this.search((fullName) => this.addressesOf(fullName));
    return answer.kind === "none" && this.lastFound === null ? this.askSystem() : answer;
  }

  /** The targets of its SRV records. */
  async services(): Promise<LookupAnswer<readonly ServiceRecord[]>> {
    return this.search(async (fullName) => {
      const answer = await answerOf(this.resolver.resolveSrv(fullName));
      if (answer.kind !== "found") return answer;
      // A target of "." says that there is no such service.
      const value = answer.value.filter(({ name, port }) => name !== "" && port > 0);
      return value.length > 0 ? { kind: "found", value } : { kind: "none" };
    });
  }

  /** The addresses of a full name, from DNS alone. */
  async addressesOf(fullName: string): Promise<LookupAnswer<Families>> {
    const [v4, v6] = await Promise.all([
      answerOf(this.resolver.resolve4(fullName)),
      answerOf(this.resolver.resolve6(fullName)),
    ]);
    const records = [...recordsOf(v4), ...recordsOf(v6)];
    if (records.length === 0) {
      const answer = v4.kind === "failed" || v6.kind !== "failed" ? negative(v4) : negative(v6);
      const isAnswered = v4.kind !== "failed" && v6.kind !== "failed";
      assert(answer.kind === "failed" || isAnswered, "a family that was not asked is not missing");
      return answer;
    }
    const ttlMs = Math.min(...records.map(({ ttl }) => ttl)) * 1000;
    const addresses = (answer: typeof v4): string[] | null =>
      answer.kind === "failed" ? null : recordsOf(answer).map(({ address }) => address);
    return { kind: "found", value: { v4: addresses(v4), v6: addresses(v6), ttlMs } };
  }

  private async search<T>(ask: (fullName: string) => Promise<LookupAnswer<T>>): Promise<LookupAnswer<T>> {
    const names = fullNames(this.name, readSearchRules(await this.resolver.resolvConfText()));
    const last = this.lastFound;
    let outcome: LookupAnswer<T> = { kind: "none" };
    let failures = 0;
    for (const fullName of last === null ? names : [last, ...names.filter((name) => name !== last)]) {
      const answer = await ask(fullName);
      if (answer.kind === "none") continue;
      if (answer.kind === "failed") failures++;
      outcome = answer;
      if (answer.kind === "found") this.lastFound = fullName;
      if (answer.kind === "found" || answer.isSilence) break;
    }
    assert(
      outcome.kind !== "none" || failures === 0,
      "a name is missing where every question was answered so",
    );
    return outcome;
  }

  private async askSystem(): Promise<LookupAnswer<Families>> {
    const addresses = await this.resolver.systemLookup(this.name).catch(() => []);
    return addresses.length > 0 ? byFamily(addresses) : { kind: "none" };
  }
}

async function answerOf<T>(question: Promise<readonly T[]>): Promise<LookupAnswer<readonly T[]>> {
  try {
    return { kind: "found", value: await question };
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    if (NEGATIVE_CODES.has(code)) return { kind: "none" };
    return { kind: "failed", error: message, isSilence: !REFUSAL_CODES.has(code) };
  }
}

function recordsOf(answer: LookupAnswer<readonly AddressRecord[]>): readonly AddressRecord[] {
  return answer.kind === "found" ? answer.value : [];
}

function negative(answer: LookupAnswer<unknown>): LookupAnswer<never> {
  return answer.kind === "failed" ? answer : { kind: "none" };
}

function byFamily(addresses: readonly string[]): LookupAnswer<Families> {
  const of = (family: number): string[] => addresses.filter((address) => isIP(address) === family);
  return { kind: "found", value: { v4: of(4), v6: of(6), ttlMs: null } };
}
