/** A client's messages that are traced, and the client as traces name it. */
import { noteDenied } from "../../core/rare-delivery.ts";
import type { TracedReceiver } from "../../core/subscription.ts";
import { mayAskForTrace, withoutTrace, type TraceSource } from "../../core/tracing.ts";
import * as errors from "../../protocol/errors.ts";
import { TRACE_ERRORS, TRACED_KIND } from "../../protocol/message-trace.ts";
import type { Message } from "../../protocol/message.ts";
import type { Client } from "./client.ts";

export function tracedClient({ cid, hello, account, isOpen }: Client): TracedReceiver {
  return { kind: TRACED_KIND.client, id: cid, name: hello.name, account: account.name, isOpen };
}

/** Takes a message whose headers may ask for a trace. Returns whether to read on. */
export function publishTraced(session: Client, message: Message): boolean {
  const { account } = session;
  if (!session.hello.headers) return session.take(message);
  const { tracing } = session.host.accounts;
  session.host.turn.work.headersRead(message.headerLength);
  const verdict = tracing.judge(message, sourceOf(session));
  switch (verdict.kind) {
    case "untraced":
      return session.take(message);
    case "dropped":
      return verdict.denied === null || session.onPeerError(errors.publishViolation(verdict.denied), "");
    case "disabled": {
      let goesOn = true;
      withoutTrace(message, (untraced) => (goesOn = session.take(untraced)));
      return goesOn;
    }
    case "traced":
      break;
  }
  const { trace } = verdict;
  message.trace = trace;
  try {
    return session.take(message) && session.isOpen;
  } finally {
    message.trace = null;
    noteDenied(account, trace);
    tracing.send(account, trace);
  }
}

/** The message is larger than may be: its trace says so, if all its headers have come. */
export function traceTooLarge(session: Client, message: Message): void {
  if (!session.hello.headers || !mayAskForTrace(message, session.account)) return;
  const { tracing } = session.host.accounts;
  const verdict = tracing.judge(message, sourceOf(session));
  if (verdict.kind !== "traced") return;
  verdict.trace.fail(TRACE_ERRORS.tooLarge);
  tracing.send(session.account, verdict.trace);
}

function sourceOf(session: Client): TraceSource {
  return {
    connection: tracedClient(session),
    account: session.account,
    mayPublishTo: (subject) => session.rights?.permissions.mayPublishTo(subject) ?? true,
    logError: (text) => session.log.error(text),
  };
}
