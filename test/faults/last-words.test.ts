/** A server that is told to end still delivers what it has accepted, as nats-server does. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect, test } from "vitest";
import { startServer } from "../../src/index.ts";

const MESSAGES = 20;
const SIZE = 1_000_000;
const HELLO = 'CONNECT {"verbose":false,"pedantic":false,"headers":true}\r\n';

async function client(port: number, first: string): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.write(`${HELLO}${first}PING\r\n`);
  await until(socket, "PONG\r\n");
  return socket;
}

async function until(socket: Socket, text: string): Promise<void> {
  for (let seen = ""; !seen.endsWith(text);) {
    const [piece] = (await once(socket, "data")) as [Buffer];
    seen += piece.toString("latin1");
  }
}

test("messages that wait for a slow reader reach it after the server was told to end", async () => {
  const server = await startServer();
  const reader = await client(server.port, "SUB big 1\r\n");
  reader.pause();
  const publisher = await client(server.port, "");
  const payload = "x".repeat(SIZE);
  for (let n = 0; n < MESSAGES; n++) publisher.write(`PUB big ${SIZE}\r\n${payload}\r\n`);
  publisher.write("PING\r\n");
  await until(publisher, "PONG\r\n");

  const closed = server.close();
  let received = 0;
  reader.on("data", (piece: Buffer) => (received += piece.length));
  reader.resume();
  await once(reader, "end");
  await closed;
  const line = `MSG big 1 ${SIZE}\r\n`;
  expect(received).toBe(MESSAGES * (line.length + SIZE + 2));
});
