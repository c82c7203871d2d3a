/** What other accounts are told of a client whose requests they serve; more than its account only where that is shared with them. */
import type { Account } from "../../core/account.ts";
import type { Message, MessageOrigin } from "../../protocol/message.ts";
import type { ClientHost } from "./host.ts";
import type { Client } from "./client.ts";
import { requesterFields } from "../../protocol/json/request-info.ts";

export class ClientOrigin implements MessageOrigin {
  readonly session: Client;
  private readonly host: ClientHost;

  constructor(session: Client, host: ClientHost) {
    this.session = session;
    this.host = host;
  }

  get account(): Account {
    return this.session.account;
  }

  get roundTripMs(): number {
    return this.session.heartbeat.roundTripMs;
  }

  details(): Readonly<Record<string, unknown>> {
    const { hello, wire, cid, startedMs, user } = this.session;
    const { name, lang, version } = hello;
    return requesterFields({ cid, address: wire.remote.address, startedMs, user, name, lang, version });
  }

  serverDetails(): Readonly<Record<string, unknown>> {
    return this.host.serverDetails();
  }
}

/** null: not a client of this server. */
export function clientOf(origin: MessageOrigin | null): Client | null {
  return origin instanceof ClientOrigin ? origin.session : null;
}

/** And not from another server. */
export function isFromClient({ origin }: Message): boolean {
  return origin instanceof ClientOrigin;
}
