/**
 * The functions of subjects that stand for the hash of an account's name: `{{account-hash()}}` for the account that the subject belongs to,
 * `{{account-hash-import()}}` for the one that it is imported from. They are replaced once, where a subject is read.
 */
import { hashName } from "../base/base62.ts";

const OWN = /^\{\{\s*[aA]ccount-[hH]ash\s*\(\s*\)\s*\}\}$/;
const IMPORTED = /^\{\{\s*[aA]ccount-[hH]ash-[iI]mport\s*\(\s*\)\s*\}\}$/;

/** `from`: "" where nothing is imported. Names are byte strings. What cannot be replaced stays as it is. */
export function withAccountHashes(subject: string, account: string, from = ""): string {
  if (!subject.includes("{{")) return subject;
  return subject
    .split(".")
    .map((token) => {
      if (OWN.test(token)) return hashName(account);
      return from !== "" && IMPORTED.test(token) ? hashName(from) : token;
    })
    .join(".");
}
