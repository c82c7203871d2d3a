/** What nats-servers write into the logs of groups: what a copy reads of it, and what every copy has to decide alike. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BlockEncoder, packedMax } from "../../../src/compress/block-encoder.ts";
import { Packers, STREAM_START } from "../../../src/compress/stream-packer.ts";
import { unpackWholeBlock, unpackWholeStream } from "../../../src/compress/whole.ts";
import { judgeAgreed } from "../../../src/jetstream/group/agreed-message.ts";
import { ConsumerState } from "../../../src/jetstream/consumer/state.ts";
import { decodeConsumerState } from "../../../src/jetstream/group/consumer-entries.ts";
import {
  decodeMessage,
  encodeJson,
  encodeMessage,
  OperationCode,
  type MessageOperation,
} from "../../../src/jetstream/group/operations.ts";
import { decodeState, encodeState } from "../../../src/jetstream/group/stream-state.ts";
import { packBlock } from "../../../src/jetstream/meta/literal-block.ts";
import { Assignments } from "../../../src/jetstream/meta/assignments.ts";

const MESSAGE: MessageOperation = {
  after: 6,
  timeNs: 1_700_000_000_000_000_000n,
  subject: "s.a",
  reply: "_R_.x",
  headerLength: 0,
  body: Buffer.from("0123456789".repeat(2000)),
};

function packedBlock(content: Uint8Array): Uint8Array {
  const target = new Uint8Array(packedMax(content.length));
  return target.subarray(0, new BlockEncoder("best").pack(content, target));
}

function packedStream(content: string): Uint8Array {
  return Buffer.concat([STREAM_START, ...new Packers().pack("fast", [Buffer.from(content)])]);
}

describe("a message of a log", () => {
  it("may be packed, and say that it comes from another stream", () => {
    const plain = encodeMessage({ ...MESSAGE, isFed: true });
    const packed = packedBlock(plain.subarray(1));
    expect(packed.length).toBeLessThan(plain.length / 10);
    const code = Uint8Array.of(OperationCode.PACKED_STREAM_MESSAGE);
    const read = decodeMessage(Buffer.concat([code, packed]));
    expect(read).toEqual({ ...MESSAGE, body: new Uint8Array(MESSAGE.body), isFed: true });
    expect(decodeMessage(Buffer.concat([code, packed.subarray(0, -1)]))).toBeUndefined();
    expect(decodeMessage(encodeMessage(MESSAGE))?.isFed).toBeUndefined();
  });
});

describe("what a copy does with a message", () => {
  const headers = (text: string): Pick<MessageOperation, "body" | "headerLength"> => {
    const body = Buffer.from(`NATS/1.0\r\n${text}\r\n\r\n`);
    return { body, headerLength: body.length };
  };
  const lastMessage = headers("Nats-Msg-Id: last");
  const store = { last: 5, has: () => true, read: () => lastMessage };
  const judged = (change: Partial<MessageOperation>, failed = 0): string =>
    judgeAgreed({ ...MESSAGE, ...change }, { store, lastId: null } as never, failed);

  it("depends on where it stands, less those that were refused", () => {
    expect(judged({ after: 4 })).toBe("here");
    expect(judged({ after: 5 })).toBe("next");
    expect(judged({ after: 6 })).toBe("ahead");
    expect(judged({ after: 6 }, 1)).toBe("next");
    expect(judged({ after: 5, subject: "", timeNs: 0n, body: new Uint8Array(0) })).toBe("skip");
  });

  it("follows the condition that it has on the message before it", () => {
    expect(judged({ after: 5, ...headers("Nats-Expected-Last-Msg-Id: last") })).toBe("next");
    expect(judged({ after: 5, ...headers("Nats-Expected-Last-Msg-Id: other") })).toBe("refused");
    expect(judged({ after: 4, ...headers("Nats-Expected-Last-Msg-Id: other") })).toBe("here");
  });

  it("is nothing where it only asks whether others keep up", () => {
    const body = Buffer.from("NATS/1.0 100 FlowControl Request\r\n\r\n");
    const asks = { after: 5, body, headerLength: body.length };
    expect(judged(asks)).toBe("control");
    expect(judged({ ...asks, reply: "" })).toBe("next");
  });
});

describe("a snapshot of a stream", () => {
  const state = {
    messages: 7,
    bytes: 700,
    first: 3,
    last: 4000,
    failed: 2,
    deleted: [{ first: 5, count: 9 }],
  };
  /** One node: the words of it that are not 0. */
  const bits = (version: number, base: number, words: Readonly<Record<number, bigint>>): Buffer => {
    const count = version === 1 ? 64 : 32;
    const bytes = Buffer.alloc(2 + 8 + 8 + count * 8 + 2);
    bytes.set([22, version]);
    bytes.writeUInt32LE(1, 2);
    bytes.writeBigUInt64LE(BigInt(base), 10);
    for (const [at, word] of Object.entries(words)) bytes.writeBigUInt64LE(word, 18 + Number(at) * 8);
    return bytes;
  };
  const head = encodeState({ ...state, deleted: [{ first: 1, count: 1 }] }).subarray(0, -3);

  it("comes back as it was", () => {
    expect(decodeState(encodeState(state))).toEqual(state);
    expect(decodeState(encodeState({ ...state, deleted: [] }))).toEqual({ ...state, deleted: [] });
  });

  it("may name what was deleted by bits, in both versions, beside runs", () => {
    const words = { 0: 1n | (3n << 31n) | (1n << 63n), 1: 1n };
    const expected = [
      { first: 2048, count: 1 },
      { first: 2079, count: 2 },
      { first: 2111, count: 2 },
    ];
    for (const version of [1, 2]) {
      const run = Buffer.from([33, 5, 9]);
      const read = decodeState(Buffer.concat([head, bits(version, 2048, words), run]));
      expect(read?.deleted).toEqual([...expected, { first: 5, count: 9 }]);
    }
    expect(decodeState(Buffer.concat([head, bits(2, 0, {}).subarray(0, -1)]))).toBeUndefined();
    expect(decodeState(Buffer.concat([head, bits(3, 0, {})]))).toBeUndefined();
    expect(decodeState(Buffer.concat([head, Buffer.from([7])]))).toBeUndefined();
  });

  it("may name the sources of the stream, which are passed over", () => {
    const sources = Buffer.from([1, 3, 97, 98, 99, 200, 1, 2, 100, 101]);
    const withSources = Buffer.concat([head.subarray(0, -1), sources, Buffer.from([1, 33, 5, 9])]);
    withSources[1] = 2;
    expect(decodeState(withSources)).toEqual(state);
  });

  it("never takes long, whatever it says", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        decodeState(Buffer.concat([Buffer.from([42, 1]), bytes]));
        decodeState(Buffer.concat([head, Buffer.from([22, 2]), bytes]));
        decodeConsumerState(Buffer.concat([Buffer.from([22, 2]), bytes]));
        decodeMessage(Buffer.concat([Buffer.from([14]), bytes]));
      }),
    );
    const endless = Buffer.from([22, 2, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 15]);
    expect(decodeConsumerState(endless)).toBeUndefined();
  });
});

describe("a snapshot of a consumer", () => {
  it("may name what is pending in any order", () => {
    const floor = [1, 1];
    const delivered = [4, 4];
    const pending = [3, 20, 3, 3, 0, 1, 1, 2, 2, 2, 0];
    const again = [1, 2, 4];
    const json = decodeConsumerState(Buffer.from([22, 2, ...floor, ...delivered, ...pending, ...again]));
    const state = new ConsumerState("explicit", 1, 0);
    state.restore(json!);
    expect([...state.pending].map(([sequence, { count, timeMs }]) => [sequence, count, timeMs])).toEqual([
      [2, 1, 9000],
      [3, 5, 10_000],
      [4, 1, 10_000],
    ]);
  });
});

describe("an assignment of a nats-server", () => {
  const group = {
    name: "S-R3F-abcdefgh",
    peers: ["fjFyEjc1", "44jzkV9D", "BXScrY9i"],
    store: "file",
    cluster: "C",
    scale_up: true,
    desired: {
      created: "2026-01-01T00:00:00Z",
      id: "x",
      term: 3,
      peers: ["fjFyEjc1"],
      members: ["44jzkV9D"],
    },
  };
  const stream = {
    client: { acc: "A" },
    created: "2026-01-01T00:00:00Z",
    stream: { name: "S", subjects: ["s"], retention: "limits", storage: "file", num_replicas: 3 },
    group,
    sync: "$JSC.SYNC.abcdefgh",
  };
  const consumer = {
    ...{ client: { acc: "A" }, created: "2026-01-01T00:00:00Z", name: "c", stream: "S" },
    consumer: { durable_name: "c", ack_policy: "explicit" },
    group: { ...group, name: "C-R3F-abcdefgh" },
  };

  it("keeps in snapshots what this server does not use", () => {
    const assignments = new Assignments();
    assignments.apply(encodeJson(OperationCode.ASSIGN_STREAM, stream));
    const json = unpackWholeBlock(assignments.snapshot(), 1 << 20);
    const [kept] = JSON.parse(Buffer.from(json!).toString()) as { group: object }[];
    expect(kept!.group).toEqual(group);
  });

  it("is read where it is packed: that of a consumer, and a snapshot", () => {
    const assignments = new Assignments();
    const snapshot = packedBlock(Buffer.from(JSON.stringify([{ ...stream, Consumers: [consumer] }])));
    expect(assignments.install(snapshot)).toBe(true);
    expect([...assignments.stream("A", "S")!.consumers.keys()]).toEqual(["c"]);
    const code = Uint8Array.of(OperationCode.ASSIGN_PACKED_CONSUMER);
    const packed = packedStream(JSON.stringify({ ...consumer, name: "d" }));
    expect(assignments.apply(Buffer.concat([code, packed]))).toMatchObject({
      kind: "assigned",
      consumer: "d",
    });
    expect(assignments.apply(Buffer.concat([code, packed.subarray(0, -1)]))).toBe("unknown");
    expect(assignments.install(packBlock(Buffer.from("{}")))).toBe(false);
    expect(assignments.install(packBlock(Buffer.from("[1")))).toBe(false);
  });
});

describe("what is packed as a whole", () => {
  it("is not unpacked where it is longer than it may be", () => {
    const block = packedBlock(Buffer.alloc(10_000));
    expect(unpackWholeBlock(block, 10_000)).toHaveLength(10_000);
    expect(unpackWholeBlock(block, 9999)).toBeUndefined();
    const stream = packedStream("abc".repeat(100));
    expect(Buffer.from(unpackWholeStream(stream, 300)!).toString()).toBe("abc".repeat(100));
    expect(unpackWholeStream(stream, 299)).toBeUndefined();
    expect(unpackWholeStream(Buffer.concat([stream, Buffer.from([0x99, 9, 0, 0])]), 300)).toBeUndefined();
  });

  it("may be longer than a block of a stream", () => {
    const long = Buffer.alloc(5 * 1024 * 1024, "0123456789");
    expect(Buffer.from(unpackWholeBlock(packBlock(long), long.length)!).equals(long)).toBe(true);
  });
});
