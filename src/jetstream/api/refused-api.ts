/**
 * The JetStream API of an account that has no JetStream, on a server that has it: every request is refused by the server that the client is
 * connected to. Where leaf nodes belong to the account nobody is refused, since JetStream may be behind them.
 *
 * Bounded: QUEUED_MAX requests wait, and PER_TURN are refused in a turn. Clients take turns.
 */
import type { Logger } from "../../base/logger.ts";
import type { MessageOrigin } from "../../protocol/message.ts";
import { advise } from "../advisories.ts";
import { apiErrors } from "../api-error.ts";
import type { AccountHost } from "../host.ts";
import { refusalOf, typeOf } from "./api.ts";
import { askedBy, notClustered, type ApiOperation } from "./request.ts";
import { RequestQueue } from "./request-queue.ts";

const QUEUED_MAX = 10_000;
const PER_TURN = 64;

export interface RefusedRequest {
  readonly subject: string;
  /** null: it is one for the system account, which asks for anything. */
  readonly operation: ApiOperation | null;
  readonly reply: string;
  /** A byte string. */
  readonly payload: string;
  /** The client; null: it came from elsewhere. */
  readonly origin: MessageOrigin | null;
}

export interface RefusedApiOptions {
  readonly host: AccountHost;
  readonly serverName: string;
  readonly logger: Logger;
  readonly hasLeafNodes: () => boolean;
}

export class RefusedApi {
  private readonly options: RefusedApiOptions;
  private readonly queue = new RequestQueue<RefusedRequest>();
  private isDue = false;

  constructor(options: RefusedApiOptions) {
    this.options = options;
  }

  receive(request: RefusedRequest): void {
    const { queue } = this;
    if (this.options.hasLeafNodes()) return;
    if (queue.size >= QUEUED_MAX && queue.makeRoomFor(request.origin) === undefined) return;
    queue.push(request.origin, request);
    this.workSoon();
  }

  private workSoon(): void {
    if (this.isDue) return;
    this.isDue = true;
    this.options.host.soon(() => this.work());
  }

  private work(): void {
    this.isDue = false;
    for (let i = 0; i < PER_TURN; i++) {
      const request = this.queue.shift();
      if (request === undefined) return;
      this.refuse(request);
    }
    if (this.queue.size > 0) this.workSoon();
  }

  private refuse({ subject, operation, reply, payload, origin }: RefusedRequest): void {
    const { host, serverName, logger } = this.options;
    // What needs a cluster is refused for that first, as by nats-server.
    const reason = operation?.handle === notClustered ? apiErrors.notClustered() : apiErrors.notForAccount();
    const type = operation === null ? SYSTEM_RESPONSE : typeOf(operation);
    const error = refusalOf(reason, subject, logger);
    const response = JSON.stringify({ type, error, ...operation?.refusal });
    if (reply !== "") host.send({ subject: reply, reply: "", headers: "", payload: response });
    const request = payload === "" ? {} : { request: payload };
    advise(host, "API", "api_audit", () => ({
      server: serverName,
      ...askedBy(origin),
      subject,
      ...request,
      response,
    }));
  }
}

const SYSTEM_RESPONSE = "io.nats.jetstream.api.v1.system_response";
