import fc from "fast-check";
import { expect, it } from "vitest";
import { MemoryDisk } from "../../../src/store/memory-disk.ts";
import { StreamStore } from "../../../src/store/stream-store.ts";

const message = fc.record({
  subject: fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 30 }),
  body: fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ minLength: 500, maxLength: 2000 })),
  headers: fc.nat(12),
  before: fc.nat(9),
  timeNs: fc.bigInt({ min: 0n, max: 2n ** 62n }),
});

it("stores a message that lies in memory as the same message by itself", () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 20 }), (messages) => {
      const disks = [new MemoryDisk(), new MemoryDisk()] as const;
      const [one, two] = disks.map(
        (disk) => new StreamStore({ disk, folder: "s", firstSequence: 1, blockBytes: 4096 }),
      ) as [StreamStore, StreamStore];
      for (const { subject, body, headers, before, timeNs } of messages) {
        const headerLength = Math.min(headers, body.length);
        one.append({ subject, headerLength, body, timeNs });
        const memory = Buffer.concat([Buffer.alloc(before, "x"), body]);
        two.appendPlaced({
          subject,
          memory,
          words: new DataView(memory.buffer, memory.byteOffset, memory.byteLength),
          bodyAt: before,
          bodyLength: body.length,
          headerLength,
          timeLow: Number(timeNs & 0xffff_ffffn),
          timeHigh: Number(timeNs >> 32n),
        });
        expect(two.lastTimeNs).toBe(one.lastTimeNs);
      }
      one.flush();
      two.flush();
      const content = (disk: MemoryDisk): unknown[] =>
        disk.names("s").map((name) => [name, Buffer.from(disk.read(`s/${name}`)!).toString("hex")]);
      expect(content(disks[1])).toEqual(content(disks[0]));
      expect([two.bytes, two.messages]).toEqual([one.bytes, one.messages]);
    }),
    { numRuns: 100 },
  );
});
