/**
 * Ports for servers whose port has to be known before they start. They lie below the range from which the system takes the ports
 * of outgoing connections and of listeners that ask for any: nobody else takes one between two starts. Other test files, which run at the
 * same time in processes of their own, take others: each port that was given is claimed by a name in the kernel until its process ends.
 */
import { createServer } from "node:net";

const FIRST_PORT = 20_000;
const LAST_PORT = 32_000;
const given = new Set<number>();

export async function freePort(host = "127.0.0.1"): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT));
    if (given.has(port) || !(await claim(port))) continue;
    given.add(port);
    if (await canListen(port, host)) return port;
  }
}

/** By an abstract socket, which Linux alone has, and which is gone when the process is. */
function claim(port: number): Promise<boolean> {
  if (process.platform !== "linux") return Promise.resolve(true);
  return new Promise((resolve) => {
    const claimed = createServer();
    claimed.once("error", () => resolve(false));
    claimed.listen(`\0shoal-test-port-${port}`, () => resolve(true));
    claimed.unref();
  });
}

function canListen(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, host, () => probe.close(() => resolve(true)));
  });
}
