/** Finds free ports: the wanted ones where possible; 0 wants any. */
import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";

export interface ChosenPort {
  readonly port: number;
  /** The wanted port, where another process has it. */
  readonly taken?: number;
}

/** Each chosen port differs from the others, and from every wanted one but its own. */
export async function choosePorts(host: string, wanted: readonly number[]): Promise<ChosenPort[]> {
  const chosen: ChosenPort[] = [];
  for (const port of wanted) {
    const got = await tryListen(host, port);
    if (got !== undefined) chosen.push({ port: got });
    else
      chosen.push({
        port: await freePort(host, new Set([...wanted, ...chosen.map((c) => c.port)])),
        taken: port,
      });
  }
  return chosen;
}

async function freePort(host: string, avoid: ReadonlySet<number>): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = await tryListen(host, 0);
    if (port !== undefined && !avoid.has(port)) return port;
  }
  throw new Error(
    `no free port on ${host} after 100 attempts: stop what listens there, or wait for closed ports to clear`,
  );
}

/** Listens for a moment. Returns the port, or undefined where it is taken or not allowed. */
async function tryListen(host: string, port: number): Promise<number | undefined> {
  const server = createServer();
  try {
    server.listen(port, host);
    await once(server, "listening");
    const { port: got } = server.address() as AddressInfo;
    server.close();
    await once(server, "close");
    return got;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EADDRINUSE" || code === "EACCES") return undefined;
    throw error;
  }
}
