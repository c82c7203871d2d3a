/**
 * Lists of all streams of an account, or all consumers of a stream. The leader of the meta group knows the names; of what is in them it
 * asks the leaders, and says whose answer is missing.
 *
 * Bounded: a page at a time, for GATHER_MS.
 */
import { randomToken } from "../../base/base62.ts";
import { subjectsMeet } from "../../subject/subject.ts";
import { apiErrors } from "../api-error.ts";
import type { Assets } from "../assets.ts";
import { copiesOf } from "../bounds.ts";
import type { ClusterAssets } from "../cluster-assets.ts";
import type { ClusterUsage } from "../cluster-usage.ts";
import type { GroupTransport } from "../group/group.ts";
import type { AccountHost } from "../host.ts";
import type { JetStream } from "../jetstream.ts";
import { tierOf } from "../limits.ts";
import { publicNames, type PlacedStream } from "../meta/assignments.ts";
import type { MetaGroup } from "../meta/meta-group.ts";
import { accountInfo, fieldsOfTiers } from "./account-requests.ts";
import type { ClusterRequest } from "./cluster-request.ts";
import { clusterInfo, consumerInfo, streamInfo, type AnswerFacts } from "./info.ts";
import { bodyOf, numberOf, textOf, type Fields } from "./request.ts";

const GATHER_MS = 4000;
const NAMES_PAGE = 1024;
const LIST_PAGE = 256;

export interface ClusterListsOptions {
  readonly host: AccountHost;
  readonly transport: GroupTransport;
  readonly jetStream: JetStream;
  readonly meta: MetaGroup;
  readonly assets: ClusterAssets;
  readonly usage: ClusterUsage;
  readonly facts: AnswerFacts;
}

interface Asker {
  /** undefined: the account has no JetStream. */
  readonly assets: Assets | undefined;
  readonly answer: (fields: Fields) => void;
  readonly attempt: (act: () => void) => void;
  /** This server leads the meta group no longer, and has not answered. */
  readonly lost: () => void;
}

export class ClusterLists {
  private readonly options: ClusterListsOptions;
  private readonly ears: Disposable[] = [];
  private readonly gathering = new Set<Disposable>();

  constructor(options: ClusterListsOptions) {
    this.options = options;
  }

  /** Answers other servers about what this one leads. */
  start(): void {
    const { transport } = this.options;
    const on = (subject: string): void => {
      const ear = transport.listen(subject, (at, reply) => {
        const [, , account = "", stream = "", consumer = ""] = at.split(".");
        const info = this.ownInfo(account, stream, consumer);
        if (info !== null && reply !== "")
          transport.send(reply, "", Buffer.from(JSON.stringify(info), "latin1"));
      });
      this.ears.push(ear);
    };
    on("$JSC.SI.*.*");
    on("$JSC.CI.*.*.*");
  }

  stop(): void {
    for (const ear of [...this.ears, ...this.gathering]) ear[Symbol.dispose]();
  }

  has({ found: { operation } }: ClusterRequest): boolean {
    return LISTS.has(operation.subject);
  }

  /** This server leads the meta group. False: the request is none for a list. */
  take(request: ClusterRequest, asker: Asker): boolean {
    const { meta } = this.options;
    const list = LISTS.get(request.found.operation.subject);
    if (list === undefined) return false;
    meta.whenSettled(
      () =>
        asker.attempt(() => {
          if (asker.assets === undefined) throw apiErrors.notForAccount();
          this[list](request, asker, asker.assets);
        }),
      asker.lost,
    );
    return true;
  }

  /** What this server leads; null: it does not. */
  private ownInfo(account: string, stream: string, consumer: string): Fields | null {
    const { assets, jetStream, facts } = this.options;
    if (assets.standing(account, stream, consumer) !== "leads") return null;
    const at = jetStream.accounts.get(account)?.assets;
    const found = at?.streams.get(stream);
    if (at === undefined || found === undefined) return null;
    const one = consumer === "" ? undefined : found.consumers.get(consumer);
    if (consumer !== "" && one === undefined) return null;
    const cluster = at.clusterOf(stream, consumer === "" ? undefined : consumer);
    const info =
      one === undefined
        ? streamInfo(found, facts, { deleted: false, subjects: null, isListed: true, cluster })
        : { ...consumerInfo(one, facts, "listed"), cluster: clusterInfo(cluster) };
    return info;
  }

  private account(_request: ClusterRequest, { answer }: Asker, assets: Assets): void {
    const { facts, meta, usage } = this.options;
    const local: Fields = accountInfo({ assets, facts });
    const { name } = assets.host;
    const streams = [...meta.assignments.streamsOf(name).values()];
    const { requests, errors } = usage.elsewhere(name);
    const used = (tier: string): Fields => usedFields(assets, streams, tier);
    const { tiers } = assets.limits;
    answer({
      ...local,
      ...used(""),
      api: {
        level: facts.level,
        total: assets.counters.total + requests,
        errors: assets.counters.errors + errors,
      },
      ...(tiers === null ? {} : { tiers: fieldsOfTiers(tiers, used) }),
    });
  }

  private streamNames(request: ClusterRequest, { answer }: Asker): void {
    const { offset, found } = this.matching(request);
    const streams = found.slice(offset, offset + NAMES_PAGE);
    answer({
      total: found.length,
      offset,
      limit: NAMES_PAGE,
      streams: found.length === 0 ? null : streams,
    });
  }

  private streamList(request: ClusterRequest, { answer }: Asker): void {
    const { offset, found } = this.matching(request);
    const names = found.slice(offset, offset + LIST_PAGE);
    this.gather(
      names.map((name) => [request.account, name, ""] as const),
      (infos, missing) => {
        answer({ total: found.length, offset, limit: LIST_PAGE, streams: infos, ...lacking(missing) });
      },
    );
  }

  private consumerNames(request: ClusterRequest, { answer }: Asker): void {
    const { offset, found } = this.consumersOf(request);
    const consumers = found.slice(offset, offset + NAMES_PAGE);
    answer({ total: found.length, offset, limit: NAMES_PAGE, consumers });
  }

  private consumerList(request: ClusterRequest, { answer }: Asker): void {
    const { offset, found } = this.consumersOf(request);
    const stream = request.found.names[0]!;
    const names = found.slice(offset, offset + LIST_PAGE);
    this.gather(
      names.map((name) => [request.account, stream, name] as const),
      (consumers, missing) =>
        answer({ total: found.length, offset, limit: LIST_PAGE, consumers, ...lacking(missing) }),
    );
  }

  private matching({ payload, account }: ClusterRequest) {
    const body = bodyOf(payload);
    const subject = textOf(body, "subject");
    const found = [...this.options.meta.assignments.streamsOf(account).values()]
      .map(({ assignment }) => assignment.config)
      .filter(({ subjects }) => subject === "" || subjects.some((one) => subjectsMeet(one, subject)))
      .map(({ name }) => name)
      .toSorted();
    return { offset: Math.min(numberOf(body, "offset"), found.length), found };
  }

  private consumersOf({ payload, account, found: { names } }: ClusterRequest) {
    const placed = this.options.meta.assignments.stream(account, names[0]!);
    if (placed === undefined) throw apiErrors.streamNotFound();
    const found = publicNames(placed).toSorted();
    return { offset: Math.min(numberOf(bodyOf(payload), "offset"), found.length), found };
  }

  /** `done` gets what there is, and the names of those who said nothing. */
  private gather(
    wanted: readonly (readonly [account: string, stream: string, consumer: string])[],
    done: (infos: readonly Fields[], missing: readonly string[]) => void,
  ): void {
    const { transport, host } = this.options;
    const infos = new Map<string, Fields>();
    const nameOf = (one: (typeof wanted)[number]): string => one[2] || one[1];
    const finish = (): void => {
      running[Symbol.dispose]();
      const names = wanted.map(nameOf);
      done(
        names.map((name) => infos.get(name)).filter((info) => info !== undefined),
        names.filter((name) => !infos.has(name)),
      );
    };
    const inbox = `$JSC.R.${randomToken(host.random)}`;
    const ear = transport.listen(`${inbox}.*`, (subject, _reply, payload) => {
      const one = wanted[Number(subject.slice(inbox.length + 1))];
      const info = one === undefined ? null : parse(payload);
      if (one === undefined || info === null) return;
      infos.set(nameOf(one), info);
      if (infos.size === wanted.length) finish();
    });
    const timer = host.clock.setTimer(GATHER_MS, finish);
    const running: Disposable = {
      [Symbol.dispose]: () => {
        ear[Symbol.dispose]();
        timer[Symbol.dispose]();
        this.gathering.delete(running);
      },
    };
    this.gathering.add(running);
    for (const [i, one] of wanted.entries()) {
      const own = this.ownInfo(...one);
      if (own !== null) infos.set(nameOf(one), own);
      else transport.send(subjectOf(one), `${inbox}.${i}`, NOTHING);
    }
    if (infos.size === wanted.length) finish();
  }
}

const NOTHING = new Uint8Array(0);

const LISTS = new Map<string, "account" | "streamNames" | "streamList" | "consumerNames" | "consumerList">([
  ["INFO", "account"],
  ["STREAM.NAMES", "streamNames"],
  ["STREAM.LIST", "streamList"],
  ["CONSUMER.NAMES", "consumerNames"],
  ["CONSUMER.LIST", "consumerList"],
]);

function subjectOf([account, stream, consumer]: readonly [string, string, string]): string {
  return consumer === "" ? `$JSC.SI.${account}.${stream}` : `$JSC.CI.${account}.${stream}.${consumer}`;
}

function lacking(missing: readonly string[]): Fields {
  return missing.length === 0 ? {} : { missing };
}

function parse(payload: Uint8Array): Fields | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(payload).toString("latin1"));
    return typeof value === "object" && value !== null ? (value as Fields) : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** What an account uses of one tier on all servers; "": of all tiers. */
function usedFields({ usage }: Assets, streams: readonly PlacedStream[], tier: string): Fields {
  const isOf = (replicas: number): boolean => tier === "" || tierOf({ replicas }) === tier;
  const those = streams.map(({ assignment }) => assignment.config).filter(({ replicas }) => isOf(replicas));
  const bytes = (storage: "memory" | "file"): number =>
    usage.bytesOf(storage, tier) + usage.elsewhereBytes(storage, tier);
  const reserved = (storage: "memory" | "file"): number =>
    those.reduce((sum, one) => (one.storage === storage ? sum + Math.max(0, one.maxBytes) : sum), 0);
  const consumers = streams.flatMap(({ assignment: { config }, consumers: all }) =>
    Array.from(all.values(), (one) => copiesOf(one.config, config)).filter(isOf),
  );
  return {
    memory: bytes("memory"),
    storage: bytes("file"),
    reserved_memory: reserved("memory"),
    reserved_storage: reserved("file"),
    streams: those.length,
    consumers: consumers.length,
  };
}
