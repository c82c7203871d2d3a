/**
 * Answers to requests that have made, changed or deleted something. They are given once that is agreed on: by whoever leads it, or, where
 * it is gone, by the leader of the meta group. Among nats-servers the first that is elected answers for what is new, even if it hands that
 * on, and whoever led what is gone.
 */
import type { Clock } from "../../base/clock.ts";
import { apiErrors } from "../api-error.ts";
import type { Assets, StreamAssets } from "../assets.ts";
import type { ClusterAdvisories } from "../cluster-advisories.ts";
import type { AssetStanding, ClusterAssets } from "../cluster-assets.ts";
import type { Company, GroupTransport } from "../group/group.ts";
import { InterestQuestions } from "../group/interest-known.ts";
import type { AccountHost } from "../host.ts";
import type { AssignmentChange } from "../meta/assignments.ts";
import type { MetaGroup } from "../meta/meta-group.ts";
import type { Offers } from "../offers.ts";
import { refusalOf } from "./api.ts";
import { AwaitedAnswers, type AwaitedAnswer } from "./awaited-answers.ts";
import type { AnsweredRequest, ClusterAnswers } from "./cluster-answers.ts";
import { identityBlock, infoWhenCounted } from "./consumer-requests.ts";
import { clusterInfo, followedInfo, streamInfo, type AnswerFacts } from "./info.ts";
import type { InterestWait } from "./interest-wait.ts";
import type { Fields } from "./request.ts";

export interface MadeAnswersHost {
  readonly clock: Clock;
  readonly host: AccountHost;
  readonly transport: GroupTransport;
  readonly facts: AnswerFacts;
  readonly answers: ClusterAnswers;
  readonly interest: InterestWait;
  readonly meta: MetaGroup;
  readonly advisories: ClusterAdvisories;
  readonly assets: ClusterAssets;
  readonly offers: Offers;
  readonly assetsOf: (account: string) => Assets | undefined;
  readonly company: Company;
  /** Calls a moment later: others have their turn first. */
  readonly afterAWhile: (act: () => void) => void;
}

export class MadeAnswers {
  private readonly host: MadeAnswersHost;
  private readonly awaited: AwaitedAnswers;
  private readonly questions: InterestQuestions;

  constructor(host: MadeAnswersHost) {
    this.host = host;
    this.awaited = new AwaitedAnswers(host.clock);
    const { clock, transport } = host;
    this.questions = new InterestQuestions({ clock, transport, random: host.host.random });
  }

  stop(): void {
    this.awaited.stop();
    this.questions.stop();
  }

  /** Something was agreed on, and this server has followed. `before`: what it was there until then. */
  changed(change: AssignmentChange, before: AssetStanding): void {
    const { kind, account, stream, consumer, asked, isUpdate, isNew } = change;
    const { assets, meta, advisories, answers } = this.host;
    if (kind === "removed" && meta.leads) advisories.removed(change);
    const what = consumer === "" ? "stream" : "consumer";
    if (kind === "removed") {
      this.awaited.removed(account, stream, consumer);
      const isToAnswer = this.host.company === "shoals" ? meta.leads : before === "leads";
      if (isToAnswer && asked.reply !== "")
        answers.send(askedOf(change), { success: true }, { type: `${what}_delete` });
      return;
    }
    if (assets.standing(account, stream, consumer) === "") return;
    const type = `${what}_${isUpdate && consumer === "" && asked.subject.includes("UPDATE") ? "update" : "create"}`;
    // the answer to who restores a stream, and what advisories say of that, are those of the restore
    const made = isRestore(asked.subject) ? null : isNew ? "new" : isUpdate ? "changed" : null;
    this.awaited.add(account, stream, consumer, { request: askedOf(change), type, change: made });
    this.leadershipChanged(account, stream, consumer);
  }

  /** Something may lead here now: then it answers whoever asked for it. */
  leadershipChanged(account: string, stream: string, consumer: string): void {
    const { assets, advisories } = this.host;
    const leads = assets.standing(account, stream, consumer) === "leads";
    if (!leads && !assets.hasHandedOn(account, stream, consumer)) return;
    for (const { request, type, change } of this.awaited.take(account, stream, consumer)) {
      if (change !== null && leads) advisories.assigned({ account, stream, consumer }, change);
      const answer = (): void => this.tell({ stream, consumer }, { request, type, change });
      if (request.reply !== "" && leads) answer();
      else if (request.reply !== "" && change === "new") this.host.afterAWhile(answer);
    }
  }

  /** What the answer says holds now; it leaves when whoever gets it may use what was made. */
  private tell(
    { stream, consumer }: { readonly stream: string; readonly consumer: string },
    { request, type, change }: AwaitedAnswer,
  ): void {
    const { answers, interest, facts, offers } = this.host;
    const assets = this.host.assetsOf(request.account);
    const found = assets?.streams.get(stream);
    if (assets === undefined || found === undefined) return;
    const send = (fields: Fields, headers = ""): void => {
      const now = (): void => answers.send(request, fields, { type, headers });
      const { deliver_subject: isPush } = (fields["config"] ?? {}) as Fields;
      if (isRestore(request.subject)) interest.whenTold(() => tellRestored(assets, request, fields));
      else if (change === "new" && isPush === undefined) interest.whenTold(now);
      else now();
    };
    if (consumer === "" && offers.has(request.account, stream)) {
      const again = (): void => this.tell({ stream, consumer }, { request, type, change });
      offers.whenWhole(request.account, stream, again);
      return;
    }
    if (consumer === "") {
      const about = isRestore(request.subject) ? {} : { cluster: assets.clusterOf(stream) };
      const info = streamInfo(found, facts, { deleted: false, subjects: null, ...about });
      // nats-server tells no domain here
      const told = { ...info, domain: undefined };
      send({ ...told, ...(type === "stream_create" && change === "new" ? { did_create: true } : {}) });
      return;
    }
    const copy = found.followed.get(consumer);
    if (copy !== undefined) {
      const cluster = clusterInfo(assets.clusterOf(stream, consumer));
      send({ ...followedInfo(copy, found, facts), cluster });
    }
    const one = found.consumers.get(consumer);
    if (one === undefined) return;
    const later = infoWhenCounted(one, assets, facts);
    this.whenWanted(found, consumer, (isKnown) => {
      if (!isKnown) answers.send(request, { error: this.unknown(request) }, { type });
      else
        later.begin(
          (fields) => send(fields, identityBlock(found.stream, fields)),
          () => {},
        );
    });
  }

  /** Where the stream keeps what consumers need, its leader has to know of this one. */
  private whenWanted({ stream }: StreamAssets, consumer: string, call: (isKnown: boolean) => void): void {
    const { assets, host } = this.host;
    const { config, serves } = stream;
    const group = assets.replicaOf(stream.host.name, config.name)?.group.name ?? "";
    if (config.retention !== "interest" || group === "" || serves) call(true);
    else this.questions.ask(group, consumer, (isKnown) => host.afterwards(() => call(isKnown)));
  }

  private unknown({ subject }: AnsweredRequest): Fields {
    return refusalOf(apiErrors.clusterUnavailable(), subject, this.host.host.logger);
  }
}

/** The last chunk of a backup is no request to the API: it is answered in the account that it came from. */
function tellRestored({ host }: Assets, { reply }: AnsweredRequest, fields: Fields): void {
  const answer = { type: "io.nats.jetstream.api.v1.stream_create_response", ...fields };
  host.send({ subject: reply, reply: "", headers: "", payload: JSON.stringify(answer) });
}

function isRestore(subject: string): boolean {
  return subject.startsWith("$JS.API.STREAM.RESTORE.");
}

function askedOf({ account, asked }: AssignmentChange): AnsweredRequest {
  const { subject, reply, client } = asked;
  return { account, subject, reply, payload: "", client };
}
