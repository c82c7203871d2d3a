/**
 * How a stream tells publishers that it has their messages: `{"stream":"S","seq":1}`, and the domain, if there is one. Written straight
 * to where the answer goes.
 */
import { copyIn, digitsOf, writeNumber, writeText } from "../../slab/memory.ts";
import { errorJson, type ApiError } from "../api-error.ts";
import type { AccountHost } from "../host.ts";
import { textOf, type Confirmation } from "./held-answers.ts";

/** How a confirmation ends. */
const CONFIRMED = "}";

/** What a publisher is told whose message is refused. */
export function refusalOf(stream: string, error: ApiError): string {
  return `{"error":${errorJson(error)},"stream":${JSON.stringify(stream)},"seq":0}`;
}

export class Confirmations {
  private readonly host: AccountHost;
  /** How one begins. */
  private readonly start: string;
  private readonly startBytes: Buffer;
  private readonly startWords: DataView;

  constructor(stream: string, host: AccountHost) {
    this.host = host;
    const domain = host.domain === "" ? "" : `"domain":${JSON.stringify(host.domain)},`;
    this.start = `{"stream":${JSON.stringify(stream)},${domain}"seq":`;
    const bytes = Buffer.from(this.start, "latin1");
    this.startBytes = bytes;
    this.startWords = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** The beginning of one that says more. */
  head(sequence: number): string {
    return `${this.start}${sequence}`;
  }

  send(confirmation: Confirmation): void {
    const { host, start: before, startBytes, startWords } = this;
    const { sequence: number } = confirmation;
    const size = before.length + digitsOf(number) + CONFIRMED.length;
    const at = host.answers.begin(confirmation, size);
    if (at === 0) {
      host.sendNumbered({ subject: textOf(confirmation), before, number, after: CONFIRMED });
      return;
    }
    const to = writeNumber(copyIn(at, startBytes, startWords, 0, startBytes.length), number);
    host.answers.end(writeText(writeText(to, CONFIRMED), "\r\n"), size);
  }
}
