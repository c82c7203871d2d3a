/** The parts of callouts by themselves: keys against those of the NATS package, tokens, times of day, ranges of addresses. */
import { createAccount, createCurve, fromPublic } from "@nats-io/nkeys";
import { describe, expect, it } from "vitest";
import { addressRange } from "../../../src/auth/address-range.ts";
import { BadJwt, encodeJwt, readAccountJwt } from "../../../src/keys/jwt.ts";
import { connectableMs } from "../../../src/auth/user-times.ts";
import { CurveKey } from "../../../src/keys/curve-key.ts";
import { isNkeyOf, newNkey } from "../../../src/keys/nkey.ts";
import { claimsOf, signed } from "../../support/callout-service.ts";

describe("a curve key", () => {
  it("opens what the NATS package seals, and the other way round", () => {
    const [own, other] = [new CurveKey(), createCurve()];
    const text = Buffer.from("a secret");
    const peer = other.getPublicKey();
    expect(isNkeyOf("curve", own.publicKey)).toBe(true);
    expect(Buffer.from(own.open(other.seal(text, own.publicKey), peer)!)).toEqual(text);
    expect(Buffer.from(other.open(own.seal(text, peer), own.publicKey)!)).toEqual(text);
  });

  it("opens nothing that was changed, cut, or sealed by another", () => {
    const [own, other] = [new CurveKey(), createCurve()];
    const sealed = other.seal(Buffer.from("a secret"), own.publicKey);
    for (let at = 0; at < sealed.length; at++) {
      const changed = Uint8Array.from(sealed, (byte, i) => (i === at ? byte ^ 1 : byte));
      expect(own.open(changed, other.getPublicKey())).toBeNull();
      expect(own.open(sealed.subarray(0, at), other.getPublicKey())).toBeNull();
    }
    expect(own.open(sealed, createCurve().getPublicKey())).toBeNull();
  });
});

describe("a token", () => {
  const account = createAccount();
  const claims = { sub: "S", aud: "A", exp: 5, nats: { type: "user", version: 2 } };

  it("is signed so that the NATS package can verify it", () => {
    const signer = newNkey("server");
    expect(fromPublic(signer.publicKey).getPublicKey()).toBe(signer.publicKey);
    const token = encodeJwt(claims, { signer, nowMs: 7000, type: "t" });
    expect(claimsOf(token)).toMatchObject({
      iss: signer.publicKey,
      iat: 7,
      sub: "S",
      nats: { type: "t", version: 2 },
    });
  });

  it("is read when it is as it should be", () => {
    const read = readAccountJwt(signed(account, claims), "user");
    expect(read).toMatchObject({ subject: "S", audience: "A", expires: 5, notBefore: 0, name: "" });
  });

  it("is refused with any one character changed", () => {
    const token = signed(account, claims);
    for (let at = 0; at < token.length - 1; at++) {
      const changed = `${token.slice(0, at)}${token[at] === "A" ? "B" : "A"}${token.slice(at + 1)}`;
      expect(() => readAccountJwt(changed, "user")).toThrow(BadJwt);
    }
  });

  it.each([
    ["of another kind of signer", { iss: newNkey("user").publicKey }],
    ["with a number for a text", { sub: 1 }],
    ["with a text for a number", { exp: "5" }],
    ["with a fraction", { exp: 1.5 }],
    ["with a list for its claims", { nats: [] }],
    ["of an older version", { nats: { type: "user" } }],
  ])("is refused %s", (_, change) => {
    expect(() => readAccountJwt(signed(account, { ...claims, ...change }), "user")).toThrow(BadJwt);
  });
});

describe("times of day", () => {
  const at = (clock: string): number => Date.parse(`2026-03-01T${clock}Z`);
  const left = (start: string, end: string, clock: string, zone = "UTC"): number | null =>
    connectableMs({ times: [{ start, end }], zone }, at(clock));

  it.each([
    ["11:00:00", "22:00:00", "13:00:00", 9 * 3600],
    ["11:00:00", "22:00:00", "10:59:59", 0],
    ["11:00:00", "22:00:00", "22:00:00", 0],
    ["22:00:00", "06:00:00", "05:00:00", 3600],
    ["22:00:00", "06:00:00", "23:30:00", 6.5 * 3600],
    ["22:00:00", "06:00:00", "12:00:00", 0],
  ])("from %s to %s at %s leave %d seconds", (start, end, clock, seconds) => {
    expect(left(start, end, clock)).toBe(seconds * 1000);
  });

  it("count in their zone, and the longest of several", () => {
    expect(left("11:00:00", "12:00:00", "02:30:00", "Asia/Tokyo")).toBe(1800_000);
    const times = [
      { start: "01:00:00", end: "03:00:00" },
      { start: "01:00:00", end: "04:00:00" },
    ];
    expect(connectableMs({ times, zone: "UTC" }, at("02:00:00"))).toBe(7200_000);
    expect(connectableMs({ times: [], zone: "" }, at("02:00:00"))).toBeNull();
  });

  it.each([
    [{ start: "1", end: "2" }],
    [{ start: "24:00:00", end: "01:00:00" }],
    [{ start: "01:00:00", end: "" }],
  ])("that make no sense are refused: %j", (range) => {
    expect(() => connectableMs({ times: [range], zone: "" }, 0)).toThrow(BadJwt);
  });

  it("in a zone that is none are refused", () => {
    expect(() => connectableMs({ times: [], zone: "Nowhere" }, 0)).toThrow(BadJwt);
  });
});

describe("a range of addresses", () => {
  it.each([
    ["10.0.0.0/8", "10.255.0.1", true],
    ["10.0.0.0/8", "11.0.0.1", false],
    ["10.0.0.1/32", "::ffff:10.0.0.1", true],
    ["0.0.0.0/0", "::1", false],
    ["fd00::/8", "fdff::1", true],
    ["fd00::/8", "fe00::1", false],
    ["::1/128", "0:0:0:0:0:0:0:1", true],
  ])("%s has %s: %s", (range, address, isIn) => {
    expect(addressRange(range)?.has(address)).toBe(isIn);
  });

  it.each(["", "10.0.0.0", "10.0.0.0/33", "10.0.0/8", "256.0.0.0/8", "::1/129", "x/8", "10.0.0.0/8/8"])(
    "%j is none",
    (text) => {
      expect(addressRange(text)).toBeNull();
    },
  );
});
