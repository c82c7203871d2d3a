/** The identity of this server, where clients find it, and its version. */
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { describe, expect, it } from "vitest";
import { ownConnectUrls } from "../../../../src/ports/client/connect-urls.ts";
import { newNkey } from "../../../../src/keys/nkey.ts";
import { Life, type LifeState } from "../../../../src/health/lifecycle.ts";
import { VERSION } from "../../../../src/app/process/version.ts";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** Base32 without padding (RFC 4648). */
function decode(text: string): Buffer {
  const bits = Array.from(text, (letter) => ALPHABET.indexOf(letter).toString(2).padStart(5, "0")).join("");
  return Buffer.from(bits.match(/.{8}/g)!.map((byte) => Number.parseInt(byte, 2)));
}

/** CRC-16/XMODEM by its definition: what is left of the division by x^16 + x^12 + x^5 + 1. */
function crc(data: Uint8Array): number {
  const bits = [...data, 0, 0].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  let left = 0;
  for (const bit of bits) {
    left = (left << 1) | Number(bit);
    if (left > 0xffff) left = (left & 0xffff) ^ 0x1021;
  }
  return left;
}

describe("a server's id", () => {
  it("is an nkey of a server: 56 characters, N first, its checksum last", () => {
    for (let i = 0; i < 50; i++) {
      const id = newNkey("server").publicKey;
      expect(id).toMatch(/^N[A-Z2-7]{55}$/);
      const data = decode(id);
      expect(data.length).toBe(35);
      expect(data[0]).toBe(13 << 3);
      expect(data.readUInt16LE(33)).toBe(crc(data.subarray(0, 33)));
    }
    expect(crc(Buffer.from("123456789"))).toBe(0x31c3); // the check value of CRC-16/XMODEM
  });

  it("is new each time", () => {
    expect(new Set(Array.from({ length: 100 }, () => newNkey("server").publicKey)).size).toBe(100);
  });
});

describe("the URLs of a server", () => {
  it("are what it advertises", () => {
    const advertise = { host: "nats.example.com", port: null };
    expect(ownConnectUrls({ host: "0.0.0.0", port: 4222, advertise })).toEqual(["nats.example.com:4222"]);
    expect(ownConnectUrls({ host: "10.0.0.1", port: 1, advertise: { host: "::1", port: 2 } })).toEqual([
      "[::1]:2",
    ]);
  });

  it("are where it listens", () => {
    expect(ownConnectUrls({ host: "10.0.0.1", port: 1, advertise: null })).toEqual(["10.0.0.1:1"]);
    expect(ownConnectUrls({ host: "fd00::1", port: 1, advertise: null })).toEqual(["[fd00::1]:1"]);
  });

  it.each(["0.0.0.0", "::", ""])("are addresses of the machine where it listens on %j", (host) => {
    const urls = ownConnectUrls({ host, port: 4222, advertise: null });
    expect(urls.length).toBeGreaterThan(0);
    for (const url of urls) {
      expect(url).toMatch(/:4222$/);
      expect(isIP(url.slice(0, -5).replace(/^\[|\]$/g, ""))).not.toBe(0);
    }
  });
});

describe("the life of a server", () => {
  it("goes on to nothing but what may follow", () => {
    const states: LifeState[] = ["starting", "ready", "lame duck", "stopped"];
    const ways: Readonly<Record<LifeState, LifeState[]>> = {
      starting: [],
      ready: ["ready"],
      "lame duck": ["ready", "lame duck"],
      stopped: ["stopped"],
    };
    const allowed = states.flatMap((from) => {
      const life = new Life(() => undefined);
      for (const state of ways[from]) life.become(state);
      return states.filter((to) => life.mayBecome(to)).map((to) => `${from}, ${to}`);
    });
    expect(allowed).toEqual([
      "starting, ready",
      "starting, stopped",
      "ready, lame duck",
      "ready, stopped",
      "lame duck, stopped",
    ]);
  });
});

describe("the version", () => {
  it("is that of the package", () => {
    const file = new URL("../../../../package.json", import.meta.url);
    expect(VERSION).toBe((JSON.parse(readFileSync(file, "utf8")) as { version: string }).version);
  });
});
