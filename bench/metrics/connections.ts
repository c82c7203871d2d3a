/**
 * Holds connections to a server, in a process of its own: `node connections.ts PORT NUMBER`. Each has said CONNECT and has two
 * subscriptions. Writes "ready" when the server has answered all of them; ends when its standard input does.
 */
import { once } from "node:events";
import { connect } from "node:net";

const AT_A_TIME = 200;

const [port = 0, count = 0] = process.argv.slice(2).map(Number);
for (let made = 0; made < count; made += AT_A_TIME) {
  await Promise.all(Array.from({ length: Math.min(AT_A_TIME, count - made) }, (_, i) => hold(made + i)));
}
process.stdout.write("ready\n");
process.stdin.resume();
await once(process.stdin, "end");
process.exit();

async function hold(id: number): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  const connectLine = `CONNECT ${JSON.stringify({ verbose: false, name: `idle ${id}` })}\r\n`;
  socket.write(`${connectLine}SUB idle.${id} 1\r\nSUB idle.all 2\r\nPING\r\n`);
  let said = "";
  while (!said.includes("PONG")) said += String((await once(socket, "data"))[0]);
  socket.on("data", (chunk) => {
    if (String(chunk).includes("PING")) socket.write("PONG\r\n");
  });
}
