/**
 * Ports for servers whose port has to be known before they start. They lie below the range from which the system takes the ports
 * of outgoing connections and of listeners that ask for any: nobody else takes one between two starts.
 */
import { createServer } from "node:net";

const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;
const given = new Set<number>();

export async function freePort(host = "127.0.0.1"): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));
    if (given.has(port) || !(await canListen(port, host))) continue;
    given.add(port);
    return port;
  }
}

function canListen(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, host, () => probe.close(() => resolve(true)));
  });
}
