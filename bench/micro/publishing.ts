/** A publisher that fills its window of read bytes again and again with the same messages. */
import { READ_SIZE, READ_START } from "../../src/slab/layout.ts";
import { bytes } from "../../src/slab/memory.ts";
import type { Stack } from "../../test/property/stack.ts";
import type { Case } from "./case.ts";

/** The case that `publisher` sends messages of `size` bytes to `orders.N`, in turn to so many subjects. */
export function publishingCase(
  name: string,
  publisher: ReturnType<Stack["client"]>,
  size: number,
  subjects: number,
  headers = "",
): Case {
  const payload = "x".repeat(size);
  const frames: string[] = [];
  let length = 0;
  for (let i = 0; length + size + headers.length + 48 < READ_SIZE; i++) {
    const subject = `orders.${1000 + (i % subjects)}`;
    frames.push(
      headers === ""
        ? `PUB ${subject} ${size}\r\n${payload}\r\n`
        : `HPUB ${subject} ${headers.length} ${headers.length + size}\r\n${headers}${payload}\r\n`,
    );
    length += frames.at(-1)!.length;
  }
  const window = Buffer.from(frames.join(""), "latin1");
  const run = (count: number): number => {
    let done = 0;
    for (; done < count; done += frames.length) {
      bytes.set(window, READ_START);
      publisher.session.onBytes(length);
    }
    return done;
  };
  return { name, run };
}
