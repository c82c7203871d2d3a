/**
 * Problems of an account's claims that could be read, in nats-server's words. An account with an error is not accepted.
 * Whether the claims are valid at this time is asked apart, since a token that is pushed may become valid later.
 */
import { BadJwt } from "../../keys/jwt.ts";
import { isNkeyOf } from "../../keys/nkey.ts";
import { hasWildcardToken, isContainedIn } from "./claim-subjects.ts";
import type { AccountClaims, AccountLimitClaims, ExportClaim, ImportClaim } from "./account-claims.ts";
import { readActivation, type Activation } from "./activation.ts";
import { permissionProblems, subjectProblems } from "./user-terms.ts";

const INFO_CHARS_MAX = 8 * 1024;
const RESPONSE_TYPES = ["", "Singleton", "Stream", "Chunked"];
const CLUSTER_TRAFFIC = ["", "system", "owner"];

export function accountProblems(claims: AccountClaims): string[] {
  const { limits, imports, exports, trace, clusterTraffic } = claims;
  return [
    ...importsProblems(imports, claims.subject),
    ...exportsProblems(exports),
    ...limitsProblems(limits),
    ...permissionProblems(claims.defaultPermissions),
    ...claims.mappings.flatMap(mappingProblems),
    ...authorizationProblems(claims.authorization),
    ...(trace === null ? [] : traceProblems(trace)),
    ...countProblems(claims),
    ...signingKeyProblems(claims),
    ...infoProblems(claims),
    ...(CLUSTER_TRAFFIC.includes(clusterTraffic)
      ? []
      : [`unknown cluster traffic option: ${JSON.stringify(clusterTraffic)}`]),
  ];
}

/** Services of one account may not overlap where they are imported. */
function importsProblems(imports: AccountClaims["imports"], importer: string): string[] {
  const problems: string[] = [];
  const seen = new Map<string, string[]>();
  for (const one of imports) {
    if (one === null) {
      problems.push("null import is not allowed");
      continue;
    }
    if (one.kind === "service") {
      const here = one.to || withoutReferences(one.localSubject) || one.subject;
      const others = seen.get(one.account) ?? [];
      const other = others.find((each) => isContainedIn(here, each) || isContainedIn(each, here));
      if (other !== undefined)
        problems.push(
          `overlapping subject namespace for "${here}" and "${other}" in same account "${one.account}"`,
        );
      seen.set(one.account, [...others, here]);
    }
    problems.push(...importProblems(one, importer));
  }
  return problems;
}

/** The rules of a single import, its activation token's signature and subjects among them. */
export function importProblems(one: ImportClaim, importer: string): string[] {
  const { kind, subject, account, to, localSubject } = one;
  return [
    ...(kind === "unknown" ? ['invalid import type: "unknown"'] : []),
    ...(kind === "service" && one.allowTrace ? ["AllowTrace only valid for stream import"] : []),
    ...(account === "" ? ["account to import from is not specified"] : []),
    ...subjectProblems(subject),
    ...(localSubject === "" ? [] : renamingProblems(localSubject, subject)),
    ...(localSubject !== "" && to !== "" ? ["Local Subject replaces To"] : []),
    ...(one.share && kind !== "service"
      ? [`sharing information (for latency tracking) is only valid for services: "${subject}"`]
      : []),
    ...(one.token === "" ? [] : tokenProblems(one, importer)),
  ];
}

function tokenProblems(one: ImportClaim, importer: string): string[] {
  const { subject, kind, account } = one;
  let activation: Activation;
  try {
    activation = readActivation(one.token);
  } catch (error) {
    if (!(error instanceof BadJwt)) throw error;
    return [`import "${subject}" contains an invalid activation token`];
  }
  const { token } = activation;
  const wanted = kind === "service" && one.to !== "" ? one.to : subject;
  return [
    ...(token.issuer === account || token.issuerAccount === account
      ? []
      : [`activation token doesn't match account for import "${subject}"`]),
    ...(token.subject === importer
      ? []
      : [`activation token doesn't match account it is being included in, "${subject}"`]),
    ...(activation.kind === kind
      ? []
      : [`mismatch between token import type ${activation.kind} and type of import ${kind}`]),
    ...(activation.kind === "unknown" ? ['invalid import type: "unknown"'] : []),
    ...subjectProblems(activation.subject),
    ...(token.issuerAccount === "" || isNkeyOf("account", token.issuerAccount)
      ? []
      : ["account_id is not an account public key"]),
    ...(isContainedIn(wanted, activation.subject)
      ? []
      : [`activation token import subject "${activation.subject}" doesn't match import "${subject}"`]),
  ];
}

/** `$1` stands for the first wildcard of `from`; each has to be named. */
function renamingProblems(local: string, from: string): string[] {
  const problems = subjectProblems(local);
  if (from === "") problems.push("subject cannot be empty");
  const isOpen = (subject: string): boolean => subject === ">" || subject.endsWith(".>");
  if (isOpen(local) !== isOpen(from))
    problems.push("both, renaming subject and subject, need to end or not end in >");
  const wildcards = from.split(".").filter((token) => token === "*").length;
  let named = 0;
  for (const token of local.split(".")) {
    if (token === "*") named++;
    const reference = /^\$([+-]?\d+)$/.exec(token)?.[1];
    if (reference === undefined) continue;
    if (Number(reference) > wildcards)
      problems.push(`Reference $${reference} in "${local}" reference * in "${from}" that do not exist`);
    else named++;
  }
  if (named !== wildcards) problems.push("subject does not contain enough * or reference wildcards $[0-9]");
  return problems;
}

function withoutReferences(local: string): string {
  return local
    .split(".")
    .map((token) => (/^\$[+-]?\d+$/.test(token) ? "*" : token))
    .join(".");
}

function exportsProblems(exports: AccountClaims["exports"]): string[] {
  const subjects = { service: [] as string[], stream: [] as string[] };
  const problems: string[] = [];
  for (const one of exports) {
    if (one === null) {
      problems.push("null export is not allowed");
      continue;
    }
    subjects[one.kind === "service" ? "service" : "stream"].push(one.subject);
    problems.push(...exportProblems(one));
  }
  for (const kind of ["service", "stream"] as const)
    subjects[kind].forEach((subject, index) => {
      const within = subjects[kind].find((other, at) => at !== index && isContainedIn(subject, other));
      if (within !== undefined)
        problems.push(`${kind} export subject "${within}" already exports "${subject}"`);
    });
  return problems;
}

function exportProblems(one: ExportClaim): string[] {
  const { kind, responseType, latency, responseThresholdNs } = one;
  const isService = kind === "service";
  return [
    ...(kind === "unknown" ? ['invalid export type: "unknown"'] : []),
    ...(isService && !RESPONSE_TYPES.includes(responseType)
      ? [`invalid response type for service: "${responseType}"`]
      : []),
    ...(kind === "stream" && responseType !== ""
      ? [`invalid response type for stream: "${responseType}"`]
      : []),
    ...(kind === "stream" && one.allowTrace ? ["AllowTrace only valid for service export"] : []),
    ...(latency === null ? [] : latencyProblems(latency, isService)),
    ...(responseThresholdNs < 0 ? ["negative response threshold is invalid"] : []),
    ...(responseThresholdNs > 0 && !isService ? ["response threshold only valid for services"] : []),
    ...subjectProblems(one.subject),
    ...positionProblems(one),
    ...infoProblems(one),
  ];
}

function latencyProblems(
  { sampling, results }: NonNullable<ExportClaim["latency"]>,
  isService: boolean,
): string[] {
  return [
    ...(isService ? [] : ["latency tracking only permitted for services"]),
    ...(sampling < 0 || sampling > 100 ? ["sampling percentage needs to be between 1-100"] : []),
    ...subjectProblems(results),
    ...(hasWildcardToken(results) ? ["results subject can not contain wildcards"] : []),
  ];
}

function positionProblems({ accountTokenPosition: position, subject }: ExportClaim): string[] {
  if (position === 0) return [];
  if (!hasWildcardToken(subject))
    return [`Account Token Position can only be used with wildcard subjects: ${subject}`];
  const tokens = subject.split(".");
  if (position > tokens.length)
    return [`Account Token Position ${position} exceeds length of subject '${subject}'`];
  const token = tokens[position - 1]!;
  return token === "*"
    ? []
    : [`Account Token Position ${position} matches '${token}' but must match a * in: ${subject}`];
}

function limitsProblems({ tiers }: AccountLimitClaims): string[] {
  return tiers.has("") ? ['Tiered JetStream Limits can not contain a blank "" tier name'] : [];
}

function mappingProblems({ source, destinations }: AccountClaims["mappings"][number]): string[] {
  const problems = subjectProblems(source);
  const totals = new Map<string, number>();
  for (const { subject, weight, cluster } of destinations) {
    problems.push(...subjectProblems(subject));
    if (weight > 100) problems.push(`Mapping "${source}" has a weight ${weight} that exceeds 100`);
    totals.set(cluster, (totals.get(cluster) ?? 0) + weight);
  }
  if ([...totals.values()].some((total) => total > 100))
    problems.push(`Mapping "${source}" exceeds 100% among all of it's weighted to mappings`);
  return problems;
}

function authorizationProblems({
  authUsers,
  allowedAccounts,
  xkey,
}: AccountClaims["authorization"]): string[] {
  const isAlone = allowedAccounts.length === 1;
  return [
    ...(allowedAccounts.length > 0 && authUsers.length === 0
      ? ["External authorization cannot have accounts without users specified"]
      : []),
    ...authUsers
      .filter((user) => !isNkeyOf("user", user))
      .map((user) => `AuthUser "${user}" is not a valid user public key`),
    ...allowedAccounts
      .filter((account) => (account === "*" ? !isAlone : !isNkeyOf("account", account)))
      .map((account) =>
        account === "*"
          ? 'AllowedAccounts can only be a list of accounts or "*"'
          : `Account "${account}" is not a valid account public key`,
      ),
    ...(xkey === "" || isNkeyOf("curve", xkey) ? [] : ["XKey is not a valid public xkey"]),
  ];
}

function traceProblems({ destination, sampling }: NonNullable<AccountClaims["trace"]>): string[] {
  const [problem] = subjectProblems(destination);
  return [
    ...(problem === undefined ? [] : [`the account Trace.Destination ${problem}`]),
    ...(hasWildcardToken(destination)
      ? [`the account Trace.Destination subject "${destination}" is not a valid publish subject`]
      : []),
    ...(sampling < 0 || sampling > 100
      ? [`the account Trace.Sampling value '${sampling}' is not valid, should be in the range [1..100]`]
      : []),
  ];
}

function countProblems({ limits, imports, exports }: AccountClaims): string[] {
  const isUnderLimit = limits.exports !== -1;
  const hasWildcards = exports.some((one) => one !== null && hasWildcardToken(one.subject));
  return [
    ...(limits.imports !== -1 && imports.length > limits.imports
      ? ["the account contains more imports than allowed by the operator"]
      : []),
    ...(isUnderLimit && exports.length > limits.exports
      ? ["the account contains more exports than allowed by the operator"]
      : []),
    ...(isUnderLimit && !limits.wildcardExports && hasWildcards
      ? ["the account contains wildcard exports that are not allowed by the operator"]
      : []),
  ];
}

function signingKeyProblems({ signingKeys }: AccountClaims): string[] {
  return [...signingKeys.keys()]
    .filter((key) => !isNkeyOf("account", key))
    .map((key) => `"${key}" is not a valid account signing key`);
}

function infoProblems({
  description,
  infoUrl,
}: {
  readonly description: string;
  readonly infoUrl: string;
}): string[] {
  const problems = description.length > INFO_CHARS_MAX ? ["Description is too long"] : [];
  if (infoUrl === "") return problems;
  if (infoUrl.length > INFO_CHARS_MAX) problems.push("Info URL is too long");
  const host = URL.canParse(infoUrl) ? new URL(infoUrl).hostname : "";
  if (host === "") problems.push("error parsing info url: no hostname or scheme");
  return problems;
}
