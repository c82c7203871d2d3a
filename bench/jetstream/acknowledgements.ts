/** Acknowledgements that are written together, as bytes: no text is made of one. */
import type { WireClient } from "./client.ts";

const VERB = Buffer.from("PUB ");
const END = Buffer.from(" 0\r\n\r\n");
const START_BYTES = 64 * 1024;

export class Acknowledgements {
  private memory = Buffer.alloc(START_BYTES);
  private length = 0;
  private readonly client: WireClient;

  constructor(client: WireClient) {
    this.client = client;
  }

  /** Acknowledges the message that the client hands over. */
  add(all: Buffer): void {
    const { replyFrom, replyTo } = this.client;
    const needed = this.length + VERB.length + replyTo - replyFrom + END.length;
    if (needed > this.memory.length) this.grow(needed);
    const { memory } = this;
    let at = this.length;
    for (let i = 0; i < VERB.length; i++) memory[at++] = VERB[i]!;
    for (let i = replyFrom; i < replyTo; i++) memory[at++] = all[i]!;
    for (let i = 0; i < END.length; i++) memory[at++] = END[i]!;
    this.length = at;
  }

  /** Writes them, and this behind them. */
  write(text: string): void {
    const behind = Buffer.from(text, "latin1");
    const all = Buffer.concat([this.memory.subarray(0, this.length), behind]);
    this.length = 0;
    if (all.length > 0) this.client.write(all);
  }

  private grow(needed: number): void {
    const grown = Buffer.alloc(2 * needed);
    this.memory.copy(grown, 0, 0, this.length);
    this.memory = grown;
  }
}
