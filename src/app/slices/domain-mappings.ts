/**
 * The mappings that JetStream domains bring to accounts: those of the server's own domain lead to its JetStream, those of an account's
 * default domain lead away from here. Mappings of the account's own come before them.
 */
import type { Config } from "../../config/config.ts";
import type { MappingConfig } from "../../config/values/mappings.ts";
import { domainSubjects } from "../../subject/jetstream-domain.ts";

type SeenByDomains = Pick<Config, "jetStream">;

/** Of any account but the system account. */
export function domainMappings({ jetStream }: SeenByDomains, account: string): readonly MappingConfig[] {
  const { isEnabled, domain, defaultDomains } = jetStream;
  const own = isEnabled && domain !== "" ? domainSubjects(domain) : [];
  const elsewhere = defaultDomains[account] ?? "";
  return [
    ...own.map(({ inDomain, plain }) => mapping(inDomain, plain)),
    ...(elsewhere === "" ? [] : domainSubjects(elsewhere)).map(({ inDomain, plain }) =>
      mapping(plain, inDomain),
    ),
  ];
}

function mapping(source: string, subject: string): MappingConfig {
  return { source, destinations: [{ subject, weight: 100, cluster: null }] };
}
