/**
 * Whether what accounts import fits what others export: each import is allowed, maps what can be mapped, and leads to no cycle. As
 * nats-server, in its order and words.
 */
import { PieceLength, type Pieces } from "../../base/pieces.ts";
import {
  cycleProblem,
  linkOf,
  mappingProblem,
  type ImportLink,
  type LinkedAccounts,
} from "../../subject/import-rules.ts";
import { isValidLiteralSubject, isValidSubject, subjectCovers } from "../../subject/subject.ts";
import type { AccountExport, AccountImport, Located } from "./account-exports.ts";
import { ConfError } from "../formats/nats-conf/node.ts";

/** A check looks at the exports and imports of other accounts. */
const STEPS_PER_IMPORT = 20;

export interface CheckedAccount {
  readonly name: string;
  readonly exports: readonly Located<AccountExport>[];
  readonly imports: readonly Located<AccountImport>[];
}

/** Throws ConfError at the first that does not fit. */
export function* checkImports(accounts: readonly CheckedAccount[]): Pieces<void> {
  const pace = new PieceLength();
  const byName = new Map(accounts.map((account) => [account.name, account]));
  for (const { exports } of accounts) {
    for (const one of exports) {
      checkExport(one, exports, byName);
      if (pace.isOver()) yield;
    }
  }
  const links = new Map<string, ImportLink[]>(accounts.map(({ name }) => [name, []]));
  for (const kind of ["stream", "service"] as const) {
    for (const { name, imports } of accounts) {
      for (const one of imports) {
        if (one.kind === kind) checkImport(name, one, { byName, links });
        if (pace.isOver(STEPS_PER_IMPORT)) yield;
      }
    }
  }
}

function checkExport(
  one: Located<AccountExport>,
  own: readonly AccountExport[],
  byName: ReadonlyMap<string, CheckedAccount>,
): void {
  const { at, kind, subject, accounts } = one;
  const unknown = accounts?.find((name) => !byName.has(name));
  if (unknown !== undefined) throw new ConfError(at, `"${unknown}" account not defined for ${kind} export`);
  if (kind === "stream" || one.latency === null) return;
  const { latency, responseType } = one;
  const isOwnService = own.some(
    (other) => other.kind === "service" && subjectCovers(other.subject, latency.subject),
  );
  const problem =
    !isValidLiteralSubject(latency.subject) || isOwnService
      ? "invalid publish subject"
      : responseType === "singleton"
        ? null
        : "bad service response type";
  if (problem === null) return;
  const what = `service latency sampling for "${subject}" on subject "${latency.subject}"`;
  throw new ConfError(at, `Error adding ${what}: ${problem}`);
}

interface Known {
  readonly byName: ReadonlyMap<string, CheckedAccount>;
  /** What passed so far, by importer. */
  readonly links: Map<string, ImportLink[]>;
}

function checkImport(importer: string, one: Located<AccountImport>, known: Known): void {
  const exporter = known.byName.get(one.account);
  if (exporter === undefined)
    throw new ConfError(one.at, `"${one.account}" account not defined for ${one.kind} import`);
  const fail = (problem: string): never => {
    throw new ConfError(one.at, `Error adding ${one.kind} import "${one.subject}": ${problem}`);
  };
  if (one.kind === "service" && !(isValidSubject(one.to) && isValidSubject(one.subject)))
    fail("invalid subject");
  if (!isApproved(exporter, importer, one)) fail(`${one.kind} import not authorized`);
  const problem = mappingProblem(one) ?? cycleProblem(importer, one.account, one, linked(known));
  if (problem !== null) fail(problem);
  const link = linkOf(one.account, one);
  const own = known.links.get(importer)!;
  const isTwice = own.some(
    ({ kind, exporter: from, there }) => kind === "stream" && from === one.account && there === one.subject,
  );
  if (one.kind === "stream" && isTwice) fail("stream import already exists");
  own.push(link);
}

function linked({ byName, links }: Known): LinkedAccounts {
  return {
    exportsStream: (account, subject) =>
      byName
        .get(account)!
        .exports.some((one) => one.kind === "stream" && subjectCovers(one.subject, subject)),
    linksOf: (account) => links.get(account)!,
  };
}

/** By the export of this very subject, or the first that covers it. */
function isApproved(
  { exports }: CheckedAccount,
  importer: string,
  { kind, subject }: AccountImport,
): boolean {
  if (!isValidSubject(subject)) return false;
  const own = exports.filter((one) => one.kind === kind);
  const exact = own.find((one) => one.subject === subject);
  const found = exact ?? own.find((one) => subjectCovers(one.subject, subject));
  if (found === undefined) return false;
  const { accounts, tokenPosition } = found;
  // The token has to say who imports; a wildcard in its place says nobody.
  if (tokenPosition > 0) return subject.split(".")[tokenPosition - 1] === importer;
  return accounts === null || accounts.includes(importer);
}
