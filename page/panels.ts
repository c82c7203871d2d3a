/** The lists and tables about members, routes, readiness, slow consumers, accounts and events. */
import { byId, make, setText } from "./dom.ts";
import type { Feed } from "./feed.ts";
import { bytes, clock, count, duration, exact, milliseconds, plural } from "./format.ts";
import {
  accountsOf,
  awaitedPeers,
  edgesOf,
  eventsOf,
  memberRates,
  NO_RATES,
  standing,
  STANDING_WORDS,
  type AccountFigures,
  type Cluster,
  type Edge,
  type Member,
  type Rates,
  type ShownEvent,
} from "./model.ts";
import { Table } from "./table.ts";

const EVENTS_MAX = 100;
const SLOW_MAX = 20;

interface MemberRow {
  readonly member: Member;
  readonly rates: Rates;
}

interface RouteRow {
  readonly edge: Edge;
  readonly peer: string;
  readonly out: number;
  readonly in: number;
}

export class Panels {
  private readonly feed: Feed;
  private readonly members: Table<MemberRow>;
  private readonly routes: Table<RouteRow>;
  private readonly slow: Table<Member>;
  private readonly slowLatest: Table<ShownEvent>;
  private readonly accounts: Table<AccountFigures>;
  private told = "";

  /** `onSlow`: somebody wants to see the slow consumers of a member. */
  constructor(feed: Feed, onChoose: (id: string) => void, onSlow: (id: string) => void) {
    this.feed = feed;
    this.members = membersTable(onChoose);
    this.routes = routesTable();
    this.slow = slowTable(onSlow);
    this.slowLatest = slowLatestTable();
    this.accounts = accountsTable();
    byId("members").append(this.members.element);
    byId("routes").append(this.routes.element);
    byId("slow").append(this.slow.element);
    byId("slow-latest").append(this.slowLatest.element);
    byId("accounts").append(this.accounts.element);
  }

  show(cluster: Cluster, chosen: string): void {
    const rates = memberRates(cluster, this.feed.previous);
    const sorted = [...cluster.members].sort((a, b) => byName(a.server_name, b.server_name));
    this.members.show(
      sorted.map((member) => ({ member, rates: rates.get(member.server_id) ?? NO_RATES })),
      chosen,
    );
    this.showTiles(cluster, [...rates.values()]);
    this.showRoutes(cluster, chosen);
    this.showReadiness(cluster);
    this.slow.show(sorted.filter((one) => one.slow_consumers + one.stalled_clients > 0));
    this.accounts.show(accountsOf(cluster));
    const events = eventsOf(cluster, Infinity);
    const slow = events.filter(({ event }) => event === "slow_consumer").slice(0, SLOW_MAX);
    this.slowLatest.show(slow);
    byId("slow-latest").hidden = slow.length === 0;
    this.showEvents(events.slice(0, EVENTS_MAX));
  }

  private showTiles({ members }: Cluster, rates: readonly Rates[]): void {
    const sum = (figure: (member: Member) => number): number =>
      members.reduce((all, one) => all + figure(one), 0);
    const rate = (key: keyof Rates): number => rates.reduce((all, one) => all + one[key], 0);
    const ready = members.filter((member) => standing(member) === "ready").length;
    const tiles: readonly (readonly [string, string])[] = [
      ["Members ready", `${ready} of ${members.length}`],
      ["Connections", exact(sum((one) => one.connections))],
      ["Subscriptions", exact(sum((one) => one.subscriptions))],
      ["Messages in", `${count(rate("inMessages"))}/s`],
      ["Messages out", `${count(rate("outMessages"))}/s`],
      ["Slow consumers", exact(sum((one) => one.slow_consumers))],
    ];
    const place = byId("tiles");
    if (place.children.length !== tiles.length) {
      place.replaceChildren(...tiles.map(([title]) => make("div", {}, make("dt", {}, title), make("dd"))));
    }
    tiles.forEach(([, value], i) => setText(place.children[i]!.lastElementChild!, value));
  }

  private showRoutes(cluster: Cluster, chosen: string): void {
    const names = new Map(cluster.members.map((one) => [one.server_id, one.server_name]));
    setText(byId("routes-title"), `Routes of ${names.get(chosen) ?? "–"}`);
    const rows = edgesOf(cluster, this.feed.previous)
      .filter(({ from, to }) => from === chosen || to === chosen)
      .map((edge): RouteRow => {
        const isFrom = edge.from === chosen;
        const peer = names.get(isFrom ? edge.to : edge.from) ?? "";
        return { edge, peer, out: isFrom ? edge.there : edge.back, in: isFrom ? edge.back : edge.there };
      });
    this.routes.show(rows.sort((a, b) => byName(a.peer, b.peer)));
  }

  private showReadiness(cluster: Cluster): void {
    const troubles = cluster.members.flatMap((member) => {
      const words = member.reasons.length > 0 ? member.reasons : member.missing;
      if (standing(member) === "ready" && words.length === 0) return [];
      return [`${member.server_name}: ${[STANDING_WORDS[standing(member)], ...words].join("; ")}`];
    });
    const awaited = awaitedPeers(cluster, this.feed.names).map((peer) => {
      const name = peer.server_name || peer.address;
      const where = peer.server_name === "" || peer.address === "" ? "" : ` at ${peer.address}`;
      return `${name}${where}, awaited by ${peer.by.join(", ")}: ${peer.why}`;
    });
    const lines = [...troubles, ...awaited];
    const all = `All ${plural(cluster.members.length, "member")} ready, nobody is awaited.`;
    const told = JSON.stringify(lines.length === 0 ? all : lines);
    if (told === this.told) return;
    this.told = told;
    byId("readiness").replaceChildren(
      lines.length === 0 ? make("p", {}, all) : make("ul", {}, ...lines.map((line) => make("li", {}, line))),
    );
  }

  private showEvents(events: readonly ShownEvent[]): void {
    const place = byId("events");
    const wanted = JSON.stringify(events);
    if (place.dataset["shown"] === wanted) return;
    place.dataset["shown"] = wanted;
    const items = events.map(({ time, level, text, about, server, count: times, event }) => {
      const what = `${text}${about === "" ? "" : `: ${about}`}${times > 1 ? ` (${times} times)` : ""}`;
      return make(
        "li",
        { "data-level": level, "data-event": event },
        make("time", { datetime: time }, clock(Date.parse(time))),
        make("span", { class: "server" }, server),
        make("span", {}, what),
      );
    });
    place.replaceChildren(...(items.length === 0 ? [make("li", { class: "empty" }, "Nothing yet.")] : items));
  }
}

function byName(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}

function membersTable(onChoose: (id: string) => void): Table<MemberRow> {
  const figure = (
    key: string,
    title: string,
    of: (row: MemberRow) => number,
    text: (value: number) => string,
  ) => ({
    ...{ key, title, isNumber: true, sort: of },
    text: (row: MemberRow) => (row.member.state === "silent" ? "–" : text(of(row))),
  });
  return new Table<MemberRow>({
    caption: "Members",
    rowKey: ({ member }) => member.server_id,
    empty: "No members.",
    onChoose: ({ member }) => onChoose(member.server_id),
    columns: [
      {
        key: "name",
        title: "Name",
        text: ({ member }) => member.server_name,
        sort: ({ member }) => member.server_name,
      },
      {
        ...{ key: "state", title: "State", mark: ({ member }: MemberRow) => standing(member) },
        text: ({ member }) => STANDING_WORDS[standing(member)],
        sort: ({ member }) => standing(member),
      },
      {
        key: "zone",
        title: "Zone",
        text: ({ member }) => member.zone || "–",
        sort: ({ member }) => member.zone,
      },
      {
        key: "version",
        title: "Version",
        text: ({ member }) => `${member.kind} ${member.version}`.trim() || "–",
      },
      figure("connections", "Connections", ({ member }) => member.connections, exact),
      figure("subscriptions", "Subs", ({ member }) => member.subscriptions, exact),
      figure("in", "In/s", ({ rates }) => rates.inMessages, count),
      figure("out", "Out/s", ({ rates }) => rates.outMessages, count),
      figure("bytesIn", "Bytes in/s", ({ rates }) => rates.inBytes, bytes),
      figure("bytesOut", "Bytes out/s", ({ rates }) => rates.outBytes, bytes),
      figure(
        "cpu",
        "CPU",
        ({ member }) => member.cpu,
        (value) => `${value} %`,
      ),
      figure("mem", "Memory", ({ member }) => member.mem, bytes),
      figure("slow", "Slow", ({ member }) => member.slow_consumers, exact),
      figure("uptime", "Uptime", ({ member }) => member.uptime_ms, duration),
    ],
  });
}

function routesTable(): Table<RouteRow> {
  return new Table<RouteRow>({
    caption: "Routes of the chosen member",
    rowKey: ({ edge }) => edge.key,
    empty: "No routes.",
    columns: [
      { key: "peer", title: "Peer", text: ({ peer }) => peer, sort: ({ peer }) => peer },
      {
        key: "rtt",
        title: "RTT",
        text: ({ edge }) => milliseconds(edge.rttMs),
        sort: ({ edge }) => edge.rttMs,
        isNumber: true,
      },
      { key: "in", title: "In/s", text: (row) => count(row.in), sort: (row) => row.in, isNumber: true },
      { key: "out", title: "Out/s", text: (row) => count(row.out), sort: (row) => row.out, isNumber: true },
      {
        key: "pending",
        title: "Pending",
        text: ({ edge }) => bytes(edge.pending),
        sort: ({ edge }) => edge.pending,
        isNumber: true,
      },
      {
        key: "routes",
        title: "Routes",
        text: ({ edge }) => String(edge.routes),
        sort: ({ edge }) => edge.routes,
        isNumber: true,
      },
    ],
  });
}

function slowLatestTable(): Table<ShownEvent> {
  return new Table<ShownEvent>({
    caption: "The latest slow consumers",
    rowKey: ({ server, time, about }) => JSON.stringify([server, time, about]),
    empty: "",
    columns: [
      { key: "time", title: "Time", text: ({ time }) => clock(Date.parse(time)) },
      { key: "server", title: "Member", text: ({ server }) => server },
      { key: "about", title: "Who, and why", text: ({ about }) => about },
    ],
  });
}

/** A member's name leads to those of its connections that were cut. */
function slowTable(onChoose: (id: string) => void): Table<Member> {
  return new Table<Member>({
    caption: "Slow consumers by member",
    rowKey: ({ server_id }) => server_id,
    empty: "No connection was cut for being slow, and no publisher was held up.",
    onChoose: ({ server_id }) => onChoose(server_id),
    columns: [
      { key: "name", title: "Member", text: (one) => one.server_name, sort: (one) => one.server_name },
      {
        key: "slow",
        title: "Cut",
        text: (one) => exact(one.slow_consumers),
        sort: (one) => one.slow_consumers,
        isNumber: true,
      },
      {
        key: "stalls",
        title: "Stalls",
        text: (one) => exact(one.stalled_clients),
        sort: (one) => one.stalled_clients,
        isNumber: true,
      },
    ],
  });
}

function nameOfAccount({ name, name_tag }: AccountFigures): string {
  return name_tag ?? name;
}

function accountsTable(): Table<AccountFigures> {
  const figure = (key: keyof AccountFigures, title: string, text: (value: number) => string) => ({
    ...{ key, title, isNumber: true },
    text: (row: AccountFigures) => text(Number(row[key])),
    sort: (row: AccountFigures) => Number(row[key]),
  });
  return new Table<AccountFigures>({
    caption: "Accounts",
    rowKey: ({ name }) => name,
    empty: "No accounts.",
    columns: [
      { key: "name", title: "Account", text: nameOfAccount, sort: nameOfAccount },
      figure("connections", "Conns", exact),
      figure("subscriptions", "Subs", exact),
      figure("in_msgs", "Msgs in", count),
      figure("out_msgs", "Msgs out", count),
      figure("slow_consumers", "Slow", exact),
    ],
  });
}
