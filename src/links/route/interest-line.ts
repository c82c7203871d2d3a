/**
 * Interest on the wire between servers of a cluster: `RS+ account subject [queue weight]` and `RS- account subject [queue]`, and that of
 * leaf nodes with the name of their cluster in front: `LS+ origin account subject [queue weight]`. On the route of a pinned account the
 * account is left out. Names of accounts are UTF-8 there and text here, those of clusters and subjects are byte strings.
 */
import type { InterestChange } from "../../core/local-interest.ts";
import { fromByteString, toByteString } from "../../protocol/info.ts";
import { parseSize } from "../../protocol/scanner.ts";
import type { ToldInterest } from "./remote-interest.ts";

const PARSERS = {
  "RS+": "processRemoteSub",
  "LS+": "processRemoteSub",
  "RS-": "processRemoteUnsub",
  "LS-": "processRemoteUnsub",
};

/** `pinned`: the account that the route is for, or null. A text: the arguments make no sense, in nats-server's words. */
export function readInterest(
  args: readonly string[],
  pinned: string | null,
  operation: keyof typeof PARSERS,
): ToldInterest | string {
  const isOfLeaf = operation === "LS+" || operation === "LS-";
  const leafCluster = isOfLeaf ? args[0] : "";
  const from = isOfLeaf ? 1 : 0;
  const named = pinned === null ? from + 1 : from;
  const account = pinned ?? (args[from] === undefined ? undefined : fromByteString(args[from]));
  const [subject, queue, weight] = [args[named], args[named + 1], args[named + 2]];
  const begins = operation === "RS+" || operation === "LS+";
  const isWhole = !begins || args.length - named === (queue === undefined ? 1 : 3);
  if (leafCluster === undefined || account === undefined || subject === undefined || !isWhole)
    return `${PARSERS[operation]} Parse Error: ${JSON.stringify(args.join(" "))}`;
  const members = Math.max(1, parseSize(weight ?? ""));
  return { account, subject, queue: queue ?? null, weight: members, leafCluster };
}

/** `account`: null on the route of a pinned one. */
export function interestLine(account: string | null, change: InterestChange): string {
  return `RS${lineBehind(account, change)}`;
}

/** The same for interest of leaf nodes of a cluster. */
export function leafInterestLine(
  account: string | null,
  change: InterestChange,
  leafCluster: string,
): string {
  const line = lineBehind(account, change);
  return `LS${line[0]} ${leafCluster}${line.slice(1)}`;
}

function lineBehind(account: string | null, { subject, queue, count }: InterestChange): string {
  const named = account === null ? subject : `${toByteString(account)} ${subject}`;
  const group = queue === null ? "" : ` ${queue}`;
  if (count === 0) return `- ${named}${group}\r\n`;
  return `+ ${named}${queue === null ? "" : `${group} ${count}`}\r\n`;
}
