/**
 * Messages between the servers of a cluster about JetStream, on subjects of the system account, as nats-server sends them. They are
 * handled at the end of the turn in which they came, in order: whoever receives one may send.
 *
 * Bounded by what comes in one turn.
 */
import { payloadBytes, type AccountHost } from "../host.ts";
import type { GroupTransport } from "./group.ts";

interface Received {
  readonly receive: (subject: string, reply: string, payload: Uint8Array) => void;
  readonly subject: string;
  readonly reply: string;
  readonly payload: Uint8Array;
  readonly ear: { isOpen: boolean };
}

export class SystemTransport implements GroupTransport {
  private readonly host: AccountHost;
  private received: Received[] = [];
  private isDue = false;

  constructor(host: AccountHost) {
    this.host = host;
  }

  send(subject: string, reply: string, payload: Uint8Array): void {
    this.host.send({ subject, reply, headers: "", payload });
  }

  listen(
    subject: string,
    receive: (subject: string, reply: string, payload: Uint8Array) => void,
  ): Disposable {
    const ear = { isOpen: true };
    const listener = this.host.listen(subject, (message) => {
      const payload = payloadBytes(message);
      this.received.push({ receive, subject: message.subject, reply: message.reply, payload, ear });
      this.work();
    });
    return {
      [Symbol.dispose]() {
        ear.isOpen = false;
        listener[Symbol.dispose]();
      },
    };
  }

  private work(): void {
    if (this.isDue) return;
    this.isDue = true;
    this.host.afterwards(() => {
      this.isDue = false;
      const { received } = this;
      this.received = [];
      for (const { ear, receive, subject, reply, payload } of received)
        if (ear.isOpen) receive(subject, reply, payload);
    });
  }
}
