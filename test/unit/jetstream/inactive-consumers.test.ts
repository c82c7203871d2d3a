/** Consumers that nobody uses go after their inactive threshold, however long it is. */
import { expect, it } from "vitest";
import { JetStreamStack } from "../../support/jetstream-stack.ts";

const DAY_MS = 86_400_000;

it.each([1, 24, 25, 60])("a consumer goes after %i days, and not before", (days) => {
  const stack = new JetStreamStack();
  stack.request("STREAM.CREATE.S", { name: "S", subjects: ["s"] });
  const config = { durable_name: "c", name: "c", inactive_threshold: days * DAY_MS * 1e6 };
  stack.request("CONSUMER.CREATE.S.c", { stream_name: "S", config });
  stack.advance(days * DAY_MS - 1);
  expect(stack.request("CONSUMER.NAMES.S")).toMatchObject({ consumers: ["c"] });
  stack.advance(1);
  expect(stack.request("CONSUMER.NAMES.S")).toMatchObject({ consumers: [] });
});
