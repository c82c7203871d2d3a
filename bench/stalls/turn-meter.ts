/**
 * Loaded into a server of Node.js before its own code (`--import`): measures the processor time of its longest turn, which is a round of
 * the event loop. Other processes do not lengthen it, as they do a round trip. What it is told comes over the socket that
 * SHOAL_TURN_METER names: each connection begins a measurement, and is told the longest turn in ms when it has sent something.
 */
import { createServer } from "node:net";
import { env, threadCpuUsage } from "node:process";

let worstMs = 0;
let isMeasuring = false;
let lastMs = 0;

function round(): void {
  const nowMs = cpuMs();
  worstMs = Math.max(worstMs, nowMs - lastMs);
  lastMs = cpuMs();
  if (isMeasuring) setImmediate(round);
}

function cpuMs(): number {
  const { user, system } = threadCpuUsage();
  return (user + system) / 1000;
}

const server = createServer((socket) => {
  worstMs = 0;
  isMeasuring = true;
  lastMs = cpuMs();
  setImmediate(round);
  socket.write("measuring");
  socket.once("data", () => {
    isMeasuring = false;
    socket.end(String(worstMs));
  });
  socket.on("error", () => (isMeasuring = false));
});
server.listen(env.SHOAL_TURN_METER).unref();
