import { expect, it } from "vitest";
import { JetStreamStack } from "../../support/jetstream-stack.ts";

const facts = { level: 5, version: "", server: "test", isStrict: true };

it.each([
  ["", '{"stream":"S","seq":1}', '{"stream":"S","seq":2,"duplicate": true}'],
  ["ABC", '{"stream":"S","domain":"ABC","seq":1}', '{"stream":"S","domain":"ABC","seq":2,"duplicate": true}'],
])(
  "a stream of the domain %j says so where it confirms a message, as nats-server does",
  (domain, first, again) => {
    const stack = new JetStreamStack({ facts: { ...facts, domain } });
    stack.request("STREAM.CREATE.S", { name: "S", subjects: ["s"] });
    expect(stack.ask("s", "1")?.text).toBe(first);
    stack.ask("s", "2", { "Nats-Msg-Id": "a" });
    expect(stack.ask("s", "3", { "Nats-Msg-Id": "a" })?.text).toBe(again);
    expect(stack.ask("s", "4", { "Nats-Expected-Last-Sequence": "9" })?.text).toMatch(
      /"stream":"S","seq":0}$/,
    );
    stack.stop();
  },
);
