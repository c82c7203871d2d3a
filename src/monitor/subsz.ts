/** `/subsz`: the subscriptions of clients here, and figures about interest as a whole. */
import type { Account } from "../core/account.ts";
import type { InterestSnapshot } from "../core/interest.ts";
import type { SubscriptionSnapshot } from "../links/client/snapshot.ts";
import { isValidLiteralSubject, subjectMatches } from "../subject/subject.ts";
import { json, type Answer } from "./answer.ts";
import { goTime, wireText } from "./go-format.ts";
import { List } from "./json.ts";
import { BadQuery, pageOf, type Page, type Query } from "./query.ts";
import type { MonitorSource, OpenClient } from "./source.ts";
import { mapped, subscriptionFields } from "./subscription-fields.ts";
import type { Turns } from "./turns.ts";

/** Subscriptions compared with a subject per turn. */
const SLICE = 5000;

interface Found {
  readonly connection: OpenClient;
  readonly subscription: SubscriptionSnapshot;
}

export async function subsz(source: MonitorSource, query: Query, turns: Turns): Promise<Answer> {
  const isListed = query.flag("subs");
  const page = pageOf(query);
  const test = query.text("test");
  if (test !== "" && !isValidLiteralSubject(test)) {
    throw new BadQuery(`invalid test subject, must be valid publish subject: ${test}`);
  }
  const accounts = accountsNamed(source, query.text("acc"));
  const shown = new Set(accounts.map(({ name }) => name));
  const connections = [...source.clients.connections()].filter(({ account }) => shown.has(account));
  const asked = { test: wireText(test), search: wireText(query.text("search").trim()) };
  const { found, total } = isListed
    ? await turns.alone(() => findPage(connections, asked, page, turns))
    : { found: [], total: 0 };
  return json({
    server_id: source.facts().id,
    now: goTime(source.nowMs()),
    ...interestFigures(accounts.map((account) => account.interest.snapshot())),
    total,
    ...page,
    subscriptions_list: found.length === 0 ? undefined : new List(mapped(found, foundFields)),
  });
}

/** Filters of the list, as byte strings; "": any. */
interface Asked {
  /** They match this subject. */
  readonly test: string;
  /** A part of their subject or queue group. */
  readonly search: string;
}

/** All for "". */
function accountsNamed(source: MonitorSource, name: string): Account[] {
  const all = Array.from(source.accounts);
  return name === "" ? all : all.filter((account) => account.name === name);
}

/** The subscriptions on the page, and how many there are on all pages. */
async function findPage(
  connections: readonly OpenClient[],
  { test, search }: Asked,
  { offset, limit }: Page,
  turns: Turns,
): Promise<{ found: Found[]; total: number }> {
  const found: Found[] = [];
  let total = 0;
  let looked = 0;
  for (const connection of connections) {
    const { subscriptions } = connection;
    const isElsewhere = total + subscriptions.count <= offset || total >= offset + limit;
    if (test === "" && search === "" && isElsewhere) {
      total += subscriptions.count;
      continue;
    }
    for (const subscription of subscriptions.all()) {
      if (++looked % SLICE === 0) await turns.next();
      if (test !== "" && !subjectMatches(subscription.subject, test)) continue;
      if (search !== "" && !isFoundBy(subscription, search)) continue;
      if (total >= offset && total < offset + limit) found.push({ connection, subscription });
      total++;
    }
  }
  return { found, total };
}

/** Not of nats-server. */
function isFoundBy({ subject, queue }: SubscriptionSnapshot, search: string): boolean {
  return subject.includes(search) || (queue ?? "").includes(search);
}

function foundFields({ connection, subscription }: Found): object {
  const { account, accountTag, cid } = connection;
  return { account, account_tag: accountTag, ...subscriptionFields(subscription, cid) };
}

/** Lookups that the parser's memo of the previous subject saved are in none of these. */
export function interestFigures(interests: readonly InterestSnapshot[]): object {
  const sum = (figure: (interest: InterestSnapshot) => number): number =>
    interests.reduce((total, interest) => total + figure(interest), 0);
  const matches = sum((interest) => interest.matches);
  const cached = sum((interest) => interest.cached);
  return {
    num_subscriptions: sum((interest) => interest.subscriptions),
    num_cache: cached,
    num_inserts: sum((interest) => interest.inserts),
    num_removes: sum((interest) => interest.removes),
    num_matches: matches,
    cache_hit_rate: matches === 0 ? 0 : (matches - sum((interest) => interest.misses)) / matches,
    max_fanout: interests.reduce((most, interest) => Math.max(most, interest.fanoutMax), 0),
    avg_fanout: cached === 0 ? 0 : sum((interest) => interest.fanoutSum) / cached,
  };
}
