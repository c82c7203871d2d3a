/** A client that does as little as possible itself: writes what it is given, and hands over what arrives, line by line. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export class RawClient {
  /** Called with each line of the protocol, payloads of one line among them. */
  onLine: (line: string) => void = () => undefined;
  private readonly socket: Socket;
  private rest = "";
  private readonly pongs: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.setEncoding("latin1");
    socket.on("error", () => undefined); // a measurement that needs the connection misses its answers, and says so
    socket.on("data", (text: string) => this.take(text));
  }

  static async open(port: number): Promise<RawClient> {
    for (let tries = 0; ; tries++) {
      const socket = connect({ host: "127.0.0.1", port });
      try {
        await once(socket, "connect");
        const client = new RawClient(socket);
        const options = { verbose: false, pedantic: false, headers: true, no_responders: true };
        client.send(`CONNECT ${JSON.stringify(options)}\r\n`);
        await client.flush();
        return client;
      } catch (error) {
        if (tries >= 200) throw error;
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    }
  }

  send(text: string): void {
    this.socket.write(text, "latin1");
  }

  /** Resolves once the server has done all that was sent before. */
  async flush(): Promise<void> {
    const ponged = new Promise<void>((resolve) => this.pongs.push(resolve));
    this.send("PING\r\n");
    await ponged;
  }

  /** As a client that crashes. */
  destroy(): void {
    this.socket.destroy();
  }

  private take(text: string): void {
    const lines = (this.rest + text).split("\r\n");
    this.rest = lines.pop()!;
    for (const line of lines) {
      if (line === "PONG") this.pongs.shift()?.();
      else if (line === "PING") this.send("PONG\r\n");
      else this.onLine(line);
    }
  }
}
