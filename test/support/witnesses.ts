/**
 * Two ordinary clients who exchange numbered messages while somebody else misbehaves. `unharmed` shows that they noticed
 * nothing: no message lost, doubled or out of order, no connection lost, and the server still answers.
 */
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { reaches, RunCounter } from "./cluster-clients.ts";

const BATCH = 20;
let pairs = 0;

export class Witnesses implements AsyncDisposable {
  readonly subject = `witness.run${++pairs}`;
  private readonly from: NatsConnection;
  private readonly to: NatsConnection;
  private readonly run: RunCounter;
  private sent = 0;
  private isTalking = true;
  private talk: Promise<void> = Promise.resolve();

  private constructor(from: NatsConnection, to: NatsConnection) {
    this.from = from;
    this.to = to;
    this.run = new RunCounter(to, this.subject);
  }

  /** On one server, or from one to another. */
  static async watch(fromUrl: string, toUrl = fromUrl, options: object = {}): Promise<Witnesses> {
    const [from, to] = await Promise.all(
      [fromUrl, toUrl].map((servers) => connect({ servers, reconnect: false, ...options })),
    );
    const witnesses = new Witnesses(from!, to!);
    await reaches(from!, to!);
    witnesses.talk = witnesses.talkOn();
    return witnesses;
  }

  /** Resolves once they have exchanged more messages, from now on. */
  async exchangeMore(count = 3 * BATCH): Promise<void> {
    await this.run.received(this.run.count + count);
  }

  get received(): number {
    return this.run.count;
  }

  async unharmed(): Promise<void> {
    this.isTalking = false;
    await this.talk;
    await this.run.received(this.sent);
    await this.to.flush();
    const problems = [
      this.run.firstOutOfOrder === undefined ? "" : `out of order: ${this.run.firstOutOfOrder}`,
      this.run.count === this.sent ? "" : `${this.run.count} of ${this.sent} messages arrived`,
      this.from.isClosed() || this.to.isClosed() ? "cut off" : "",
    ].filter((problem) => problem !== "");
    if (problems.length > 0) throw new Error(`the witnesses were harmed: ${problems.join(", ")}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.isTalking = false;
    await this.talk.catch(() => undefined);
    await Promise.all([this.from.close(), this.to.close()]);
  }

  /** One batch after the other has arrived, never a sleep: as fast as the server lets them, and no faster. */
  private async talkOn(): Promise<void> {
    while (this.isTalking) {
      for (let n = 0; n < BATCH; n++) this.from.publish(this.subject, String(this.sent++));
      await this.run.received(this.sent);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
