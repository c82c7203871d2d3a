/** Protocol tracing of connections that stand: it is switched on and off without changing what passes. */
import { expect, it } from "vitest";
import type { Logger } from "../../../src/base/logger.ts";
import { Stack } from "../../property/stack.ts";

class TracingLogger implements Logger {
  tracing = false;
  readonly debugging = false;
  readonly lines: string[] = [];
  readonly debug = (): void => undefined;
  readonly info = (): void => undefined;
  readonly warn = (): void => undefined;
  readonly error = (): void => undefined;
  readonly fatal = (): void => undefined;

  trace(message: string): void {
    this.lines.push(message);
  }

  child(): Logger {
    return this;
  }

  take(): string[] {
    return this.lines.splice(0);
  }
}

it("writes what a client sends and gets, from the moment it is switched on until it is switched off", () => {
  const logger = new TracingLogger();
  const stack = new Stack({ logger });
  const { wire, session } = stack.client();
  const said =
    "SUB a.* 1\r\nPUB a.b 2\r\nhi\r\nPUB a.b 2\r\nho\r\nHPUB a.c r 12 13\r\nNATS/1.0\r\n\r\nx\r\nUNSUB 1 9\r\nPING\r\nPONG\r\n";
  wire.receiveText(said);
  const untraced = wire.takeText();
  expect(logger.take()).toEqual([]);

  logger.tracing = true;
  session.followTracing();
  wire.receiveText(`UNSUB 1\r\n${said}`);
  expect(wire.takeText()).toBe(untraced);
  expect(logger.take()).toEqual([
    "<<- [UNSUB 1]",
    "<<- [SUB a.* 1]",
    "<<- [PUB a.b 2]",
    "->> [MSG a.b 1 2]",
    "<<- [PUB a.b 2]",
    "->> [MSG a.b 1 2]",
    "<<- [HPUB a.c r 12 13]",
    "->> [HMSG a.c 1 r 12 13]",
    "<<- [UNSUB 1 9]",
    "<<- [PING]",
    "->> [PONG]",
    "<<- [PONG]",
  ]);

  logger.tracing = false;
  session.followTracing();
  wire.receiveText(`UNSUB 1\r\n${said}`);
  expect(wire.takeText()).toBe(untraced);
  expect(logger.take()).toEqual([]);
});

it("writes what another server sends and gets, and each message once", () => {
  const logger = new TracingLogger();
  const stack = new Stack({ logger });
  const { wire, session } = stack.route();
  const client = stack.client();
  const told = "RS+ $G a.*\r\nRMSG $G x 2\r\nhi\r\nRMSG $G x 2\r\nho\r\nRMSG $G x | q1 q2 2\r\nha\r\n";
  wire.receiveText(told);
  wire.take();
  client.wire.receiveText("PUB a.b 2\r\nhi\r\n");
  const untraced = wire.takeText();

  logger.tracing = true;
  session.followTracing();
  wire.receiveText(told);
  client.wire.receiveText("PUB a.b 2\r\nhi\r\n");
  expect(wire.takeText()).toBe(untraced);
  expect(logger.take()).toEqual([
    "<<- [RS+ $G a.*]",
    "<<- [RMSG $G x 2]",
    "<<- [RMSG $G x 2]",
    "<<- [RMSG $G x 2 for q1 q2]",
    "->> [RMSG $G a.b 2]",
  ]);
});

it("is on from the first word where tracing is on when a connection comes", () => {
  const logger = new TracingLogger();
  logger.tracing = true;
  const stack = new Stack({ logger });
  const { session } = stack.arrive();
  expect(logger.take()).toEqual([`->> [INFO {"client_id":${session.cid}}]`]);
});
