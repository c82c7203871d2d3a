/** Operator mode in the configuration: what is refused, and what follows from the operator's token. */
import { describe, expect, it } from "vitest";
import { LEVEL } from "../../../src/config/sections/operator.ts";
import { NATS_LEVEL } from "../../../src/protocol/info.ts";
import { accountToken, newAccount, newUser, OperatorKit, userToken } from "../../support/operator-kit.ts";
import { configOf, errorsOf } from "./sources.ts";

const kit = new OperatorKit();
const account = newAccount();
const user = newUser();
const jwt = accountToken(account, kit.operator);
const head = `operator: ${kit.jwt}\nresolver: MEMORY\n`;
const asserting = (version: string): string =>
  `operator: ${new OperatorKit({ assert_server_version: version }).jwt}\nresolver: MEMORY`;

describe("operator mode in the configuration", () => {
  it("takes the system account from the operator's token", () => {
    const config = configOf({
      files: {
        "s.conf": `${head}resolver_preload { ${account.publicKey}: ${jwt} }`,
      },
    });
    expect(config.accounts.system).toBe(kit.system.publicKey);
    expect(config.operator.preload).toEqual([{ account: account.publicKey, jwt }]);
    expect(config.operator.resolver).toEqual({ kind: "memory" });
  });

  it("announces the level that operators compare with", () => {
    expect(LEVEL.join(".")).toBe(NATS_LEVEL);
    expect(errorsOf({ files: { "s.conf": asserting(NATS_LEVEL) } })).toEqual([]);
  });

  it.each(
    [
      [`operator: ${kit.jwt}`, "operators require an account resolver to be configured"],
      [`${head}accounts { A {} }`, "operators do not allow Accounts to be configured directly"],
      [
        `${head}authorization { users: [{ user: a, password: b }] }`,
        "operators do not allow users to be configured directly",
      ],
      [`${head}trusted_keys: ${kit.operator.publicKey}`, "conflicting options for 'TrustedKeys'"],
      [`trusted_keys: ${account.publicKey}`, "trust key required to be a valid public operator nkey"],
      [
        `${head}system_account: ${account.publicKey}`,
        "system_account in config and operator JWT must be identical",
      ],
      [`operator: ${kit.jwt.slice(0, -2)}\nresolver: MEMORY`, "claim failed V2 signature verification"],
      [`operator: ${jwt}\nresolver: MEMORY`, "not operator claim"],
      [`${head}resolver_preload { A: x }`, "invalid account JWT"],
      [`${head}resolver_pinned_accounts: [${user.publicKey}]`, "pinned account key is not a valid"],
      [`default_sentinel: ${userToken(user, account)}`, "default sentinel requires operators and accounts"],
      [`${head}default_sentinel: x`, "default sentinel JWT not valid"],
      [`${head}default_sentinel: ${userToken(user, account)}`, "default sentinel must be a bearer token"],
      [asserting("3.0.0"), "expects server version 3.0.0"],
      [asserting("2.99.0"), "expects server version 2.99.0"],
      [asserting("2"), "of the form <major>.<minor>.<update>"],
      [
        `operator: ${kit.jwt}\nresolver: { type: full }`,
        "dir has no value and needs to point to a directory",
      ],
      [`operator: ${kit.jwt}\nresolver: { type: full, dir: x, ttl: 1s }`, "FULL does not accept ttl"],
      [
        `operator: ${kit.jwt}\nresolver: { type: full, dir: x, hard_delete: true }`,
        "hard_delete has no effect",
      ],
      [`operator: ${kit.jwt}\nresolver: { type: cache, dir: x, interval: 1s }`, "CACHE does not accept sync"],
      [
        `operator: ${kit.jwt}\nresolver: { type: cache, dir: x, allow_delete: true }`,
        "CACHE does not accept allow",
      ],
      [`operator: ${kit.jwt}\nresolver: { type: other, dir: x }`, "type is FULL or CACHE"],
      [
        `operator: ${kit.jwt}\nresolver: URL(http://127.0.0.1/)\nresolver_preload { ${account.publicKey}: ${jwt} }`,
        "resolver preloads only available for writeable resolver types",
      ],
      [`operator: ${kit.jwt}\nresolver: URL(file:///x)`, "expected http or https"],
      [`${head}resolver_tls { cert_file: x }`, "missing key_file in TLS configuration"],
      [
        `${head}leafnodes { port: 7422, authorization { users: [{ user: a, password: b }] } }`,
        "operator mode does not allow specifying users in leafnode config",
      ],
      [
        `${head}leafnodes { port: 7422, authorization { user: a, password: b, account: A } }`,
        "operator mode and non account nkeys are incompatible",
      ],
      [
        `${head}leafnodes { remotes: [{ url: "nats-leaf://127.0.0.1" }] }`,
        "operator mode requires account nkeys in remotes",
      ],
    ].map(([text = "", reason = ""]) => ({ text, reason })),
  )("says why: $reason", ({ text, reason }) => {
    expect(errorsOf({ files: { "s.conf": text } }).join("\n")).toContain(reason);
  });
});
