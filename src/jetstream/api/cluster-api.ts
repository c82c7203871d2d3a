/**
 * The requests of clients in a cluster. Each reaches every server, in the system account, and one answers: the leader of the meta group
 * what is asked about all, the leader of a stream or a consumer what is asked about that. Others keep silent, as nats-servers do.
 *
 * A request that comes before what it is about is known here, or led, is held (`held-requests.ts`), so that somebody answers it.
 *
 * Bounded: QUEUED_MAX requests wait for the meta group.
 */
import { apiErrors } from "../api-error.ts";
import type { Assets } from "../assets.ts";
import type { ClusterAdvisories } from "../cluster-advisories.ts";
import type { AssetStanding, ClusterAssets } from "../cluster-assets.ts";
import type { Company } from "../group/group.ts";
import type { ClusterUsage } from "../cluster-usage.ts";
import type { GroupTransport } from "../group/group.ts";
import { payloadOf, type AccountHost, type Incoming } from "../host.ts";
import { MessageHeaders } from "../headers.ts";
import type { JetStream } from "../jetstream.ts";
import { accountOf, encodeConsumer, type AssignmentChange } from "../meta/assignments.ts";
import type { PeerId } from "../../raft/messages.ts";
import type { KnownServers } from "../meta/known-servers.ts";
import type { NeededAccounts } from "../needed-accounts.ts";
import type { MetaGroup } from "../meta/meta-group.ts";
import type { Offers } from "../offers.ts";
import { findOperation, refusalOf } from "./api.ts";
import { HeldRequests } from "./held-requests.ts";
import { ClusterAnswers } from "./cluster-answers.ts";
import { ClusterLists } from "./cluster-lists.ts";
import { ClusterOffers } from "./cluster-offers.ts";
import type { ClusterRequest } from "./cluster-request.ts";
import { META_REQUESTS } from "./cluster-requests.ts";
import { MadeAnswers } from "./made-answers.ts";
import { hearPassedOn, passOn, type PassedRequest } from "./passed-on.ts";
import { LeavingServers } from "./leaving-servers.ts";
import { ClusterRestores } from "./cluster-restores.ts";
import { completeStreams, type PlacementRoom } from "./cluster-moves.ts";
import { ownedRequests, type OwnedHost } from "./cluster-owned.ts";
import { InterestWait, type RoutesCaughtUp } from "./interest-wait.ts";
import type { AnswerFacts } from "./info.ts";
import { Later, type ApiOperation, type Fields } from "./request.ts";
import type { WrittenPart } from "./written-part.ts";

const PREFIX = "$JS.API.";
const QUEUED_MAX = 10_000;
/** The leader of the meta group has refused the request that wanted its answer at the reply subject: nobody else answers it. */
const REFUSED = "$SHOAL.META.REFUSED";
const NOTHING = new Uint8Array(0);
/** Whoever leads instead of a server that is gone does so by then. */
const LOST_MS = 2000;
/** A refusal that another server may know better waits so long. */
const OTHERS_FIRST_MS = 500;
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
  readonly advisories: ClusterAdvisories;
  readonly usage: ClusterUsage;
  readonly assets: ClusterAssets;
  readonly servers: KnownServers;
  readonly offers: Offers;
  readonly accounts: NeededAccounts;
  /** As for JetStreamCluster. */
  readonly routesCaughtUp: RoutesCaughtUp;
  readonly clusterName: () => string;
  readonly company: Company;
  /** As for `PlacementWish`. */
  readonly uniqueTag: string;
  readonly nameOf: (peer: string) => string;
}

export class ClusterApi {
  private readonly options: ClusterApiOptions;
  private readonly facts: AnswerFacts;
  private readonly answers: ClusterAnswers;
  private readonly lists: ClusterLists;
  private readonly interest: InterestWait;
  private readonly restores: ClusterRestores;
  private readonly offers: ClusterOffers;
  private readonly leaving: LeavingServers;
  private readonly ears: Disposable[] = [];
  private received: ClusterRequest[] = [];
  /** When the connection to a server ended. Bounded: those of the last LOST_MS. */
  private readonly lostMs = new Map<PeerId, number>();
  private readonly made: MadeAnswers;
  private readonly held: HeldRequests;
  private readonly delayed = new Set<Disposable>();
  private isDue = false;

  constructor(options: ClusterApiOptions) {
    this.options = options;
    this.facts = options.jetStream.options.facts;
    this.answers = new ClusterAnswers(options.host, options.jetStream, this.facts);
    this.interest = new InterestWait(options.host, options.routesCaughtUp);
    this.lists = new ClusterLists({ ...options, facts: this.facts });
    const { self, transport, meta, offers } = options;
    const { clock } = options.host;
    const assetsOf = (account: string): Assets | undefined => this.assetsOf(account);
    this.restores = new ClusterRestores({
      ...{ self, transport, offers, facts: this.facts, assetsOf },
      answer: (request, fields) =>
        this.interest.whenTold(() => this.answers.send(request, fields, { type: "stream_restore" })),
      attempt: (request, act) => {
        const restored = { ...request, found: findOperation(request.subject.slice(PREFIX.length))! };
        this.attempt({ ...restored, level: 0, identity: "" }, act);
      },
    });
    this.offers = new ClusterOffers({ transport, meta, around: () => this.around, assetsOf });
    this.leaving = new LeavingServers({
      ...{ clock, logger: options.host.logger, around: () => this.around, nameOf: options.nameOf },
      isOnline: (peer) => this.isOnline(peer),
    });
    const { answers, interest, facts } = this;
    const afterAWhile = (act: () => void): void => this.afterAWhile(act);
    this.made = new MadeAnswers({ ...options, clock, answers, interest, facts, assetsOf, afterAWhile });
    this.held = new HeldRequests({
      clock,
      judge: (request) => this.route(request),
      refuse: (request) => this.lost(request),
      passOn: (request) => passOn(transport, request),
    });
  }

  start(): void {
    this.ears.push(this.options.host.listen(`${PREFIX}>`, (message) => this.receive(message)));
    this.ears.push(this.options.transport.listen(REFUSED, (_subject, reply) => this.held.drop(reply)));
    this.ears.push(hearPassedOn(this.options.transport, (request) => this.take(request)));
    this.lists.start();
  }

  /** Requests that have come and are not handled yet. */
  get queued(): number {
    return this.received.length + this.options.meta.waitingCount + this.held.count;
  }

  stop(): void {
    for (const one of [...this.ears, ...this.delayed]) one[Symbol.dispose]();
    this.lists.stop();
    this.held.stop();
    this.made.stop();
    this.restores.stop();
    this.offers.stop();
    this.leaving.stop();
  }

  /** Nobody uses a consumer of this server any more. */
  forget(account: string, stream: string, name: string): void {
    const { meta } = this.options;
    const found = meta.assignments.stream(account, stream)?.consumers.get(name);
    if (found !== undefined)
      meta.forward(encodeConsumer({ ...found, client: {}, subject: "", reply: "" }, "remove"));
  }

  /** Streams with fewer copies than they should have get more, where there are servers for them by now. */
  completeStreams(): void {
    const { meta } = this.options;
    if (meta.leads) meta.whenSettled(() => completeStreams(this.around));
  }

  /** Something was agreed on, and this server has followed. `before`: what it was there until then. */
  changed(change: AssignmentChange, before: AssetStanding): void {
    this.made.changed(change, before);
    this.lookLater();
  }

  /** Something may lead here now: then it answers whoever asked for it. */
  leadershipChanged(account: string, stream: string, consumer: string): void {
    this.made.leadershipChanged(account, stream, consumer);
    this.lookLater();
  }

  /** The connection to a server has ended: what it leads may soon be led by another one. */
  serverLost(peer: PeerId): void {
    const nowMs = this.options.host.clock.nowMs();
    for (const [one, lostMs] of this.lostMs) if (nowMs - lostMs > LOST_MS) this.lostMs.delete(one);
    this.lostMs.set(peer, nowMs);
  }

  /** Requests that this server keeps until somebody leads what they are about. */
  get isHolding(): boolean {
    return this.held.count > 0;
  }

  /** Requests that are held may be answered now. */
  private lookLater(): void {
    if (this.held.count > 0) this.options.host.afterwards(() => this.held.look());
  }

  private receive(message: Incoming): void {
    const { subject, reply, headerLength, body } = message;
    const headers = headerLength === 0 ? null : MessageHeaders.of(body, headerLength);
    const info = headers?.get(REQUEST_INFO) ?? null;
    const client = info === null ? {} : parseInfo(info);
    const { name } = this.options.host;
    const account = info === null ? name : accountOf(client);
    const level = Number(headers?.get("Nats-Required-Api-Level") ?? 0);
    const identity = headers?.get("Nats-Stream-Identity") ?? "";
    const payload = payloadOf(message);
    this.take({ subject, reply, payload, client, account, level, identity });
  }

  private take(request: PassedRequest): void {
    const asked = request.subject.slice(PREFIX.length);
    const operation = OF_CLUSTERS.find((one) => one.subject === asked);
    const found = operation === undefined ? findOperation(asked) : { operation, names: [] };
    if (found === null || this.received.length >= QUEUED_MAX) return;
    if (request.reply === "" && !META_REQUESTS.has(found.operation.subject)) return;
    this.received.push({ ...request, found });
    if (this.isDue) return;
    this.isDue = true;
    const { accounts } = this.options;
    this.options.host.afterwards(() => {
      this.isDue = false;
      const { received } = this;
      this.received = [];
      for (const request of received) accounts.whenKnown(request.account, () => this.route(request));
    });
  }

  private route(request: ClusterRequest): void {
    const { meta, assets, servers } = this.options;
    const { operation, names } = request.found;
    const judge = META_REQUESTS.get(operation.subject);
    const inAccount = this.assetsOf(request.account);
    const isTooHigh = !(request.level <= this.facts.level);
    if (!meta.leads && (isTooHigh || judge !== undefined || this.lists.has(request))) {
      if (meta.isLeaderless) this.refuse(request, apiErrors.clusterUnavailable());
      else if (meta.isUndecided) this.held.hold(request, "leaderless");
      else if (this.lists.has(request)) this.leaveToLeader(request);
    } else if (isTooHigh) {
      this.refuse(request, apiErrors.requiredApiLevel());
    } else if (judge !== undefined) {
      meta.whenSettled(
        () =>
          this.attempt(request, () => {
            if (inAccount === undefined) throw apiErrors.notForAccount();
            const { account, payload, subject, reply, client, identity } = request;
            const asked = {
              account,
              payload,
              subject,
              reply,
              identity,
              client: withoutSecrets(client),
              names,
            };
            const { uniqueTag } = this.options;
            const clusterName = this.options.clusterName();
            judge({
              ...{ ...asked, assets: inAccount, facts: this.facts, meta, servers, clusterName, uniqueTag },
              answer: (fields) => this.answer(request, fields),
              restoreAt: (peer, config) =>
                this.restores.hand(peer, { ...request, client: asked.client }, config),
            });
          }),
        () => this.lost(request),
      );
    } else if (!this.lists.take(request, this.lister(request)))
      ownedRequests(request, this.owned(request), assets);
  }

  /** The leader of the meta group answers. Where its server is gone, another one will lead. */
  private leaveToLeader(request: ClusterRequest): void {
    const { leader = "" } = this.options.meta.group ?? {};
    if (leader !== "" && !this.isThere(leader)) this.held.hold(request, "unknown");
    else this.held.isForAnother(request);
  }

  private lister(request: ClusterRequest) {
    return {
      assets: this.assetsOf(request.account),
      answer: (fields: Fields) => this.answer(request, fields),
      attempt: (act: () => void) => this.attempt(request, act),
      lost: () => this.lost(request),
    };
  }

  private owned(request: ClusterRequest): OwnedHost {
    const { meta, nameOf, servers } = this.options;
    return {
      self: this.options.self,
      meta,
      servers,
      nameOf,
      isSystem: request.account === this.options.host.name,
      leaves: (peer) => this.leaving.begin(peer),
      attempt: (act) => this.attempt(request, act),
      answer: (fields) => this.answer(request, fields),
      isOnline: (peer) => this.isOnline(peer),
      isThere: (peer) => this.isThere(peer),
      afterAWhile: (act) => this.afterAWhile(act),
      handle: () => this.handle(request),
      hold: (reason) => this.held.hold(request, reason),
      leaveToAnother: () => this.held.isForAnother(request),
      tellRefused: () => this.options.transport.send(REFUSED, request.reply, NOTHING),
      lost: () => this.lost(request),
    };
  }

  private isOnline(peer: string): boolean {
    return peer === this.options.self || this.options.servers.isOnline(peer);
  }

  /** The connection to it has not ended a moment ago either. */
  private isThere(peer: PeerId): boolean {
    const lostMs = this.lostMs.get(peer) ?? -Infinity;
    return this.isOnline(peer) && this.options.host.clock.nowMs() - lostMs > LOST_MS;
  }

  get around(): PlacementRoom {
    const { meta, servers, clusterName, host, uniqueTag } = this.options;
    return { meta, servers, clusterName: clusterName(), random: host.random, uniqueTag };
  }

  /** Bounded: more than so many are not called. */
  private afterAWhile(act: () => void): void {
    if (this.delayed.size >= QUEUED_MAX) return;
    const timer = this.options.host.clock.setTimer(OTHERS_FIRST_MS, () => {
      this.delayed.delete(timer);
      act();
    });
    this.delayed.add(timer);
  }

  /** As a server by itself would. */
  private handle(request: ClusterRequest): void {
    const { found, payload, account } = request;
    const assets = this.assetsOf(account);
    if (assets === undefined) throw apiErrors.notForAccount();
    const { names, operation } = found;
    const { facts, restores } = this;
    const { identity } = request;
    const asked = { names, payload, identity, assets, facts, backups: restores.of(account), origin: null };
    const respond = (fields: Fields, part?: WrittenPart): void => {
      const headers = operation.headers?.(asked, fields) ?? "";
      this.answers.send(request, fields, { type: operation.type, part, headers });
    };
    const result = operation.handle(asked);
    if (result instanceof Later) result.begin(respond, (error) => this.refuse(request, error));
    else respond(result);
  }

  private attempt(request: ClusterRequest, act: () => void): void {
    try {
      act();
    } catch (error) {
      this.refuse(request, error);
    }
  }

  private refuse(request: ClusterRequest, error: unknown): void {
    const { operation } = request.found;
    const refusal = refusalOf(error, request.subject, this.options.host.logger);
    this.answer(request, { error: refusal, ...operation.refusal });
  }

  /** What it waited for does not come. */
  private lost(request: ClusterRequest): void {
    this.refuse(request, apiErrors.clusterUnavailable());
  }

  private answer(request: ClusterRequest, fields: Fields): void {
    this.answers.send(request, fields, { type: request.found.operation.type });
  }

  private assetsOf(account: string): Assets | undefined {
    return this.options.jetStream.accounts.get(account)?.assets;
  }
}

/** It is answered where it is found. */
function unasked(): never {
  throw apiErrors.badRequest();
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
