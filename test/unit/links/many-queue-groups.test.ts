/** Subjects with more queue groups than a line over a route has room for. */
import { expect, it } from "vitest";
import { Stack } from "../../property/stack.ts";

const GROUPS = 1200;
/** Together they are longer than the 64 KiB at which a nats-server ends a route. */
const NAMES = Array.from({ length: GROUPS }, (_, i) => `q${i}`.padEnd(60, "x"));

function rig(info: string, isPlain: boolean): { lines: string[]; named: string[] } {
  const stack = new Stack();
  const route = stack.route();
  route.wire.receiveText(`INFO {"server_id":"NPEER","headers":true${info}}\r\n`);
  route.wire.receiveText(NAMES.map((name) => `RS+ $G foo ${name} 1\r\n`).join(""));
  if (isPlain) route.wire.receiveText("RS+ $G foo\r\n");
  route.wire.take();
  const client = stack.client();
  client.wire.receiveText("PUB foo 2\r\nhi\r\n");
  const lines = route.wire
    .takeText()
    .split("\r\n")
    .filter((line) => line.startsWith("RMSG "));
  return { lines, named: lines.flatMap((line) => line.split(" ").slice(4, -1)) };
}

it("are named in one line to a shoal", () => {
  const { lines, named } = rig(',"shoal":true', true);
  expect(lines).toHaveLength(1);
  expect(named).toEqual(NAMES);
});

it("are named in several lines to a nats-server, each once", () => {
  const { lines, named } = rig("", false);
  expect(lines.length).toBeGreaterThan(1);
  expect(lines.every((line) => line.length < 64 * 1024)).toBe(true);
  expect(named).toEqual(NAMES);
});

it("are named in one line to a nats-server that has plain subscriptions, as far as they fit", () => {
  const { lines, named } = rig("", true);
  expect(lines).toHaveLength(1);
  expect(lines[0]!.length).toBeLessThan(64 * 1024);
  expect(named).toEqual(NAMES.slice(0, named.length));
});

it("get their message where a route names them all", () => {
  const stack = new Stack();
  const client = stack.client();
  client.wire.receiveText(NAMES.map((name, i) => `SUB foo ${name} ${i}\r\n`).join(""));
  const route = stack.route();
  route.wire.receiveText(`RMSG $G foo | ${NAMES.join(" ")} 2\r\nhi\r\n`);
  expect(client.wire.takeText().match(/^MSG foo /gm)).toHaveLength(GROUPS);
  expect(route.session.isOpen).toBe(true);
});
