import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { redact, redactText } from "../../../src/log/redact.ts";

const SEED = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
const JWT = "eyJ0eXAiOiJKV1QifQ.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";

describe("redact", () => {
  it("hides what a CONNECT carries in secret fields, at any depth and in any spelling", () => {
    const connect = { user: "ann", pass: "s3cret", auth_token: "t0k", jwt: JWT, sig: "abc", lang: "go" };
    expect(redact({ connect, authToken: "x", list: [{ Password: "y" }] })).toEqual({
      connect: {
        user: "ann",
        pass: "[REDACTED]",
        auth_token: "[REDACTED]",
        jwt: "[REDACTED]",
        sig: "[REDACTED]",
        lang: "go",
      },
      authToken: "[REDACTED]",
      list: [{ Password: "[REDACTED]" }],
    });
  });

  it("shows that a secret is absent", () => {
    expect(redact({ pass: "", token: null })).toEqual({ pass: "", token: null });
  });

  it.each([
    ["nats://ann:s3cret@host:4222", "nats://[REDACTED]@host:4222"],
    ["nats://a:b@h1:1,nats://c:d@h2:2/x@y", "nats://[REDACTED]@h1:1,nats://[REDACTED]@h2:2/x@y"],
    ["nats://t0ken@host", "nats://[REDACTED]@host"],
    ["nats://host:4222 by ann@example.com", "nats://host:4222 by ann@example.com"],
    ['<<- [CONNECT {"pass":"a\\"b","x":1}]', '<<- [CONNECT {"pass":"[REDACTED]","x":1}]'],
    ["authorization { password: s3cret, user: ann }", "authorization { password: [REDACTED], user: ann }"],
    ["token='a b' rest", "token='[REDACTED]' rest"],
    ["passenger: 5, compass: north", "passenger: 5, compass: north"],
    [`bearer ${JWT} end`, "bearer [REDACTED] end"],
    [`seed ${SEED}.`, "seed [REDACTED]."],
  ])("in the text %j", (text, clean) => {
    expect(redactText(text)).toBe(clean);
  });

  it("never lets a secret through, whatever stands around it", () => {
    const secret = fc.stringMatching(/^[A-Za-z0-9!$%^*+~-]{8,30}$/);
    const key = fc.constantFrom("pass", "password", "token", "auth_token", "jwt", "sig");
    const prose = fc.string({ maxLength: 40 });
    fc.assert(
      fc.property(secret, key, prose, prose, (value, name, before, after) => {
        fc.pre(!before.includes(value) && !after.includes(value));
        const shapes = [
          { [name]: value },
          new Error(`${before} nats://ann:${value}@host ${after}`),
          `${before} {"${name}":"${value}"} ${after}`,
          `${before} ${name}=${value} ${after}`,
        ];
        for (const shape of shapes) expect(JSON.stringify(redact(shape))).not.toContain(value);
      }),
    );
  });

  it.each([
    ['{"p\\u0061ss":"hush","user":"a"}', '{"pass":"[REDACTED]","user":"a"}'],
    ['{"pass":["hush",{"x":"hush"}],"user":"a"}', '{"pass":"[REDACTED]","user":"a"}'],
    ['{"pass":{"x":"hush"}}', '{"pass":"[REDACTED]"}'],
    ['{"PASS" : "hu\\"sh"}', '{"PASS":"[REDACTED]"}'],
    ['{"pa\u017f\u017f":"hush"}', '{"pa\u017f\u017f":"[REDACTED]"}'],
    ['{"opts":{"auth_token":"hush"}}', '{"opts":{"auth_token":"[REDACTED]"}}'],
    ['{"user":"a","pass":"hush"', "(25 characters that are no JSON)"],
    ["pass hush", "(9 characters that are no JSON)"],
  ])("hides secrets of a traced CONNECT however they are written: %s", (json, shown) => {
    for (const arrow of ["<<-", "->>"])
      expect(redactText(`${arrow} [CONNECT ${json}]`)).toBe(`${arrow} [CONNECT ${shown}]`);
  });

  it("hides lists and blocks that stand for a secret", () => {
    expect(redactText('password: ["hush"] user=a')).toBe("password: [REDACTED] user=a");
    expect(redactText('"pass":{"x":"hush"},"user":1')).toBe('"pass":[REDACTED],"user":1');
  });

  it("bounds long text, deep nesting, cycles and long lists", () => {
    const cycle: Record<string, unknown> = {};
    cycle["self"] = cycle;
    expect(JSON.stringify(redact(cycle))).toContain("nested too deep");
    expect(redactText("x".repeat(5000))).toBe(`${"x".repeat(4096)}... (904 more)`);
    expect(redact(Array.from({ length: 500 }, () => 1))).toHaveLength(100);
  });

  it.each([
    ["quoted", `password: "${"a".repeat(20_000_000)}`],
    ["of escapes", `password: "${'\\"'.repeat(10_000_000)}`],
    ["in single quotes", `password: '${"a".repeat(20_000_000)}'`],
    ["without a blank", `eyJ${"a".repeat(20_000_000)}`],
    ["of a URL", `nats://a:${"s".repeat(20_000_000)}@host`],
    ["of a block", `secret: {${"{".repeat(20_000_000)}`],
    ["of blanks", `secret: ${" ".repeat(20_000_000)}`],
  ])("bounds the work on 20 MB of text %s", (_name, text) => {
    expect(redactText(text).length).toBeLessThan(4200);
    expect(JSON.stringify(redact({ text, [text]: 1 })).length).toBeLessThan(3 * 4200);
    expect(redactText(`<<- [CONNECT {"x":${JSON.stringify(text)}}]`).length).toBeLessThan(4200);
  });

  it("shows no part of a secret that stands where a long text is cut", () => {
    const short = 'pass="' + "x".repeat(65_536 - 40) + '" ';
    for (const secret of [SEED, JWT, "nats://ann:hush-hush@host"]) {
      const shown = redactText(`${short}${secret} end ${"y".repeat(100)}`);
      expect(shown).toContain("[REDACTED]");
      for (const part of ["SUACSS", "eyJ0", "hush"]) expect(shown).not.toContain(part);
      expect(shown).toMatch(/ more\)$/);
    }
  });

  it("turns errors, bytes and big integers into plain data", () => {
    const error = Object.assign(new Error("no password=x"), { code: "ECONNREFUSED" });
    expect(redact({ error, bytes: new Uint8Array(3), big: 5n })).toMatchObject({
      error: { type: "Error", message: "no password=[REDACTED]", code: "ECONNREFUSED" },
      bytes: "(3 bytes)",
      big: "5",
    });
  });
});
