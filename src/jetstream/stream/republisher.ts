/**
 * Publishes stored messages again, under another subject, once they are as durable as the policy says. Bounded by what is stored
 * and not committed yet.
 */
import type { Transform } from "../../subject/transform.ts";
import { isValidLiteralSubject } from "../../subject/subject.ts";
import { withHeader } from "../header-edits.ts";
import type { AccountHost, Outgoing } from "../host.ts";
import { formatTime } from "../time.ts";
import { isReserved, transformOf, type StreamConfig } from "./config.ts";
import type { Operation } from "./judge.ts";

const EMPTY = new Uint8Array(0);

export class Republisher {
  private readonly host: AccountHost;
  private transform: Transform | null = null;
  private stream = "";
  private headersOnly = false;
  private waiting: { readonly sequence: number; readonly message: Outgoing }[] = [];

  constructor(host: AccountHost, config: StreamConfig) {
    this.host = host;
    this.configure(config);
  }

  configure({ republish, name }: StreamConfig): void {
    this.stream = name;
    this.transform = transformOf(republish);
    this.headersOnly = republish?.headersOnly === true;
  }

  get isOn(): boolean {
    return this.transform !== null;
  }

  /** `before`: the last sequence that the subject had; 0: none. */
  stored({ subject, headerLength, body, timeNs }: Operation, sequence: number, before: number): void {
    const to = this.transform?.match(subject, this.host.random) ?? null;
    if (to === null || !isValidLiteralSubject(to) || isReserved(to)) return;
    const own = Buffer.from(body.buffer, body.byteOffset, headerLength).toString("latin1");
    const added: readonly (readonly [string, string | number])[] = [
      ["Nats-Stream", this.stream],
      ["Nats-Subject", subject],
      ["Nats-Sequence", sequence],
      ["Nats-Time-Stamp", formatTime(timeNs)],
      ["Nats-Last-Sequence", before],
      ...(this.headersOnly ? ([["Nats-Msg-Size", body.length - headerLength]] as const) : []),
    ];
    const headers = added.reduce((block, [name, value]) => withHeader(block, name, String(value)), own);
    const payload = this.headersOnly ? EMPTY : Buffer.from(body.subarray(headerLength));
    this.waiting.push({ sequence, message: { subject: to, reply: "", headers, payload } });
  }

  committed(sequence: number): void {
    if (this.waiting.length === 0) return;
    const ready = this.waiting.filter((one) => one.sequence <= sequence);
    this.waiting = this.waiting.slice(ready.length);
    for (const { message } of ready) this.host.send(message);
  }
}
