/**
 * What may cross one leaf connection, seen from this server: `comes` bounds the messages that the peer may send, and thus the interest
 * that it is told of; `goes` bounds what it is sent, whatever it asks for.
 *
 *     this server is   comes                                      goes
 *     hub              what the user may publish                  what the user may subscribe to, without the peer's deny_imports
 *     spoke            `import` of the hub's INFO - deny_imports  `export` of the hub's INFO - deny_exports
 *
 * As in nats-server, requests to JetStream and the subjects of buckets do not cross; domains have subjects of their own. They cross where the
 * default domain of the account is the empty one.
 */
import { Permissions, type SubjectRules } from "../../core/permissions.ts";
import type { Plan } from "../../core/plan.ts";
import type { DeliveryFilter } from "../../core/subscription.ts";
import { hasWildcard, subjectCovers, subjectsMeet } from "../../subject/subject.ts";

/** Denied in both directions, as in nats-server. */
const OF_JETSTREAM: readonly string[] = ["$JS.API.>", "$KV.>", "$OBJ.>"];
/** In the system account also the subjects that servers of one JetStream use among themselves. */
const OF_JETSTREAM_SERVERS: readonly string[] = ["$JSC.>", "$NRG.>", ...OF_JETSTREAM];
/** Only servers of a cluster publish these: a leaf node may not, whatever its user may publish. */
const RESERVED: readonly string[] = ["_GR_.>", "$GR.>"];
/** Interest in these crosses regardless of the rules. */
export const LOOP_DETECTION = "$LDS.";
/** Subjects on which the other server awaits answers of services of other accounts. Each is known only to the responder. */
const SERVICE_REPLY = "_R_.";

export interface LeafRulesOptions {
  readonly role: "hub" | "spoke";
  readonly comes: SubjectRules | null;
  readonly goes: SubjectRules | null;
  readonly denyComing: readonly string[];
  readonly denyGoing: readonly string[];
  /** `isSystem`: it is the system account; `sharesJetStream`: its default domain is the empty one. */
  readonly account: { readonly isSystem: boolean; readonly sharesJetStream: boolean };
  /** The domain of streams here, whose requests do not leave by this connection; "": there is none. */
  readonly ownDomain: string;
}

export class LeafRules implements DeliveryFilter {
  /** `publish` is what comes. */
  private readonly takes: Permissions;
  /** `publish` is what the peer is told that this server wants, `subscribe` what it is sent. */
  private readonly tells: Permissions;

  constructor(options: LeafRulesOptions) {
    const { role, comes, goes, denyComing, denyGoing, ownDomain } = options;
    const { isSystem, sharesJetStream } = options.account;
    const kept = isSystem ? OF_JETSTREAM_SERVERS : sharesJetStream ? [] : OF_JETSTREAM;
    const coming = withDenied(comes, denyComing);
    // A hub takes requests of old spokes without a domain, as nats-server does.
    const denied = role === "hub" && !isSystem ? RESERVED : [...RESERVED, ...kept];
    this.takes = new Permissions({ publish: withDenied(coming, denied), subscribe: null, responses: null });
    const own = ownDomain === "" || sharesJetStream ? [] : [`$JS.${ownDomain}.API.>`];
    this.tells = new Permissions({
      publish: withDenied(coming, kept),
      subscribe: withDenied(goes, [...denyGoing, ...kept, ...own]),
      responses: null,
    });
  }

  /** Whether the peer may send messages on the subject of the plan. */
  mayTake(plan: Plan): boolean {
    return this.takes.mayPublish(plan);
  }

  /** The same for a subject. */
  mayTakeOn(subject: string): boolean {
    return this.takes.mayPublishTo(subject) || subject.startsWith(SERVICE_REPLY);
  }

  /** Whether the peer is told that this server wants the subject, which may have wildcards. */
  mayTell(subject: string): boolean {
    if (subject.startsWith(LOOP_DETECTION) || subject.startsWith(SERVICE_REPLY)) return true;
    return this.tells.mayPublishTo(subject) || (hasWildcard(subject) && this.mayTellPart(subject));
  }

  /** As in nats-server, a pattern is announced if any part of it may come. */
  private mayTellPart(pattern: string): boolean {
    const { allow, deny } = this.tells.rules.publish ?? { allow: null, deny: [] };
    const isAllowed = allow === null || allow.some((rule) => subjectsMeet(rule, pattern));
    return isAllowed && !deny.some((rule) => subjectCovers(rule, pattern));
  }

  /** Whether the peer may be sent messages on a literal subject. */
  admits(subject: string, queue: string | null): boolean {
    return this.tells.maySubscribe(subject, queue);
  }
}

function withDenied(rules: SubjectRules | null, denied: readonly string[]): SubjectRules | null {
  if (denied.length === 0) return rules;
  return { allow: rules?.allow ?? null, deny: [...(rules?.deny ?? []), ...denied] };
}
