/** Functions of subjects that stand for accounts: they become the hash by which nats-server tells names apart. */
import { expect, it } from "vitest";
import { hashName } from "../../../src/base/base62.ts";
import { withAccountHashes } from "../../../src/subject/account-hash.ts";

it.each([
  ["a.b", "a.b"],
  ["a.{{account-hash()}}.>", `a.${hashName("OWN")}.>`],
  ["{{ Account-Hash( ) }}.x", `${hashName("OWN")}.x`],
  ["{{account-hash-import()}}.{{account-hash()}}", `${hashName("FROM")}.${hashName("OWN")}`],
  ["{{account-hash(1)}}", "{{account-hash(1)}}"],
  ["x{{account-hash()}}", "x{{account-hash()}}"],
  ["{{wildcard(1)}}", "{{wildcard(1)}}"],
])("%s becomes %s", (subject, expected) => {
  expect(withAccountHashes(subject, "OWN", "FROM")).toBe(expected);
});

it("leaves the hash of another account where nothing is imported", () => {
  expect(withAccountHashes("{{account-hash-import()}}", "OWN")).toBe("{{account-hash-import()}}");
});
