/** The whole way of a message but the network: from the bytes of its publisher to the bytes for its readers. */
import { Stack } from "../../test/property/stack.ts";
import { NullWire, type Case } from "./case.ts";
import { publishingCase } from "./publishing.ts";

export function deliveryCases(): Case[] {
  return [0, 1, 10, 100].flatMap((readers) => [
    deliveryCase(`16 bytes to ${readers} readers, one subject`, readers, 16, 1),
    deliveryCase(`16 bytes to ${readers} readers, 1,000 subjects`, readers, 16, 1000),
    deliveryCase(`1 KiB to ${readers} readers, 1,000 subjects`, readers, 1024, 1000),
  ]);
}

function deliveryCase(name: string, readers: number, size: number, subjects: number): Case {
  const stack = new Stack();
  const publisher = stack.client("", new NullWire());
  for (let i = 0; i < readers; i++) stack.client("", new NullWire()).wire.receiveText("SUB orders.* 1\r\n");
  return publishingCase(name, publisher, size, subjects);
}
