/**
 * The requests of clients in a cluster. Each reaches every server, in the system account, and one answers: the leader of the meta group
 * what is asked about all, the leader of a stream or a consumer what is asked about that. Others keep silent, as nats-servers do.
 *
 * Bounded: QUEUED_MAX requests wait for the meta group, and as many answers for a leader; an answer waits for ANSWER_MS at most.
 */
import { apiErrors } from "../api-error.ts";
import type { Assets } from "../assets.ts";
import type { ClusterAssets } from "../cluster-assets.ts";
import type { GroupTransport } from "../group/group.ts";
import { payloadOf, type AccountHost, type Incoming } from "../host.ts";
import { MessageHeaders } from "../headers.ts";
import type { JetStream } from "../jetstream.ts";
import { accountOf, encodeConsumer, type AssignmentChange } from "../meta/assignments.ts";
import type { KnownServers } from "../meta/known-servers.ts";
import type { MetaGroup } from "../meta/meta-group.ts";
import { findOperation, refusalOf } from "./api.ts";
import { Backups } from "./backups.ts";
import { ClusterLists } from "./cluster-lists.ts";
import type { ClusterRequest } from "./cluster-request.ts";
import { META_REQUESTS } from "./cluster-requests.ts";
import { ownedRequests, type OwnedHost } from "./cluster-owned.ts";
import { infoWhenCounted } from "./consumer-requests.ts";
import { clusterInfo, streamInfo, type AnswerFacts } from "./info.ts";
import { Later, type ApiOperation, type Fields } from "./request.ts";

const PREFIX = "$JS.API.";
const QUEUED_MAX = 10_000;
const ANSWER_MS = 10_000;
const REQUEST_INFO = "Nats-Request-Info";
/** What clusters alone have, beside what every server answers. */
const OF_CLUSTERS: readonly ApiOperation[] = [
  { subject: "META.LEADER.STEPDOWN", names: [0, 0], type: "meta_leader_stepdown", handle: unasked },
  { subject: "SERVER.REMOVE", names: [0, 0], type: "meta_server_remove", handle: unasked },
];

export interface ClusterApiOptions {
  readonly self: string;
  /** The system account. */
  readonly host: AccountHost;
  readonly transport: GroupTransport;
  readonly jetStream: JetStream;
  readonly meta: MetaGroup;
  readonly assets: ClusterAssets;
  readonly servers: KnownServers;
  readonly clusterName: () => string;
  readonly nameOf: (peer: string) => string;
}

interface AwaitedAnswer {
  readonly reply: string;
  readonly type: string;
  readonly untilMs: number;
}

export class ClusterApi {
  private readonly options: ClusterApiOptions;
  private readonly facts: AnswerFacts;
  private readonly lists: ClusterLists;
  private readonly backups = new Backups();
  private readonly ears: Disposable[] = [];
  private received: ClusterRequest[] = [];
  /** By account, stream and consumer. */
  private readonly awaited = new Map<string, AwaitedAnswer[]>();
  private isDue = false;

  constructor(options: ClusterApiOptions) {
    this.options = options;
    this.facts = options.jetStream.options.facts;
    this.lists = new ClusterLists({ ...options, facts: this.facts });
  }

  start(): void {
    this.ears.push(this.options.host.listen(`${PREFIX}>`, (message) => this.receive(message)));
    this.lists.start();
  }

  stop(): void {
    for (const ear of this.ears) ear[Symbol.dispose]();
    this.lists.stop();
    this.backups.stop();
  }

  /** Nobody uses a consumer of this server any more. */
  forget(account: string, stream: string, name: string): void {
    const { meta } = this.options;
    const found = meta.assignments.stream(account, stream)?.consumers.get(name);
    if (found !== undefined)
      meta.forward(encodeConsumer({ ...found, client: {}, subject: "", reply: "" }, "remove"));
  }

  /** Something was agreed on, and this server has followed. */
  changed({ kind, account, stream, consumer, asked, isUpdate }: AssignmentChange): void {
    const { assets, meta } = this.options;
    if (asked.reply === "") return;
    const what = consumer === "" ? "stream" : "consumer";
    if (kind === "removed") {
      if (meta.leads) this.respond(asked.reply, `${what}_delete`, { success: true });
      return;
    }
    if (assets.standing(account, stream, consumer) === "") return;
    const type = `${what}_${isUpdate && consumer === "" && asked.subject.includes("UPDATE") ? "update" : "create"}`;
    const untilMs = this.options.host.clock.nowMs() + ANSWER_MS;
    const key = keyOf(account, stream, consumer);
    this.awaited.set(key, [...(this.awaited.get(key) ?? []), { reply: asked.reply, type, untilMs }]);
    if (this.awaited.size > QUEUED_MAX) this.awaited.delete(this.awaited.keys().next().value!);
    this.leadershipChanged(account, stream, consumer);
  }

  /** Something may lead here now: then it answers whoever asked for it. */
  leadershipChanged(account: string, stream: string, consumer: string): void {
    const key = keyOf(account, stream, consumer);
    const awaited = this.awaited.get(key);
    const { assets, host } = this.options;
    if (awaited === undefined || assets.standing(account, stream, consumer) !== "leads") return;
    this.awaited.delete(key);
    for (const { reply, type, untilMs } of awaited)
      if (untilMs > host.clock.nowMs()) this.tell(account, stream, consumer, { reply, type });
  }

  private tell(
    account: string,
    stream: string,
    consumer: string,
    { reply, type }: Pick<AwaitedAnswer, "reply" | "type">,
  ): void {
    const assets = this.assetsOf(account);
    const found = assets?.streams.get(stream);
    if (assets === undefined || found === undefined) return;
    if (consumer === "") {
      const info = streamInfo(found, this.facts, { deleted: false, subjects: null });
      const created = type === "stream_create" ? { did_create: true } : {};
      const cluster = clusterInfo(assets.clusterOf(stream));
      this.respond(reply, type, { ...info, ...created, cluster });
      return;
    }
    const one = found.consumers.get(consumer);
    if (one === undefined) return;
    const later = infoWhenCounted(one, assets, this.facts);
    later.begin(
      (fields) => this.respond(reply, type, fields),
      () => {},
    );
  }

  private receive(message: Incoming): void {
    const { subject, reply, headerLength, body } = message;
    const asked = subject.slice(PREFIX.length);
    const operation = OF_CLUSTERS.find((one) => one.subject === asked);
    const found = operation === undefined ? findOperation(asked) : { operation, names: [] };
    if (found === null || reply === "" || this.received.length >= QUEUED_MAX) return;
    const headers = headerLength === 0 ? null : MessageHeaders.of(body, headerLength);
    const info = headers?.get(REQUEST_INFO) ?? null;
    const client = info === null ? {} : parseInfo(info);
    const { name } = this.options.host;
    const account = info === null ? name : accountOf(client);
    const level = Number(headers?.get("Nats-Required-Api-Level") ?? 0);
    const payload = payloadOf(message);
    this.received.push({ subject, reply, payload, client, account, found, level });
    if (this.isDue) return;
    this.isDue = true;
    this.options.host.afterwards(() => {
      this.isDue = false;
      const { received } = this;
      this.received = [];
      for (const request of received) this.route(request);
    });
  }

  private route(request: ClusterRequest): void {
    const { meta, assets, servers } = this.options;
    const { operation, names } = request.found;
    const judge = META_REQUESTS.get(operation.subject);
    const inAccount = this.assetsOf(request.account);
    if (!(request.level <= this.facts.level)) {
      if (meta.leads) this.refuse(request, apiErrors.requiredApiLevel());
    } else if (judge !== undefined) {
      if (!meta.leads) return;
      meta.whenSettled(() =>
        this.attempt(request, () => {
          if (inAccount === undefined) throw apiErrors.notForAccount();
          const { account, payload, subject, reply, client } = request;
          const asked = { account, payload, subject, reply, client: withoutSecrets(client), names };
          const clusterName = this.options.clusterName();
          const answer = (fields: Fields): void => this.answer(request, fields);
          judge({ ...asked, assets: inAccount, facts: this.facts, meta, servers, clusterName, answer });
        }),
      );
    } else if (!this.lists.take(request, this.lister(request)))
      ownedRequests(request, this.owned(request), assets);
  }

  private lister(request: ClusterRequest) {
    return {
      assets: this.assetsOf(request.account),
      answer: (fields: Fields) => this.answer(request, fields),
      attempt: (act: () => void) => this.attempt(request, act),
    };
  }

  private owned(request: ClusterRequest): OwnedHost {
    const { meta, nameOf, servers } = this.options;
    return {
      meta,
      servers,
      nameOf,
      isSystem: request.account === this.options.host.name,
      around: { meta, servers, clusterName: this.options.clusterName(), random: this.options.host.random },
      attempt: (act) => this.attempt(request, act),
      answer: (fields) => this.answer(request, fields),
      handle: () => this.handle(request),
    };
  }

  /** As a server by itself would. */
  private handle(request: ClusterRequest): void {
    const { found, payload, account } = request;
    const assets = this.assetsOf(account);
    if (assets === undefined) throw apiErrors.notForAccount();
    const { names, operation } = found;
    const { facts, backups } = this;
    const result = operation.handle({ names, payload, identity: "", assets, facts, backups, origin: null });
    if (result instanceof Later)
      result.begin(
        (fields) => this.answer(request, fields),
        (error) => this.refuse(request, error),
      );
    else this.answer(request, result);
  }

  private attempt(request: ClusterRequest, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.refuse(request, error);
    }
  }

  private refuse({ reply, subject, found }: ClusterRequest, error: unknown): void {
    const { operation } = found;
    const refusal = refusalOf(error, subject, this.options.host.logger);
    this.respond(reply, operation.type, { error: refusal, ...operation.refusal });
  }

  private answer({ reply, found }: ClusterRequest, fields: Fields): void {
    this.respond(reply, found.operation.type, fields);
  }

  private respond(reply: string, type: string, fields: Fields): void {
    const payload = JSON.stringify({ type: `io.nats.jetstream.api.v1.${type}_response`, ...fields });
    this.options.host.send({ subject: reply, reply: "", headers: "", payload });
  }

  private assetsOf(account: string): Assets | undefined {
    return this.options.jetStream.accounts.get(account)?.assets;
  }
}

/** It is answered where it is found. */
function unasked(): never {
  throw apiErrors.badRequest();
}

function keyOf(account: string, stream: string, consumer: string): string {
  return `${account} ${stream} ${consumer}`;
}

function parseInfo(text: string): Fields {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

/** What others need not keep. */
function withoutSecrets(client: Fields): Fields {
  const { jwt: _jwt, issuer_key: _key, ...rest } = client;
  return rest;
}
