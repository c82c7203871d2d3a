/**
 * Runs in a thread of its own: sends PING to a server each few milliseconds and measures how long PONG takes. What the load does to
 * the thread that makes it is not measured with it.
 */
import { once } from "node:events";
import { connect } from "node:net";
import { parentPort, workerData } from "node:worker_threads";

const EVERY_MS = 2;

const { port, hello } = workerData as { readonly port: number; readonly hello: object };
const socket = connect({ host: "127.0.0.1", port, noDelay: true });
let worstMs = 0;
let sentMs = 0;
let isOver = false;

socket.setEncoding("latin1");
await once(socket, "data");
const ping = (): void => {
  sentMs = performance.now();
  socket.write("PING\r\n");
};
socket.on("data", (text: string) => {
  if (text.includes("PING\r\n")) socket.write("PONG\r\n");
  if (!text.includes("PONG\r\n")) return;
  if (sentMs > 0) worstMs = Math.max(worstMs, performance.now() - sentMs);
  if (isOver) finish();
  else setTimeout(ping, EVERY_MS);
});
socket.on("close", () => {
  worstMs = Infinity;
  finish();
});
parentPort!.once("message", () => (isOver = true));
socket.write(`CONNECT ${JSON.stringify({ verbose: false, pedantic: false, ...hello })}\r\n`);
ping();
parentPort!.postMessage("ready");

function finish(): void {
  socket.destroy();
  parentPort!.postMessage(worstMs);
  parentPort!.close();
}
