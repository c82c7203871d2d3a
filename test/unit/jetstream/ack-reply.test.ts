import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AckReply } from "../../../src/jetstream/consumer/ack-reply.ts";
import { READ_START } from "../../../src/slab/layout.ts";
import { readText } from "../../../src/slab/memory.ts";

const whole = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const TIME_MAX = 2n ** 62n;
const time = fc.oneof(
  fc.bigInt({ min: 0n, max: TIME_MAX }),
  // At the turn of a second, where a double cannot tell.
  fc
    .tuple(fc.bigInt({ min: 0n, max: TIME_MAX / 1_000_000_000n - 1n }), fc.bigInt({ min: -300n, max: 300n }))
    .map(([seconds, off]) => seconds * 1_000_000_000n + (off < 0n && seconds === 0n ? -off : off)),
);

describe("the subject where a message is acknowledged", () => {
  it("is written as its text reads, for any numbers and any time", () => {
    const reply = new AckReply("STREAM.consumer");
    fc.assert(
      fc.property(
        whole,
        whole,
        whole,
        time,
        whole,
        (deliveries, sequence, consumerSequence, timeNs, pending) => {
          const timeLow = Number(timeNs & 0xffff_ffffn);
          const timeHigh = Number(timeNs >> 32n);
          reply.set({ deliveries, sequence, consumerSequence, timeLow, timeHigh, pending });
          const text = `$JS.ACK.STREAM.consumer.${deliveries}.${sequence}.${consumerSequence}.${timeNs}.${pending}`;
          const end = reply.write(READ_START);
          expect([readText(READ_START, end - READ_START), String(reply), reply.length]).toEqual([
            text,
            text,
            text.length,
          ]);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
