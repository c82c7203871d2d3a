/** Messages that a stream stores though nobody published them: what schedules make, and markers of deleted subjects. */
import { ApiError } from "../api-error.ts";
import type { AccountHost, Incoming } from "../host.ts";
import type { StreamConfig } from "./config.ts";

interface OwnStream {
  readonly config: Pick<StreamConfig, "name">;
  readonly host: AccountHost;
  takeOver(message: Incoming, place: null): boolean;
}

/** False: it was refused. */
export function storeOwn(
  stream: OwnStream,
  message: { readonly subject: string; readonly headers: string; readonly payload: Uint8Array },
): boolean {
  const { subject, headers, payload } = message;
  const body = Buffer.concat([Buffer.from(headers, "latin1"), payload]);
  try {
    stream.takeOver({ subject, reply: "", headerLength: headers.length, body }, null);
    return true;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const where = { stream: stream.config.name, subject, error: error.message };
    stream.host.logger.warn("a message of the stream's own cannot be stored", where);
    return false;
  }
}
