/** What clients of a simulated cluster send: through any server that is alive, and answers come to an inbox there. */
import { randomInt, type Random } from "../../../src/base/random.ts";
import type { SimulatedServer } from "./server.ts";

const REQUEST_INFO = 'NATS/1.0\r\nNats-Request-Info: {"acc":"A"}\r\n\r\n';

export type Answer = Record<string, unknown>;

interface RequestsWorld {
  readonly random: Random;
  readonly servers: readonly SimulatedServer[];
}

interface ClientRequest {
  readonly subject: string;
  readonly payload: string;
  /** Whole, with their status line; absent: none. */
  readonly headers?: string;
}

export class ClientRequests {
  private readonly world: RequestsWorld;
  private inboxes = 0;

  constructor(world: RequestsWorld) {
    this.world = world;
  }

  /** Asks the API. */
  ask(what: string, body: object, take: (answer: Answer) => void): void {
    const request = { subject: `$JS.API.${what}`, payload: JSON.stringify(body), headers: REQUEST_INFO };
    this.request("$SYS", request, (text) => take(JSON.parse(text) as Answer));
  }

  /** `take` gets each message that comes to the inbox, with its reply. */
  send(request: ClientRequest, take: (payload: string, reply: string) => void): void {
    this.request("A", request, take);
  }

  private request(
    account: string,
    { subject, payload, headers = "" }: ClientRequest,
    take: (payload: string, reply: string) => void,
  ): void {
    const alive = this.world.servers.filter(({ isAlive }) => isAlive);
    const server = alive[randomInt(this.world.random, alive.length)];
    if (server === undefined) return;
    const inbox = `_INBOX.${++this.inboxes}`;
    server.inboxes.set(inbox, ({ body, headerLength, reply }) =>
      take(Buffer.from(body.subarray(headerLength)).toString("latin1"), reply),
    );
    server.send(account, subject, payload, inbox, headers);
  }
}
