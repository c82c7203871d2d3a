/** The bytes of $NRG: known ones, everything there and back, and what a peer may send instead. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EntryType, type AppendEntry } from "../../../src/raft/messages.ts";
import * as wire from "../../../src/raft/wire.ts";

const count = fc.integer({ min: 0, max: 2 ** 52 });
const peer = fc.string({ unit: fc.constantFrom("0", "9", "a", "z", "A", "Z"), minLength: 8, maxLength: 8 });
const entry = fc.record({ type: fc.integer({ min: 0, max: 7 }), data: fc.uint8Array({ maxLength: 50 }) });
const append: fc.Arbitrary<AppendEntry> = fc
  .record({
    leader: peer,
    term: count,
    commit: count,
    prevTerm: count,
    prevIndex: count,
    entries: fc.array(entry, { maxLength: 5 }),
    currentTerm: count,
  })
  .map((body) => ({ ...body, prevTerm: Math.min(body.prevTerm, body.term) }));

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** As nats-server 2.15.3 sends them. */
describe("known bytes", () => {
  it("of a heartbeat are 43", () => {
    const bytes = wire.encodeAppend({
      leader: "fjFyEjc1",
      term: 1,
      commit: 2,
      prevTerm: 1,
      prevIndex: 2,
      entries: [],
      currentTerm: 0,
    });
    const numbers = "0100000000000000" + "0200000000000000" + "0100000000000000" + "0200000000000000";
    expect(hex(bytes)).toBe(`${Buffer.from("fjFyEjc1").toString("hex")}${numbers}000000`);
  });

  it("of the membership of three are 34", () => {
    const peers = ["fjFyEjc1", "44jzkV9D", "BXScrY9i"];
    const bytes = wire.encodePeerState({ size: 3, peers, domainExtension: 2 });
    expect(hex(bytes)).toBe(`0300000003000000${Buffer.from(peers.join("")).toString("hex")}0200`);
    expect(wire.decodePeerState(bytes.subarray(0, 32))).toEqual({ size: 3, peers, domainExtension: 0 });
  });

  it("of a vote say whether it is granted, whether the log is empty, and whether something is lost", () => {
    const vote = { term: 5, peer: "44jzkV9D", isGranted: true, isEmpty: true, hasLost: false };
    expect(wire.encodeVoteResponse(vote).at(-1)).toBe(3);
    expect(wire.encodeVoteResponse({ ...vote, isEmpty: false }).at(-1)).toBe(1);
    expect(wire.encodeVoteResponse({ ...vote, isGranted: false, hasLost: true }).at(-1)).toBe(6);
  });

  it("of an entry have its length with the type, and a live one ends in a zero", () => {
    const body = {
      leader: "fjFyEjc1",
      term: 300,
      commit: 0,
      prevTerm: 0,
      prevIndex: 0,
      entries: [{ type: EntryType.NORMAL, data: Uint8Array.of(9, 8) }],
      currentTerm: 0,
    };
    expect(hex(wire.encodeAppend(body)).slice(80)).toBe("010003000000" + "00" + "0908" + "00");
    expect(hex(wire.encodeAppend({ ...body, currentTerm: 300 })).slice(-4)).toBe("ac02");
    expect(wire.decodeAppend(wire.encodeAppend(body).subarray(0, -1))).toEqual(body);
  });
});

describe("everything", () => {
  it("comes back as it was", () => {
    fc.assert(
      fc.property(append, count, peer, fc.boolean(), (body, index, id, flag) => {
        expect(wire.decodeAppend(wire.encodeAppend(body))).toEqual(body);
        const request = { term: index, lastTerm: body.term, lastIndex: body.commit, candidate: id };
        expect(wire.decodeVoteRequest(wire.encodeVoteRequest(request))).toEqual(request);
        const response = { term: index, index: body.term, peer: id, isSuccess: flag };
        expect(wire.decodeAppendResponse(wire.encodeAppendResponse(response))).toEqual(response);
        const vote = { term: index, peer: id, isGranted: flag, isEmpty: !flag, hasLost: flag };
        expect(wire.decodeVoteResponse(wire.encodeVoteResponse(vote))).toEqual(vote);
      }),
    );
  });
});

describe("what a peer sends instead", () => {
  const decoders = [
    wire.decodeAppend,
    wire.decodeAppendResponse,
    wire.decodeVoteRequest,
    wire.decodeVoteResponse,
    wire.decodePeerState,
  ];

  it("never throws", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        for (const decode of decoders) decode(bytes);
      }),
    );
    fc.assert(
      fc.property(append, fc.nat(), fc.nat(255), (body, at, byte) => {
        const bytes = wire.encodeAppend(body);
        bytes[at % bytes.length] = byte;
        wire.decodeAppend(bytes);
        wire.decodeAppend(bytes.subarray(0, at % bytes.length));
      }),
    );
  });

  it("is no message where it is too short, or counts what is not there", () => {
    expect(wire.decodeAppend(new Uint8Array(41))).toBeUndefined();
    expect(wire.decodeVoteRequest(new Uint8Array(33))).toBeUndefined();
    expect(wire.decodeVoteResponse(new Uint8Array(16))).toBeUndefined();
    expect(wire.decodeAppendResponse(new Uint8Array(24))).toBeUndefined();
    const many = new Uint8Array(43);
    many[40] = 255;
    expect(wire.decodeAppend(many)).toBeUndefined();
    const peers = new Uint8Array(16);
    peers[4] = 2;
    expect(wire.decodePeerState(peers)).toBeUndefined();
    const large = new Uint8Array(wire.VOTE_REQUEST_BYTES).fill(255);
    expect(wire.decodeVoteRequest(large)).toBeUndefined();
  });

  it("is no message where its term is older than that of the entry before, or leaves no room for a next one", () => {
    const append = { leader: "fjFyEjc1", term: 4, commit: 0, prevTerm: 5, prevIndex: 1, entries: [] };
    expect(wire.decodeAppend(wire.encodeAppend({ ...append, currentTerm: 0 }))).toBeUndefined();
    const last = { ...append, term: 9, currentTerm: Number.MAX_SAFE_INTEGER };
    expect(wire.decodeAppend(wire.encodeAppend(last))).toBeUndefined();
    const request = { term: Number.MAX_SAFE_INTEGER, lastTerm: 0, lastIndex: 0, candidate: "fjFyEjc1" };
    expect(wire.decodeVoteRequest(wire.encodeVoteRequest(request))).toBeUndefined();
  });

  it("is no membership where it names a peer twice", () => {
    const bytes = wire.encodePeerState({ size: 3, peers: ["fjFyEjc1", "fjFyEjc1"], domainExtension: 0 });
    expect(wire.decodePeerState(bytes)).toBeUndefined();
  });
});
