/** The inspector of a Node process that was started with it: what its heap holds, once its garbage is collected. */
import { waitFor } from "./cluster-wait.ts";
import type { ServerProcess } from "./nats-server.ts";

/** The environment of a server with an inspector, on a free port of loopback. */
export const INSPECTED: NodeJS.ProcessEnv = { ...process.env, NODE_OPTIONS: "--inspect=127.0.0.1:0" };

type Answer = Record<string, unknown>;

/** A connection to it. Shapes: the Chrome DevTools protocol. */
export class Inspector {
  private readonly socket: WebSocket;
  private readonly awaited = new Map<number, (answer: Answer) => void>();
  private asked = 0;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.addEventListener("message", (event) => {
      const { id, result } = JSON.parse(String(event.data)) as { id?: number; result?: Answer };
      if (id === undefined) return;
      this.awaited.get(id)?.(result ?? {});
      this.awaited.delete(id);
    });
  }

  static async of(server: ServerProcess): Promise<Inspector> {
    const url = await waitFor(
      "the inspector",
      () => /ws:\/\/\S+/.exec(server.log())?.[0],
      () => server.log(),
    );
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.addEventListener("open", resolve);
      socket.addEventListener("error", () => reject(new Error(`no inspector answers at ${url}`)));
    });
    return new Inspector(socket);
  }

  ask(method: string): Promise<Answer> {
    const id = ++this.asked;
    this.socket.send(JSON.stringify({ id, method }));
    return new Promise((resolve) => this.awaited.set(id, resolve));
  }

  /** What lives once the garbage is collected, in MiB: of the heap, and of memory that it holds beside it. */
  async liveMiB(): Promise<number> {
    await this.ask("HeapProfiler.collectGarbage");
    const heap = await this.ask("Runtime.getHeapUsage");
    return (Number(heap["usedSize"]) + Number(heap["backingStorageSize"])) / 2 ** 20;
  }

  close(): void {
    this.socket.close();
  }
}
