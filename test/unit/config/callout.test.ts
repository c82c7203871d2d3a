/** Problems of an auth_callout block, in the words of nats-server, which judges the same blocks. */
import { createAccount, createCurve } from "@nats-io/nkeys";
import { describe, expect, it } from "vitest";
import { bothServers } from "../../support/both-servers.ts";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const A = createAccount().getPublicKey();
const X = createCurve().getPublicKey();

/** What -t says; "": all is well. */
function verdictOn(command: string, callout: string): string {
  const folder = mkdtempSync(join(tmpdir(), "shoal-callout-"));
  try {
    const file = join(folder, "server.conf");
    writeFileSync(
      file,
      `accounts { APP {} }\nauthorization { users: [{ user: a, password: a }]\n${callout} }\n`,
    );
    execFileSync(command, ["-t", "-c", file], { stdio: "pipe" });
    return "";
  } catch (error) {
    return String((error as { stderr: Buffer }).stderr);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe.each(bothServers)("auth_callout for $name", ({ command }) => {
  it.each([
    `auth_callout { issuer: ${A}, auth_users: [a] }`,
    `auth_hook { issuer: ${A}, users: [a], acc: APP, key: ${X}, allowed_accounts: [APP] }`,
  ])("%s is fine", (callout) => {
    expect(verdictOn(command, callout)).toBe("");
  });

  it.each([
    ["auth_callout: true", "Expected authorization callout to be a map/struct, got "],
    [`auth_callout { auth_users: [a] }`, "Authorization callouts require an issuer to be specified"],
    [`auth_callout { issuer: ${A} }`, "Authorization callouts require authorized users to be specified"],
    [
      `auth_callout { issuer: ABC, auth_users: [a] }`,
      'Expected callout user to be a valid public account nkey, got "ABC"',
    ],
    [`auth_callout { issuer: ${A}, auth_users: a }`, "Expected auth_users field to be an array, got "],
    [
      `auth_callout { issuer: ${A}, auth_users: [a], xkey: XABC }`,
      'Expected callout xkey to be a valid public xkey, got "XABC"',
    ],
    [
      `auth_callout { issuer: ${A}, auth_users: [a], allowed_accounts: APP }`,
      "Expected allowed accounts field to be an array, got ",
    ],
    [
      `auth_callout { issuer: ${A}, auth_users: [a], allowed_accounts: [NONE] }`,
      'auth_callout allowed account "NONE" not found in configured accounts',
    ],
    [`auth_callout { issuer: ${A}, auth_users: [a], pigeon: 1 }`, '"pigeon"'],
  ])("%s is not", (callout, words) => {
    expect(verdictOn(command, callout)).toContain(words);
  });
});

describe("a seed in place of a public key", () => {
  it("is not shown", () => {
    const seed = new TextDecoder().decode(createAccount().getSeed());
    const said = verdictOn(bothServers[0]!.command, `auth_callout { issuer: ${seed}, auth_users: [a] }`);
    expect(said).toContain("valid public account nkey");
    expect(said).not.toContain(seed);
  });
});
