/** The whole way of a message but the network: from the bytes of its publisher to the bytes for its readers. */
import { Work } from "../../src/base/work.ts";
import { Stack } from "../../test/property/stack.ts";
import { NullWire, type Case } from "./case.ts";
import { publishingCase } from "./publishing.ts";

const HEADERS =
  "NATS/1.0\r\nContent-Type: application/json\r\nNats-Msg-Id: 5f2a41c1-7a1e-4f0e-9a64-3a2b6f9d0c11\r\nTenant: north\r\n\r\n";

export function deliveryCases(): Case[] {
  const withHeaders = [1, 10].map((readers) =>
    deliveryCase(
      `16 bytes with ${HEADERS.length} of headers to ${readers} readers`,
      readers,
      16,
      1000,
      HEADERS,
    ),
  );
  const without = [0, 1, 10, 100].flatMap((readers) => [
    deliveryCase(`16 bytes to ${readers} readers, one subject`, readers, 16, 1),
    deliveryCase(`16 bytes to ${readers} readers, 1,000 subjects`, readers, 16, 1000),
    deliveryCase(`1 KiB to ${readers} readers, 1,000 subjects`, readers, 1024, 1000),
  ]);
  return [...without, ...withHeaders];
}

function deliveryCase(name: string, readers: number, size: number, subjects: number, headers = ""): Case {
  // Without an end to what fits into a round: nothing here waits for the next one.
  const stack = new Stack({ accounts: { work: new Work() } });
  const publisher = stack.client("", new NullWire());
  for (let i = 0; i < readers; i++) stack.client("", new NullWire()).wire.receiveText("SUB orders.* 1\r\n");
  return publishingCase(name, publisher, size, subjects, headers);
}
