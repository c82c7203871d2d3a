/** The subject mappings of accounts, by their claims. Mappings that have not changed keep their state. */
import { sameValues } from "../base/same-values.ts";
import type { Random } from "../base/random.ts";
import type { MappingClaim } from "../auth/operator/account-claims.ts";
import type { Accounts } from "../core/accounts.ts";
import { Mappings } from "../core/mappings.ts";
import { toByteString } from "../protocol/info.ts";
import { MappingError } from "../subject/mapping-error.ts";
import { Mapping } from "../subject/mapping.ts";
import { isValidSubject } from "../subject/subject.ts";

export interface MappingsOptions {
  readonly accounts: Accounts;
  readonly random: Random;
  cluster(this: void): string;
  implied(this: void, account: string): readonly Mapping[];
}

export class MappingsOfAccounts {
  private readonly accounts: Accounts;
  private readonly random: Random;
  private readonly cluster: () => string;
  private readonly implied: (account: string) => readonly Mapping[];
  private readonly claims = new Map<string, readonly MappingClaim[]>();

  /** `cluster`: the name of the server's cluster, "" without one. `implied`: what an account has besides its own. */
  constructor({ accounts, random, cluster, implied }: MappingsOptions) {
    this.accounts = accounts;
    this.random = random;
    this.cluster = cluster;
    this.implied = implied;
  }

  /** Returns what is wrong. As in nats-server, the mappings stay as they were then. */
  set(name: string, claims: readonly MappingClaim[]): readonly string[] {
    const account = this.accounts.get(name);
    if (account === undefined || sameValues(claims, this.claims.get(name))) return [];
    const problems = mappingClaimProblems(claims);
    if (problems.length > 0) return problems;
    const own = claims.map(mappingOf);
    const implied = account.isSystem ? [] : this.implied(name);
    const list = [...own, ...implied.filter(({ source }) => !own.some((one) => one.source === source))];
    this.claims.set(name, claims);
    account.mappings?.[Symbol.dispose]();
    account.mappings = list.length === 0 ? null : new Mappings(list, this.cluster(), this.random);
    return [];
  }
}

/** Why the mappings are invalid, in nats-server's words. */
export function mappingClaimProblems(claims: readonly MappingClaim[]): readonly string[] {
  return claims.flatMap((one) => {
    if (!isValidSubject(one.source)) return [`mapping "${one.source}": invalid subject`];
    try {
      void mappingOf(one);
      return [];
    } catch (error) {
      if (!(error instanceof MappingError)) throw error;
      return [`mapping "${one.source}": ${error.message}`];
    }
  });
}

function mappingOf({ source, destinations }: MappingClaim): Mapping {
  return new Mapping(
    toByteString(source),
    destinations.map(({ subject, weight, cluster }) => ({
      subject: toByteString(subject),
      weight,
      cluster: cluster === "" ? null : cluster,
    })),
  );
}
