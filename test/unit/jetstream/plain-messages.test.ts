import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MessageHeaders } from "../../../src/jetstream/headers.ts";
import { PlainMessages } from "../../../src/jetstream/stream/plain-messages.ts";
import type { StreamConfig } from "../../../src/jetstream/stream/config.ts";
import { Message } from "../../../src/protocol/message.ts";
import { READ_START } from "../../../src/slab/layout.ts";
import { writeText } from "../../../src/slab/memory.ts";

const CONFIG = {
  discard: "old",
  maxMessages: -1,
  maxBytes: -1,
  maxMessageBytes: 1000,
  retention: "limits",
  subjectTransform: null,
  republish: null,
  mirror: null,
  sources: [],
} as unknown as StreamConfig;

function plain(config: Partial<StreamConfig> = {}, bytesLeft = Infinity): PlainMessages {
  const messages = new PlainMessages({ nowNs: () => 1_000_000n }, () => bytesLeft);
  messages.configure({ ...CONFIG, ...config });
  messages.begin();
  return messages;
}

/** `reply subject | headers payload` in the slab. */
function lying(headers: string, payload: string, reply = "r"): Message {
  const message = new Message();
  message.at = READ_START;
  message.subjectLength = 7;
  message.replyFrom = 0;
  message.replyLength = reply.length;
  message.payloadFrom = reply.length;
  message.headerLength = headers.length;
  message.size = headers.length + payload.length;
  writeText(writeText(writeText(READ_START, reply), headers), payload);
  return message;
}

const line = fc.oneof(
  fc.constantFrom(
    "Nats-Msg-Id: a b ",
    "Nats-Msg-Id:",
    "Nats-Rollup: sub",
    "nats-msg-id: x",
    "Color: red",
    "Nats",
  ),
  fc.string({ unit: fc.constantFrom("N", "a", "t", "s", "-", ":", " ", "\r", "\n"), maxLength: 20 }),
);

describe("messages that are not judged", () => {
  it("have no header of JetStream's own but an id, which is the one that a judge would read", () => {
    const messages = plain();
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 5 }),
        fc.string({ unit: "binary-ascii", maxLength: 9 }),
        (lines, payload) => {
          const block = `NATS/1.0\r\n${lines.map((one) => `${one}\r\n`).join("")}\r\n`;
          if (!messages.takes(lying(block, payload))) return;
          const headers = new MessageHeaders(block);
          expect(messages.id).toBe(headers.get("Nats-Msg-Id") || null);
          const own = block.match(/\r\nNats-[^:\r\n]*:/g) ?? [];
          expect(own.every((name) => name === "\r\nNats-Msg-Id:")).toBe(true);
        },
      ),
      { numRuns: 3000 },
    );
    expect(messages.takes(lying("NATS/1.0\r\nColor: red\r\nNats-Msg-Id: 7\r\n\r\n", "x"))).toBe(true);
    expect(messages.id).toBe("7");
    expect(messages.takes(lying("", "x"))).toBe(true);
    expect(messages.id).toBe(null);
  });

  it.each([
    ["larger than the stream takes", {}, "x".repeat(1001), "r"],
    ["part of a fast batch", {}, "x", "inbox.1.$FI"],
    ["for a stream with a transform", { subjectTransform: { source: "a", destination: "b" } }, "x", "r"],
    ["for a sealed stream", { sealed: true }, "x", "r"],
    ["for a counter", { allowCounter: true }, "x", "r"],
    ["for a stream that may refuse it", { discard: "new", maxMessages: 5 }, "x", "r"],
    ["for a stream that keeps what is wanted", { retention: "interest" }, "x", "r"],
  ] as const)("are not %s", (_what, config, payload, reply) => {
    expect(plain(config as Partial<StreamConfig>).takes(lying("", payload, reply))).toBe(false);
  });

  it("fit into what the account has left, those before them counted", () => {
    const messages = plain({}, 250);
    expect(messages.takes(lying("", "x".repeat(50)))).toBe(true);
    messages.place("subject", lying("", "x".repeat(50)));
    expect(messages.takes(lying("", "x".repeat(50)))).toBe(true);
    messages.place("subject", lying("", "x".repeat(50)));
    expect(messages.takes(lying("", "x".repeat(50)))).toBe(false);
  });
});
