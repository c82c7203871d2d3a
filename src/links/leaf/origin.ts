/**
 * How other accounts see a leaf node whose requests they serve. This replaces what the leaf node says about the requester, because a peer
 * speaks only for the account of its connection.
 */
import type { Account } from "../../core/account.ts";
import type { MessageOrigin } from "../../protocol/message.ts";
import { requesterFields } from "../../protocol/json/request-info.ts";
import type { JoiningLeaf } from "./joining.ts";

export class LeafOrigin implements MessageOrigin {
  private readonly session: JoiningLeaf;

  constructor(session: JoiningLeaf) {
    this.session = session;
  }

  get account(): Account {
    const { account, host } = this.session;
    return account ?? host.accounts.global;
  }

  get roundTripMs(): number {
    return this.session.heartbeat.roundTripMs;
  }

  details(): Readonly<Record<string, unknown>> {
    const { wire, id: cid, startedMs, user, peer } = this.session;
    const { name, version } = peer;
    const { address } = wire.remote;
    return requesterFields({ cid, address, startedMs, user, name, lang: "", version, kind: "Leafnode" });
  }

  serverDetails(): Readonly<Record<string, unknown>> {
    const { serverName: server, cluster } = this.session.host.facts();
    return { server, ...(cluster === "" ? {} : { cluster }) };
  }
}
