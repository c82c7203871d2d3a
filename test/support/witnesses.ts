// Two ordinary clients who exchange numbered messages while somebody else misbehaves. `unharmed` shows that they noticed
// nothing: no message lost, doubled or out of order, no connection lost, and the server still answers.
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { expect } from "vitest";
import { RunCounter } from "./cluster-clients.ts";

const batch = 20;

export class Witnesses implements AsyncDisposable {
  readonly #from: NatsConnection;
  readonly #to: NatsConnection;
  readonly #run: RunCounter;
  #sent = 0;
  #isTalking = true;
  readonly #talk: Promise<void>;

  private constructor(from: NatsConnection, to: NatsConnection) {
    this.#from = from;
    this.#to = to;
    this.#run = new RunCounter(to, "witness.run");
    this.#talk = this.#talkOn();
  }

  /** On one server, or from one to another. */
  static async watch(fromUrl: string, toUrl = fromUrl, options: object = {}): Promise<Witnesses> {
    const [from, to] = await Promise.all(
      [fromUrl, toUrl].map((servers) => connect({ servers, reconnect: false, ...options })),
    );
    return new Witnesses(from!, to!);
  }

  /** Resolves once they have exchanged more messages, from now on. */
  async exchangeMore(count = 3 * batch): Promise<void> {
    await this.#run.received(this.#run.count + count);
  }

  get received(): number {
    return this.#run.count;
  }

  async unharmed(): Promise<void> {
    this.#isTalking = false;
    await this.#talk;
    await this.#run.received(this.#sent);
    await this.#to.flush();
    expect(this.#run.firstOutOfOrder, "order of the witnesses' messages").toBeUndefined();
    expect(this.#run.count, "messages of the witnesses").toBe(this.#sent);
    expect([this.#from.isClosed(), this.#to.isClosed()], "witnesses cut off").toEqual([false, false]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isTalking = false;
    await this.#talk.catch(() => undefined);
    await Promise.all([this.#from.close(), this.#to.close()]);
  }

  /** One batch after the other has arrived, never a sleep: as fast as the server lets them, and no faster. */
  async #talkOn(): Promise<void> {
    await this.#to.flush();
    while (this.#isTalking) {
      for (let n = 0; n < batch; n++) this.#from.publish("witness.run", String(this.#sent++));
      await this.#run.received(this.#sent);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
