/**
 * The requests of the JetStream API of one account. Each is answered with one JSON object, whose type belongs to the subject. A
 * request is copied when it arrives and handled in a turn of its own, some in a row: a flood of them leaves others their turn. Clients
 * take turns as well, so that one with many requests does not keep the others waiting.
 */
import type { Logger } from "../../base/logger.ts";
import { DiskError } from "../../store/disk.ts";
import { advise } from "../advisories.ts";
import { apiErrors, ApiError } from "../api-error.ts";
import type { Assets } from "../assets.ts";
import { originOf, payloadOf, type AccountHost, type Incoming } from "../host.ts";
import { MessageHeaders } from "../headers.ts";
import { accountInfo } from "./account-requests.ts";
import { backupRequests } from "./backup-requests.ts";
import { Backups } from "./backups.ts";
import type { MessageOrigin } from "../../protocol/message.ts";
import { consumerRequests } from "./consumer-requests.ts";
import { askedBy, COSTS, Later, type ApiOperation } from "./request.ts";
import { jsonWith, type WrittenPart } from "./written-part.ts";
import { RequestQueue } from "./request-queue.ts";
import type { AnswerFacts } from "./info.ts";
import { streamRequests } from "./stream-requests.ts";

const PREFIX = "$JS.API.";
/** What a turn does at most, in costs of operations. */
const PER_TURN = 16;
const NO_HEADERS = new MessageHeaders("");

const OPERATIONS: readonly ApiOperation[] = [
  { subject: "INFO", names: [0, 0], type: "account_info", kind: "information", handle: accountInfo },
  ...streamRequests,
  ...consumerRequests,
  ...backupRequests,
];

interface Queued {
  /** As it was sent. */
  readonly subject: string;
  readonly reply: string;
  readonly payload: string;
  readonly level: number;
  readonly identity: string;
  readonly found: FoundOperation;
  /** The client; null: it came from elsewhere. */
  readonly origin: MessageOrigin | null;
}

export interface FoundOperation {
  readonly operation: ApiOperation;
  readonly names: readonly string[];
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
  private readonly queue = new RequestQueue<Queued>();
  /** Those of the queue that only ask for information. */
  private infos = 0;
  private listeners: Disposable[] = [];
  private isDue = false;

  constructor(assets: Assets, facts: AnswerFacts) {
    this.assets = assets;
    this.facts = facts;
    this.host = assets.host;
    this.logger = assets.host.logger;
  }

  start(): void {
    this.listeners = prefixesOf(this.facts.domain).flatMap((prefix) =>
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
    const found = findOperation(subject.slice(prefixLength));
    const origin = originOf(message);
    if (found === null || !this.hasRoom(found.operation, origin)) return;
    const headers = headerLength === 0 ? NO_HEADERS : MessageHeaders.of(body, headerLength);
    const level = Number(headers.get("Nats-Required-Api-Level") ?? 0);
    const identity = headers.get("Nats-Stream-Identity") ?? "";
    const payload = payloadOf(message);
    this.queue.push(origin, { subject, reply, payload, level, identity, found, origin });
    if (found.operation.kind === "information") this.infos++;
    if (this.isDue) return;
    this.isDue = true;
    this.host.soon(() => this.work());
  }

  /** Whether a request may wait. Where there is no room, the client loses one that has most waiting. */
  private hasRoom({ kind }: ApiOperation, origin: MessageOrigin | null): boolean {
    const { requests, infoRequests } = this.assets.options.serverLimits;
    const isFull =
      kind === "information" ? this.infos >= infoRequests : this.queue.size - this.infos >= requests;
    if (!isFull) return true;
    this.counters.dropped++;
    const { dropped } = this.counters;
    advise(this.host, "API.LIMIT_REACHED", "api_limit_reached", { server: this.facts.server, dropped });
    const lost = this.queue.makeRoomFor(origin);
    if (lost?.found.operation.kind === "information") this.infos--;
    return lost !== undefined;
  }

  private work(): void {
    this.isDue = false;
    for (let cost = 0; cost < PER_TURN;) {
      const request = this.queue.shift();
      if (request === undefined) return;
      const { kind } = request.found.operation;
      if (kind === "information") this.infos--;
      cost += COSTS[kind ?? "change"];
      this.answer(request);
    }
    if (this.queue.size === 0) return;
    this.isDue = true;
    this.host.soon(() => this.work());
  }

  private answer(queued: Queued): void {
    const { payload, level, identity } = queued;
    const { operation, names } = queued.found;
    try {
      if (!(level <= this.facts.level)) throw apiErrors.requiredApiLevel();
      const request = {
        names,
        payload,
        identity,
        assets: this.assets,
        facts: this.facts,
        backups: this.backups,
        origin: queued.origin,
      };
      const respond = (fields: Record<string, unknown>, part?: WrittenPart): void => {
        const answer = { type: typeOf(operation), ...fields };
        const response = part === undefined ? JSON.stringify(answer) : jsonWith(answer, part);
        this.respond(queued, response, operation.headers?.(request, answer) ?? "");
      };
      const result = operation.handle(request);
      if (result instanceof Later) result.begin(respond, (error) => this.refuse(queued, error));
      else respond(result);
    } catch (error) {
      this.refuse(queued, error);
    }
  }

  private refuse(queued: Queued, error: unknown): void {
    const { operation } = queued.found;
    this.counters.errors++;
    const refused = { type: typeOf(operation), error: refusalOf(error, queued.subject, this.logger) };
    this.respond(queued, JSON.stringify({ ...refused, ...operation.refusal }), "");
  }

  private respond({ subject, reply, payload, origin }: Queued, response: string, headers: string): void {
    this.counters.total++;
    if (reply !== "") this.host.send({ subject: reply, reply: "", headers, payload: response });
    const request = payload === "" ? {} : { request: payload };
    const about = { subject, ...request, response };
    advise(this.host, "API", "api_audit", () => ({
      server: this.facts.server,
      ...askedBy(origin),
      ...about,
    }));
  }
}

/** What stands before an operation in the subject of a request. */
export function prefixesOf(domain: string): readonly string[] {
  return domain === "" ? [PREFIX] : [PREFIX, `$JS.${domain}.API.`];
}

export function typeOf({ type }: ApiOperation): string {
  return `io.nats.jetstream.api.v1.${type}_response`;
}

/** As an answer shows it. Throws what is neither the client's fault nor the disk's. */
export function refusalOf(error: unknown, subject: string, logger: Logger): Record<string, unknown> {
  if (error instanceof DiskError) {
    logger.error("a request to JetStream failed on the disk", { subject, error: error.message });
    const { code, errorCode, message } = apiErrors.insufficientStorage();
    return { code, err_code: errorCode, description: message };
  }
  if (!(error instanceof ApiError)) throw error;
  return { code: error.code, err_code: error.errorCode, description: error.message };
}

/** null: there is no such operation. `subject`: behind the prefix. */
export function findOperation(subject: string): FoundOperation | null {
  for (const operation of OPERATIONS) {
    if (subject !== operation.subject && !subject.startsWith(`${operation.subject}.`)) continue;
    const rest = subject.slice(operation.subject.length + 1);
    const names = rest === "" ? [] : rest.split(".");
    const [least, most] = operation.names;
    if (names.length >= least && names.length <= most) return { operation, names };
  }
  return null;
}
