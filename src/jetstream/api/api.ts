/**
 * The requests of the JetStream API of one account. Each is answered with one JSON object, whose type belongs to the subject. A
 * request is copied when it arrives and handled in a turn of its own, some in a row: a flood of them leaves others their turn.
 */
import type { Logger } from "../../base/logger.ts";
import { DiskError } from "../../store/disk.ts";
import { advise } from "../advisories.ts";
import { apiErrors, ApiError } from "../api-error.ts";
import type { Assets } from "../assets.ts";
import { payloadOf, type AccountHost, type Incoming } from "../host.ts";
import { MessageHeaders } from "../headers.ts";
import { accountInfo } from "./account-requests.ts";
import { backupRequests } from "./backup-requests.ts";
import { Backups } from "./backups.ts";
import { consumerRequests } from "./consumer-requests.ts";
import { Later, type ApiOperation } from "./request.ts";
import type { AnswerFacts } from "./info.ts";
import { streamRequests } from "./stream-requests.ts";

const PREFIX = "$JS.API.";
/** Requests that are kept until they are handled; more are dropped, as nats-server does. */
const QUEUE_MAX = 10_000;
const PER_TURN = 16;
const NO_HEADERS = new MessageHeaders("");

const OPERATIONS: readonly ApiOperation[] = [
  { subject: "INFO", names: [0, 0], type: "account_info", handle: accountInfo },
  ...streamRequests,
  ...consumerRequests,
  ...backupRequests,
];

interface Queued {
  /** As it was sent, and how much of it stands before the operation. */
  readonly subject: string;
  readonly prefixLength: number;
  readonly reply: string;
  readonly payload: string;
  readonly level: number;
  readonly identity: string;
}

export interface ApiCounters {
  total: number;
  errors: number;
  dropped: number;
}

export class Api {
  readonly counters: ApiCounters = { total: 0, errors: 0, dropped: 0 };
  private readonly assets: Assets;
  private readonly facts: AnswerFacts;
  private readonly host: AccountHost;
  private readonly logger: Logger;
  private readonly backups = new Backups();
  private readonly queue: Queued[] = [];
  private listeners: Disposable[] = [];
  private isDue = false;

  constructor(assets: Assets, facts: AnswerFacts) {
    this.assets = assets;
    this.facts = facts;
    this.host = assets.host;
    this.logger = assets.host.logger;
  }

  start(): void {
    const { facts } = this;
    const prefixes = facts.domain === "" ? [PREFIX] : [PREFIX, `$JS.${facts.domain}.API.`];
    this.listeners = prefixes.flatMap((prefix) =>
      OPERATIONS.map(({ subject, names: [least] }) =>
        this.host.listen(`${prefix}${subject}${least === 0 ? "" : ".>"}`, (message) =>
          this.receive(message, prefix.length),
        ),
      ),
    );
  }

  stop(): void {
    for (const listener of this.listeners) listener[Symbol.dispose]();
    this.backups.stop();
  }

  private receive(message: Incoming, prefixLength: number): void {
    const { subject, reply, headerLength, body } = message;
    if (this.queue.length >= QUEUE_MAX) {
      this.counters.dropped++;
      const { dropped } = this.counters;
      advise(this.host, "API.LIMIT_REACHED", "api_limit_reached", { server: this.facts.server, dropped });
      return;
    }
    const headers = headerLength === 0 ? NO_HEADERS : MessageHeaders.of(body, headerLength);
    const level = Number(headers.get("Nats-Required-Api-Level") ?? 0);
    const identity = headers.get("Nats-Stream-Identity") ?? "";
    const payload = payloadOf(message);
    this.queue.push({ subject, prefixLength, reply, payload, level, identity });
    if (this.isDue) return;
    this.isDue = true;
    this.host.soon(() => this.work());
  }

  private work(): void {
    this.isDue = false;
    for (let i = 0; i < PER_TURN; i++) {
      const request = this.queue.shift();
      if (request === undefined) return;
      this.answer(request);
    }
    if (this.queue.length === 0) return;
    this.isDue = true;
    this.host.soon(() => this.work());
  }

  private answer(queued: Queued): void {
    const { subject, prefixLength, payload, level, identity } = queued;
    const found = find(subject.slice(prefixLength));
    if (found === null) return;
    const { operation, names } = found;
    const type = { type: `io.nats.jetstream.api.v1.${operation.type}_response` };
    try {
      if (!(level <= this.facts.level)) throw apiErrors.requiredApiLevel();
      const request = {
        names,
        payload,
        identity,
        assets: this.assets,
        facts: this.facts,
        backups: this.backups,
      };
      const respond = (fields: Record<string, unknown>): void => {
        const answer = { ...type, ...fields };
        this.respond(queued, answer, operation.headers?.(request, answer) ?? "");
      };
      const result = operation.handle(request);
      if (result instanceof Later) result.begin(respond);
      else respond(result);
    } catch (error) {
      this.counters.errors++;
      this.respond(queued, { ...type, error: this.refusal(error, subject), ...operation.refusal }, "");
    }
  }

  private respond({ subject, reply, payload }: Queued, answer: object, headers: string): void {
    this.counters.total++;
    const response = JSON.stringify(answer);
    if (reply !== "") this.host.send({ subject: reply, reply: "", headers, payload: response });
    const request = payload === "" ? {} : { request: payload };
    advise(this.host, "API", "api_audit", { server: this.facts.server, subject, ...request, response });
  }

  private refusal(error: unknown, subject: string): Record<string, unknown> {
    if (error instanceof DiskError) {
      this.logger.error("a request to JetStream failed on the disk", { subject, error: error.message });
      const { code, errorCode, message } = apiErrors.insufficientStorage();
      return { code, err_code: errorCode, description: message };
    }
    if (!(error instanceof ApiError)) throw error;
    return { code: error.code, err_code: error.errorCode, description: error.message };
  }
}

function find(subject: string): { operation: ApiOperation; names: readonly string[] } | null {
  for (const operation of OPERATIONS) {
    if (subject !== operation.subject && !subject.startsWith(`${operation.subject}.`)) continue;
    const rest = subject.slice(operation.subject.length + 1);
    const names = rest === "" ? [] : rest.split(".");
    const [least, most] = operation.names;
    if (names.length >= least && names.length <= most) return { operation, names };
  }
  return null;
}
