/** The ears of JetStream in an account: receives messages without copying them. */
import { halfChanged } from "../base/assert.ts";
import type { Account } from "../core/account.ts";
import { Subscription, type Subscriber } from "../core/subscription.ts";
import type { Incoming } from "../jetstream/host.ts";
import { Message } from "../protocol/message.ts";
import { shownSubject } from "../protocol/shown-subject.ts";
import { KnownTexts } from "../slab/known-texts.ts";
import { isText, readText, slice } from "../slab/memory.ts";

const NO_MESSAGE = new Message();
/** The payload of most acknowledgements. */
const ACK = "+ACK";

/** Receives messages of an account without copying them. */
class Ear implements Subscriber {
  private readonly heard = new Heard();
  private readonly receive: (message: Incoming) => void;

  constructor(receive: (message: Incoming) => void) {
    this.receive = receive;
  }

  deliver(_subscription: Subscription, message: Message): boolean {
    const { heard } = this;
    heard.begin(message);
    try {
      this.receive(heard);
    } catch (error) {
      throw halfChanged(error); // of a stream or a consumer, which connections share
    }
    heard.end();
    return true;
  }
}

/** The messages that one listener receives, one after the other. Texts and views are made on demand. */
class Heard implements Incoming {
  headerLength = 0;
  message: Message = NO_MESSAGE;
  private knownSubject: string | null = null;
  private knownReply: string | null = null;
  private knownBody: Uint8Array | null = null;
  private readonly subjects = new KnownTexts();

  begin(message: Message): void {
    this.message = message;
    this.headerLength = message.headerLength;
    this.knownSubject = this.knownReply = this.knownBody = null;
  }

  end(): void {
    this.message = NO_MESSAGE;
    this.knownBody = null;
  }

  get subject(): string {
    return (this.knownSubject ??= this.readSubject());
  }

  get reply(): string {
    const { at, replyFrom, replyLength } = this.message;
    return (this.knownReply ??= replyLength === 0 ? "" : readText(at + replyFrom, replyLength));
  }

  get body(): Uint8Array {
    const { at, payloadFrom, size, body } = this.message;
    return (this.knownBody ??= body === null ? slice(at + payloadFrom, size) : body.subarray(0, size));
  }

  get payload(): string {
    const { at, payloadFrom, size, body } = this.message;
    const length = size - this.headerLength;
    if (length === 0) return "";
    if (body !== null) return Buffer.from(body).toString("latin1", this.headerLength, size);
    const from = at + payloadFrom + this.headerLength;
    return length === ACK.length && isText(from, ACK) ? ACK : readText(from, length);
  }

  /** The one that it is shown under, if that is another one than it was sent to: as clients would see it. */
  private readSubject(): string {
    const { message } = this;
    if (message.shownLength > 0) return shownSubject(message);
    return this.subjects.find(message.at + message.subjectFrom, message.subjectLength, message.subjectHash);
  }
}

/** `queue`: null for none. */
export function listenTo(
  account: Account,
  subject: string,
  receive: (message: Incoming) => void,
  queue: string | null,
): Disposable {
  const subscription = new Subscription(new Ear(receive), subject, queue, "0");
  account.subscribe(subscription);
  return { [Symbol.dispose]: () => account.unsubscribe(subscription) };
}
