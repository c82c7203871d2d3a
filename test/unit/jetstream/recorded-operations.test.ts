/** Bytes that three nats-servers 2.15.3 sent each other while clients made, used and deleted streams and consumers. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { entryOf, isAboutWaiting } from "../../../src/jetstream/group/consumer-entries.ts";
import {
  decodeAcked,
  decodeDelivered,
  decodeJson,
  decodeMessage,
  decodePurge,
  decodeSkip,
  encodeMessage,
} from "../../../src/jetstream/group/operations.ts";
import { Assignments } from "../../../src/jetstream/meta/assignments.ts";
import * as wire from "../../../src/raft/wire.ts";

const file = join(import.meta.dirname, "recorded-from-nats-server-2.15.3.json");
const recorded = JSON.parse(readFileSync(file, "utf8")) as Record<string, string>;
const bytesOf = (name: string): Buffer => Buffer.from(recorded[name]!, "hex");

describe("messages of Raft", () => {
  it("are read, and written in the same bytes", () => {
    const heartbeat = wire.decodeAppend(bytesOf("heartbeat"))!;
    expect(heartbeat).toMatchObject({ leader: "44jzkV9D", term: 1, commit: 14, prevIndex: 14, entries: [] });
    expect(wire.encodeAppend(heartbeat)).toEqual(new Uint8Array(bytesOf("heartbeat")));
    const request = wire.decodeVoteRequest(bytesOf("voteRequest"))!;
    expect(request).toEqual({ term: 2, lastTerm: 1, lastIndex: 10, candidate: "fjFyEjc1" });
    expect(wire.encodeVoteRequest(request)).toEqual(new Uint8Array(bytesOf("voteRequest")));
    const vote = wire.decodeVoteResponse(bytesOf("voteResponse"))!;
    expect(vote).toMatchObject({ term: 2, peer: "BXScrY9i", isGranted: true, isEmpty: false });
    expect(wire.encodeVoteResponse(vote)).toEqual(new Uint8Array(bytesOf("voteResponse")));
    const response = wire.decodeAppendResponse(bytesOf("appendResponse"))!;
    expect(response).toEqual({ term: 1, index: 14, peer: "BXScrY9i", isSuccess: true });
    expect(wire.encodeAppendResponse(response)).toEqual(new Uint8Array(bytesOf("appendResponse")));
    const peers = wire.decodePeerState(bytesOf("peerState"))!;
    expect(peers.peers).toEqual(["44jzkV9D", "BXScrY9i", "fjFyEjc1"]);
    expect(wire.encodePeerState(peers)).toEqual(new Uint8Array(bytesOf("peerState")));
    expect(wire.readPeer(bytesOf("leaderTransfer"))).toBe("fjFyEjc1");
  });
});

describe("operations of a stream", () => {
  it("are read: a message as it is, and packed", () => {
    const message = decodeMessage(bytesOf("message"))!;
    expect(message).toMatchObject({ after: 0, subject: "s.a", headerLength: 0 });
    expect(message.reply).toMatch(/^_INBOX\./);
    expect(Buffer.from(message.body).toString()).toBe("hello 0");
    // flags of nothing stand behind it there
    const bytes = bytesOf("message");
    expect(Buffer.from(encodeMessage(message)).equals(bytes.subarray(0, -1))).toBe(true);
    const packed = decodeMessage(bytesOf("packedMessage"))!;
    expect(packed).toMatchObject({ after: 6, subject: "s.big" });
    expect(Buffer.from(packed.body).toString()).toBe("0123456789abcdef".repeat(1000));
  });

  it("are read: a deletion and a purge", () => {
    expect(decodeJson(bytesOf("deletion"))).toMatchObject({ stream: "S", seq: 4 });
    expect(decodePurge(bytesOf("purge"))).toMatchObject({ filter: null, keep: 2, below: 0 });
  });
});

describe("operations of a consumer", () => {
  it("are read", () => {
    expect(decodeDelivered(bytesOf("delivered"))).toMatchObject({ consumer: 4, stream: 8, count: 1 });
    expect(decodeAcked(bytesOf("acknowledged"))).toEqual({ consumer: 4, stream: 8 });
    expect(decodeSkip(bytesOf("skipped"))).toBe(1);
    for (const name of ["delivered", "acknowledged", "skipped"]) expect(entryOf(bytesOf(name))).toBeDefined();
    for (const name of ["waits", "waitsNoLonger"]) expect(isAboutWaiting(bytesOf(name))).toBe(true);
  });
});

describe("operations of the assignments", () => {
  it("are followed, one after the other", () => {
    const assignments = new Assignments();
    const apply = (name: string): unknown => assignments.apply(bytesOf(name));
    const { name } = decodeJson(bytesOf("streamAssigned"))!["stream"] as { name?: string };
    assert(name !== undefined, "an assignment names the stream");
    expect(apply("streamAssigned")).toMatchObject({ kind: "assigned", account: "$G", isNew: true });
    const { assignment } = assignments.stream("$G", name)!;
    expect(assignment.group).toMatchObject({ cluster: "mixed", peers: expect.any(Array) as string[] });
    expect(assignment.sync).toMatch(/^\$JSC\.SYNC\.[0-9A-Za-z]{8}$/);
    expect(apply("streamRemoved")).toMatchObject({ kind: "removed" });
    expect([...assignments.all()]).toEqual([]);
    const removed = decodeJson(bytesOf("consumerRemoved"))!;
    const made = decodeJson(bytesOf("consumerAssigned"))!;
    expect(removed).toMatchObject({ stream: "S", name: "e" });
    expect(made).toMatchObject({ stream: "S" });
  });
});
