/** Messages of other servers that are traced, and a route as traces name it. */
import type { Account } from "../../core/account.ts";
import { noteDenied } from "../../core/rare-delivery.ts";
import type { TracedNeighbour } from "../../core/subscription.ts";
import { withoutTrace } from "../../core/tracing.ts";
import { TRACED_KIND } from "../../protocol/message-trace.ts";
import type { Message } from "../../protocol/message.ts";
import { permits } from "./permissions.ts";
import type { Logger } from "../../base/logger.ts";
import type { RouteHost } from "./host.ts";
import type { RoutePeer } from "./peer.ts";

/** From this version of the route protocol on a server traces. */
const TRACING_PROTOCOL = 3;

interface NamedRoute {
  readonly rid: number;
  readonly peer: Readonly<RoutePeer>;
  /** null: it is not registered. */
  readonly registration: { readonly peerName: string } | null;
}

interface TracingRoute extends NamedRoute {
  readonly host: RouteHost;
  readonly log: Logger;
  take(account: Account, message: Message, queues: readonly string[]): boolean;
}

export function tracedRoute({ rid, registration, peer }: NamedRoute): TracedNeighbour {
  const supportsTraces = Number(peer.info?.["proto"] ?? 0) >= TRACING_PROTOCOL;
  return { kind: TRACED_KIND.route, id: rid, name: registration?.peerName ?? "", supportsTraces };
}

/** Takes a message whose headers may ask for a trace. Returns whether to read on. */
export function publishRoutedTraced(
  session: TracingRoute,
  account: Account,
  message: Message,
  queues: readonly string[],
): boolean {
  const { host, log } = session;
  const { tracing } = host.accounts;
  const source = {
    connection: tracedRoute(session),
    account,
    mayPublishTo: (subject: string) => permits(host.permissions.import, subject),
    logError: (text: string) => log.error(text),
  };
  session.host.turn.work.headersRead(message.headerLength);
  const verdict = tracing.judge(message, source);
  switch (verdict.kind) {
    case "untraced":
      return session.take(account, message, queues);
    case "dropped":
      if (verdict.denied !== null) log.error(`Publish Violation - Subject "${verdict.denied}"`);
      return true;
    case "disabled": {
      let goesOn = true;
      withoutTrace(message, (untraced) => (goesOn = session.take(account, untraced, queues)));
      return goesOn;
    }
    case "traced":
      break;
  }
  const { trace } = verdict;
  message.trace = trace;
  try {
    return session.take(account, message, queues);
  } finally {
    message.trace = null;
    noteDenied(account, trace);
    tracing.send(account, trace);
  }
}
