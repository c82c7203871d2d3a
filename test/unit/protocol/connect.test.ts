/** What a client says of itself in CONNECT. */
import { describe, expect, it } from "vitest";
import { defaultHello, readHello } from "../../../src/protocol/connect.ts";

const before = defaultHello();

describe("CONNECT", () => {
  it("keeps what it leaves out", () => {
    const first = readHello(before, '{"verbose":false,"name":"a","headers":true}')!;
    expect(readHello(first, '{"name":"b"}')).toEqual({ ...before, verbose: false, headers: true, name: "b" });
  });

  it("is read without regard to the case of its keys", () => {
    expect(readHello(before, '{"Verbose":false,"NO_RESPONDERS":true}')).toMatchObject({
      verbose: false,
      noResponders: true,
    });
  });

  it("skips what it does not know, and null", () => {
    expect(readHello(before, '{"color":"red","name":null,"tls_required":true}')).toEqual(before);
  });

  it("may be null as a whole", () => {
    expect(readHello(before, "null")).toEqual(before);
  });

  it("reads text as UTF-8", () => {
    const json = Buffer.from('{"name":"Grüße"}', "utf8").toString("latin1");
    expect(readHello(before, json)?.name).toBe("Grüße");
  });

  it("cannot reach what objects inherit", () => {
    readHello(before, '{"__proto__":{"user":"root"},"constructor":1}');
    expect(readHello(before, "{}")).toEqual(before);
  });

  it.each([
    "",
    "{",
    "[]",
    "1",
    '"x"',
    '{"verbose":1}',
    '{"name":1}',
    '{"protocol":1.5}',
    '{"protocol":1e0}',
    '{"protocol":"1"}',
    '{"jwt":1}',
    "[".repeat(100_000),
  ])("is refused as nats-server's decoder does: %.30s", (json) => {
    expect(readHello(before, json)).toBeNull();
  });
});
