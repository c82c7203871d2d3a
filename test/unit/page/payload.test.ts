/** Payloads as the page shows them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromBase64, indentedJson, preview, shownHeaders, shownPayload } from "../../../page/payload.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("a payload", () => {
  it("as text shows what can be seen, and marks what cannot", () => {
    expect(shownPayload(bytes("grün\nline\t\x00\x1b"), "text")).toBe("grün\nline\t··");
    expect(preview(bytes("one\n  two"), "text")).toBe("one two");
    expect(shownPayload(Uint8Array.of(0xff, 0x41), "text")).toBe("\ufffdA");
  });

  it("as hex shows every byte, sixteen in a line", () => {
    const dump = shownPayload(
      Uint8Array.from({ length: 18 }, (_, i) => i + 0x3f),
      "hex",
    ).split("\n");
    expect(dump).toEqual([
      "00000000  3f 40 41 42 43 44 45 46 47 48 49 4a 4b 4c 4d 4e  |?@ABCDEFGHIJKLMN|",
      "00000010  4f 50                                            |OP|",
    ]);
    expect(preview(bytes("AB"), "hex")).toBe("41 42");
    expect(shownPayload(new Uint8Array(0), "hex")).toBe("");
  });

  it("as JSON is indented, its numbers and texts as they were written", () => {
    const text = '{"id":12345678901234567890,"a":[1.0,{}, []],"t":"a\\"b{,}:ü","n":null}';
    expect(shownPayload(bytes(text), "json")).toBe(
      [
        "{",
        '  "id": 12345678901234567890,',
        '  "a": [',
        "    1.0,",
        "    {},",
        "    []",
        "  ],",
        '  "t": "a\\"b{,}:ü",',
        '  "n": null',
        "}",
      ].join("\n"),
    );
  });

  it("that is no JSON, or only its beginning, is shown as text", () => {
    expect(shownPayload(bytes("{oops"), "json")).toBe("{oops");
    expect(shownPayload(bytes('{"a":1}'), "json", "beginning")).toBe('{"a":1}');
    expect(indentedJson("")).toBeNull();
  });

  it("as JSON means the same as before", () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(JSON.parse(indentedJson(text)!)).toEqual(JSON.parse(text));
      }),
    );
  });

  it("comes as base64, and headers without the line of the version", () => {
    expect([...fromBase64("/wBB")]).toEqual([255, 0, 65]);
    expect(shownHeaders(bytes("NATS/1.0\r\nA: 1\r\nB: ü\r\n\r\n"))).toBe("A: 1\nB: ü");
    expect(shownHeaders(new Uint8Array(0))).toBe("");
  });
});
