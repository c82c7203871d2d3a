/** What a check says, and what it makes of odd values. Whether nats-server agrees is in verdict.test.ts. */
import { describe, expect, it } from "vitest";
import { configOf, errorsOf } from "./sources.ts";

/** What a file is refused for, without what only follows from it. */
const ALONE = [
  [
    "accounts { A { shoe: 1, users: [{user: a, password: b}] } }\nno_auth_user: a\nsystem_account: A",
    'accounts: unknown field "shoe"',
  ],
  ["authorization { users: [{user: a, shoe: 1}] }\nno_auth_user: a", "authorization.users: unknown field"],
  [
    "operator: x.jwt\nsystem_account: AB",
    'operator: error parsing operator JWT: open "x.jwt": no such file or directory',
  ],
  ["tls { ocsp_peer: true }\nhttps: 8443", 'tls: "ocsp_peer" is not supported by shoal yet'],
  ["gateway {}", '"gateway": Gateways are not supported by shoal yet'],
  [
    "leafnodes { write_timeout: retry }",
    "Another rule for slow leaf nodes than to cut them is not supported by shoal yet",
  ],
  ["feature_flags {}", '"feature_flags": Feature flags are not supported by shoal yet'],
  ['cluster { name: "_" }', "cluster name is reserved"],
  ["ocsp: true", '"ocsp": Stapling and checking by OCSP are not supported by shoal yet'],
  [
    'accounts { A { exports: [{stream: "x.{{account-hash()}}"}] } }',
    "accounts: The function account-hash in subjects is not supported by shoal yet",
  ],
  [
    'mappings { a: "b.{{ Account-Hash() }}" }',
    "mappings: The function account-hash in subjects is not supported by shoal yet",
  ],
] as const;

describe("a check of a configuration", () => {
  it.each(ALONE)("refuses %j for one reason", (text, words) => {
    const said = errorsOf({ args: ["-t"], files: { "test.conf": text } });
    expect(said).toHaveLength(1);
    expect(said[0]).toContain(words);
  });

  it("takes max_payload: -1 for the most that is served", () => {
    const payloadOf = (text: string): number =>
      configOf({ files: { "test.conf": text } }).client.maxPayloadBytes;
    expect(payloadOf("max_payload: -1")).toBe(64 * 1024 * 1024);
    expect(payloadOf("max_payload: -1\nmax_pending: 1MB")).toBe(1024 * 1024);
  });

  it("takes a variable for no password", () => {
    const text = "authorization { PASS: x, users: [{user: a, password: $PASS}] }";
    const { authorization } = configOf({ files: { "test.conf": text } });
    expect(authorization).toMatchObject({ password: null, users: [{ user: "a", password: "x" }] });
  });
});
