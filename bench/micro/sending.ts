/** What the server itself has to say: from `Account.send` to the bytes for who listens. */
import { Work } from "../../src/base/work.ts";
import { Stack } from "../../test/property/stack.ts";
import { NullWire, type Case } from "./case.ts";

const PAYLOAD = Buffer.alloc(32, 0x78);

export function sendingCases(): Case[] {
  return [
    sendCase("to one subject", () => "orders.new"),
    sendCase("to one subject, with a reply", () => "orders.new", "_INBOX.abc.1"),
    sendCase("to another reply subject of one inbox each time", (i) => `_INBOX.abc.${i}`),
  ];
}

function sendCase(name: string, subject: (i: number) => string, reply = ""): Case {
  // Without an end to what fits into a round: nothing here waits for the next one.
  const stack = new Stack({ accounts: { work: new Work() } });
  const reader = stack.client("", new NullWire());
  reader.wire.receiveText("SUB orders.* 1\r\nSUB _INBOX.abc.* 2\r\n");
  const { account, host } = reader.session;
  let next = 0;
  const run = (count: number): number => {
    for (let done = 0; done < count; done += 1000) {
      host.turn.enter();
      for (let i = 0; i < 1000; i++) account.send(subject(next++), PAYLOAD, reply);
      host.turn.leave();
    }
    return Math.ceil(count / 1000) * 1000;
  };
  return { name, run };
}
