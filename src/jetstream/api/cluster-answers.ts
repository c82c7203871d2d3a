/** Answers to requests of a cluster: sent, counted for the account, and told to whoever audits it. */
import { advise } from "../advisories.ts";
import type { AccountHost } from "../host.ts";
import type { JetStream } from "../jetstream.ts";
import type { AnswerFacts } from "./info.ts";
import type { Fields } from "./request.ts";
import { jsonWith, type WrittenPart } from "./written-part.ts";

/** A request that is answered. */
export interface AnsweredRequest {
  readonly account: string;
  readonly subject: string;
  readonly reply: string;
  /** "": it had none, or it is not known here. */
  readonly payload: string;
  /** The client, as the request told of it. */
  readonly client: Fields;
}

interface AnswerForm {
  /** Behind `io.nats.jetstream.api.v1.`, without `_response`. */
  readonly type: string;
  readonly part?: WrittenPart | undefined;
  /** A whole block; absent: none. */
  readonly headers?: string;
}

export class ClusterAnswers {
  private readonly host: AccountHost;
  private readonly jetStream: JetStream;
  private readonly facts: AnswerFacts;

  /** `host`: the system account. */
  constructor(host: AccountHost, jetStream: JetStream, facts: AnswerFacts) {
    this.host = host;
    this.jetStream = jetStream;
    this.facts = facts;
  }

  send(request: AnsweredRequest, fields: Fields, { type, part, headers = "" }: AnswerForm): void {
    const answer = { type: `io.nats.jetstream.api.v1.${type}_response`, ...fields };
    const response = part === undefined ? JSON.stringify(answer) : jsonWith(answer, part);
    const { account, subject, reply, payload, client } = request;
    this.host.send({ subject: reply, reply: "", headers, payload: response });
    const at = this.jetStream.accounts.get(account);
    if (at === undefined) return;
    at.api.counters.total++;
    if (fields["error"] !== undefined) at.api.counters.errors++;
    const asked = payload === "" ? {} : { request: payload };
    const who = Object.keys(client).length === 0 ? {} : { client };
    advise(at.assets.host, "API", "api_audit", () => ({
      server: this.facts.server,
      ...who,
      subject,
      ...asked,
      response,
    }));
  }
}
