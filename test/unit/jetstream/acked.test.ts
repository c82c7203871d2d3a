import { describe, expect, it } from "vitest";
import { Acked } from "../../../src/jetstream/consumer/acked.ts";

const CONSUMERS = new Map([
  ["S C", "one"],
  ["S D", "two"],
  ["stream consumer", "three"],
]);

function acked(): Acked<string> {
  return new Acked((stream, consumer) => CONSUMERS.get(`${stream} ${consumer}`));
}

const behind = (sequence: number | string): string => `1.${sequence}.4.1764466800000000000.9`;

describe("an acknowledgement", () => {
  it("names its consumer and its message, with and without a domain, one after the other", () => {
    const reader = acked();
    const read = (subject: string): unknown => reader.read(subject) && [reader.consumer, reader.sequence];
    for (let round = 0; round < 2; round++) {
      expect(read(`$JS.ACK.S.C.${behind(7)}`)).toEqual(["one", 7]);
      expect(read(`$JS.ACK.S.C.${behind(9007199254740991)}`)).toEqual(["one", 9007199254740991]);
      expect(read(`$JS.ACK.S.D.${behind(8)}`)).toEqual(["two", 8]);
      expect(read(`$JS.ACK.hub.abcdefgh.stream.consumer.${behind(5)}`)).toEqual(["three", 5]);
      expect(read(`$JS.ACK.hub.abcdefgh.stream.consumer.${behind(6)}.token`)).toEqual(["three", 6]);
      // A domain and the hash of an account that are called as a stream and its consumer.
      expect(read(`$JS.ACK.S.C.stream.consumer.${behind(3)}`)).toEqual(["three", 3]);
      expect(read(`$JS.ACK.S.C.${behind(2)}`)).toEqual(["one", 2]);
    }
  });

  it.each([
    ["of a consumer that is not there", `$JS.ACK.S.E.${behind(1)}`],
    ["without a sequence", "$JS.ACK.S.C.1"],
    ["with an empty sequence", `$JS.ACK.S.C.${behind("")}`],
    ["whose sequence is no number", `$JS.ACK.S.C.${behind("1e3")}`],
    ["whose sequence is too large", `$JS.ACK.S.C.${behind("9007199254740993")}`],
    ["that is too short", "$JS.ACK.S"],
  ])("%s is none", (_name, subject) => {
    const reader = acked();
    expect(reader.read(subject)).toBe(false);
    expect(reader.read(`$JS.ACK.S.C.${behind(1)}`)).toBe(true);
    expect(reader.read(subject)).toBe(false);
  });

  it("is looked up again when consumers have come or gone", () => {
    const reader = acked();
    expect(reader.read(`$JS.ACK.S.C.${behind(1)}`)).toBe(true);
    CONSUMERS.set("S C", "another");
    reader.forget();
    expect(reader.read(`$JS.ACK.S.C.${behind(1)}`)).toBe(true);
    expect(reader.consumer).toBe("another");
  });
});
