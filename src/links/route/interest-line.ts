/**
 * Interest on the wire between servers: `RS+ account subject [queue weight]` and `RS- account subject [queue]`. On the route of a
 * pinned account the account is left out. Names of accounts are UTF-8 there and text here, subjects are byte strings.
 */
import type { InterestChange } from "../../core/local-interest.ts";
import { fromByteString, toByteString } from "../../protocol/info.ts";
import { parseSize } from "../../protocol/scanner.ts";

interface ToldInterest {
  readonly account: string;
  readonly subject: string;
  /** null: plain. */
  readonly queue: string | null;
  /** Members of the queue group; 1 where that makes no sense. */
  readonly weight: number;
}

/** `pinned`: the account that the route is for, or null. A text: the arguments make no sense, in nats-server's words. */
export function readInterest(
  args: readonly string[],
  pinned: string | null,
  operation: "RS+" | "RS-",
): ToldInterest | string {
  const named = pinned === null ? 1 : 0;
  const account = pinned ?? (args[0] === undefined ? undefined : fromByteString(args[0]));
  const [subject, queue, weight] = [args[named], args[named + 1], args[named + 2]];
  const isWhole = operation === "RS-" || args.length - named === (queue === undefined ? 1 : 3);
  if (account === undefined || subject === undefined || !isWhole) {
    const name = operation === "RS+" ? "processRemoteSub" : "processRemoteUnsub";
    return `${name} Parse Error: ${JSON.stringify(args.join(" "))}`;
  }
  return { account, subject, queue: queue ?? null, weight: Math.max(1, parseSize(weight ?? "")) };
}

/** `account`: null on the route of a pinned one. */
export function interestLine(account: string | null, { subject, queue, count }: InterestChange): string {
  const named = account === null ? subject : `${toByteString(account)} ${subject}`;
  const group = queue === null ? "" : ` ${queue}`;
  if (count === 0) return `RS- ${named}${group}\r\n`;
  return `RS+ ${named}${queue === null ? "" : `${group} ${count}`}\r\n`;
}
