/** Connections and subscriptions of one member: sorted, searched and paged by the server, so that many of them are no burden. */
import { byId, set, setOptions, setText } from "./dom.ts";
import type { Feed } from "./feed.ts";
import { bytes, count, exact } from "./format.ts";
import type { Member } from "./model.ts";
import { Table, type Column } from "./table.ts";

type Row = Readonly<Record<string, unknown>>;
type Kind = "open" | "closed" | "subs";

const PAGE = 100;
const EVERY_MS = 4000;
const TYPING_MS = 250;
/** As the server sorts by them; by all others the largest first. */
const ASCENDING = new Set(["cid", "idle", "uptime", "reason"]);

function text(row: Row, key: string): string {
  const value = row[key];
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

const number = (row: Row, key: string): number => Number(row[key] ?? 0);

/** `sort`: the key of `/connz`. */
function column(
  key: string,
  title: string,
  from: (row: Row) => string,
  sort: string | null = key,
): Column<Row> {
  return { key: sort ?? key, title, text: from, ...(sort === null ? {} : { sort: () => 0 }) };
}

function figure(
  key: string,
  title: string,
  sort: string | null,
  shown: (value: number) => string = count,
): Column<Row> {
  return { ...column(key, title, (row) => shown(number(row, key)), sort), isNumber: true };
}

const CONNECTIONS: readonly Column<Row>[] = [
  figure("cid", "Id", "cid", String),
  column("name", "Name", (row) => text(row, "name") || "–", null),
  column("ip", "Address", (row) => `${text(row, "ip")}:${text(row, "port")}`, null),
  column("user", "User", (row) => text(row, "authorized_user") || "–", null),
  column("account", "Account", (row) => text(row, "name_tag") || text(row, "account") || "$G", null),
  column("lang", "Client", (row) => `${text(row, "lang")} ${text(row, "version")}`.trim() || "–", null),
];
const FIGURES: readonly Column<Row>[] = [
  figure("subscriptions", "Subs", "subs", exact),
  figure("pending_bytes", "Pending", "pending", bytes),
  figure("in_msgs", "Msgs in", "msgs_from"),
  figure("out_msgs", "Msgs out", "msgs_to"),
  figure("in_bytes", "Bytes in", "bytes_from", bytes),
  figure("out_bytes", "Bytes out", "bytes_to", bytes),
];

const COLUMNS: Readonly<Record<Kind, readonly Column<Row>[]>> = {
  open: [
    ...CONNECTIONS,
    ...FIGURES,
    { ...column("rtt", "RTT", (row) => text(row, "rtt") || "–"), isNumber: true },
    { ...column("uptime", "Uptime", (row) => text(row, "uptime")), isNumber: true },
    { ...column("idle", "Idle", (row) => text(row, "idle")), isNumber: true },
  ],
  closed: [
    ...CONNECTIONS,
    column("reason", "Reason", (row) => text(row, "reason")),
    ...FIGURES,
    {
      ...column("stop", "Ended", (row) => new Date(text(row, "stop")).toLocaleTimeString("en-GB")),
      isNumber: true,
    },
  ],
  subs: [
    {
      key: "subject",
      title: "Subject",
      text: (row) => text(row, "subject"),
      sort: (row) => text(row, "subject"),
    },
    { key: "queue", title: "Queue group", text: (row) => queue(row) || "–", sort: queue },
    {
      key: "account",
      title: "Account",
      text: accountOfSubscription,
      sort: accountOfSubscription,
    },
    {
      key: "cid",
      title: "Connection",
      text: (row) => text(row, "cid"),
      sort: (row) => number(row, "cid"),
      isNumber: true,
    },
    { key: "sid", title: "Sid", text: (row) => text(row, "sid"), isNumber: true },
    {
      key: "msgs",
      title: "Messages",
      text: (row) => count(number(row, "msgs")),
      sort: (row) => number(row, "msgs"),
      isNumber: true,
    },
  ],
};

function listed(value: unknown): Row[] {
  return Array.isArray(value) ? (value as Row[]) : [];
}

function accountOfSubscription(row: Row): string {
  return text(row, "account_tag") || text(row, "account");
}

function queue(row: Row): string {
  return text(row, "qgroup");
}

export class Clients {
  private readonly feed: Feed;
  private readonly member = byId<HTMLSelectElement>("table-member");
  private readonly kindSelect = byId<HTMLSelectElement>("table-kind");
  private readonly search = byId<HTMLInputElement>("table-search");
  private readonly place = byId("clients");
  private readonly note = byId("clients-note");
  private readonly previous = byId<HTMLButtonElement>("previous");
  private readonly next = byId<HTMLButtonElement>("next");
  private table: Table<Row> | null = null;
  private tableKind: Kind | null = null;
  private sort = "cid";
  private offset = 0;
  /** Ids of nats-servers. */
  private foreign = new Set<string>();
  private typing: number | undefined;
  private timer: number | undefined;
  /** Number of the latest question; answers to earlier ones are dropped. */
  private asked = 0;

  constructor(feed: Feed) {
    this.feed = feed;
    this.member.addEventListener("change", () => this.restart());
    this.kindSelect.addEventListener("change", () => {
      this.sort = this.kindSelect.value === "closed" ? "stop" : "cid";
      this.restart();
    });
    this.search.addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.restart(), TYPING_MS);
    });
    this.previous.addEventListener("click", () => this.turn(-PAGE));
    this.next.addEventListener("click", () => this.turn(PAGE));
  }

  /** The first call asks. */
  offer(members: readonly Member[]): void {
    const before = this.member.value;
    this.foreign = new Set(members.filter(({ kind }) => kind === "nats-server").map((one) => one.server_id));
    const answering = members.filter(({ state }) => state !== "silent");
    setOptions(
      this.member,
      answering.map(({ server_id, server_name }) => [server_id, server_name] as const),
    );
    if (this.member.value !== before) this.restart();
  }

  choose(id: string): void {
    if (this.member.value === id) return;
    this.member.value = id;
    this.restart();
  }

  /** Those of a member that were cut for being slow. */
  showSlow(id: string): void {
    this.member.value = id;
    this.kindSelect.value = "closed";
    this.sort = "stop";
    this.search.value = this.isForeign ? "" : "Slow Consumer";
    this.restart();
    this.kindSelect.focus();
  }

  private turn(by: number): void {
    this.offset = Math.max(0, this.offset + by);
    void this.ask();
  }

  /** A nats-server does not search. */
  private get isForeign(): boolean {
    return this.foreign.has(this.member.value);
  }

  private restart(): void {
    this.search.disabled = this.isForeign;
    this.search.placeholder = this.isForeign ? "nats-servers cannot search" : "name, address, user, subject";
    this.offset = 0;
    void this.ask();
  }

  private get kind(): Kind {
    return this.kindSelect.value as Kind;
  }

  private path(): string {
    const { kind, sort, offset } = this;
    const table = kind === "subs" ? "subsz" : "connz";
    const query = new URLSearchParams({
      offset: String(offset),
      limit: String(PAGE),
      search: this.isForeign ? "" : this.search.value,
    });
    if (kind !== "subs") {
      query.set("sort", sort);
      query.set("state", kind);
    }
    const id = this.member.value;
    if (id !== this.feed.cluster?.server_id)
      return `clusterz?server=${encodeURIComponent(id)}&table=${table}&${query}`;
    return `${table}?${kind === "subs" ? "subs=1" : "auth=1"}&${query}`;
  }

  private async ask(): Promise<void> {
    clearTimeout(this.timer);
    const asked = ++this.asked;
    if (this.member.value !== "" && !document.hidden) {
      const { kind } = this;
      set(this.place, { "aria-busy": "true" });
      try {
        const answer = (await this.feed.get(this.path())) as Row;
        if (asked !== this.asked) return;
        this.show(kind, answer);
      } catch (error) {
        if (asked !== this.asked) return;
        setText(this.note, `Not shown: ${error instanceof Error ? error.message : String(error)}`);
      }
      set(this.place, { "aria-busy": "false" });
    }
    this.timer = setTimeout(() => void this.ask(), EVERY_MS);
  }

  private show(kind: Kind, answer: Row): void {
    const rows = listed(answer[kind === "subs" ? "subscriptions_list" : "connections"]);
    this.tableOf(kind).show(rows);
    const isSearched = !this.isForeign && this.search.value.trim() !== "";
    const total = number(answer, "total");
    const found = Number(answer["found"] ?? total);
    const range =
      rows.length === 0 ? "None" : `${exact(this.offset + 1)} to ${exact(this.offset + rows.length)}`;
    const of = isSearched && kind !== "subs" ? `${exact(found)} found among ${exact(total)}` : exact(found);
    setText(this.note, `${range} of ${of}`);
    this.previous.disabled = this.offset === 0;
    this.next.disabled = this.offset + rows.length >= found;
  }

  private tableOf(kind: Kind): Table<Row> {
    if (this.table === null || this.tableKind !== kind) {
      this.tableKind = kind;
      this.table = new Table<Row>({
        caption: kind === "subs" ? "Subscriptions" : `Connections, ${kind}`,
        columns: COLUMNS[kind],
        rowKey: (row) => (kind === "subs" ? `${text(row, "cid")} ${text(row, "sid")}` : text(row, "cid")),
        empty: kind === "subs" ? "No subscriptions." : "No connections.",
        ...(kind === "subs" ? {} : { onSort: (key: string) => this.sortBy(key) }),
      });
      this.place.replaceChildren(this.table.element);
    }
    if (kind !== "subs")
      this.table.markSorted(this.sort, ASCENDING.has(this.sort) ? "ascending" : "descending");
    return this.table;
  }

  private sortBy(key: string): void {
    this.sort = key;
    this.restart();
  }
}
