/**
 * Looks into a stream: some messages from the newest or oldest, a sequence or a time on, on subjects that a pattern covers, and one of them
 * with its headers and payload. It reads only, and asks only when somebody wants to see something.
 */
import { byId, set, setOptions, setText } from "./dom.ts";
import type { Feed } from "./feed.ts";
import { bytes, exact } from "./format.ts";
import { accountNames, type Cluster, type ShownStream } from "./model.ts";
import { fromBase64, preview, shownHeaders, shownPayload, type PayloadForm } from "./payload.ts";
import { Table } from "./table.ts";

const PAGE = 25;
const PREVIEW_BYTES = 256;
/** As much as the server shows of one payload. */
const PAYLOAD_BYTES = 64 * 1024;

interface ShownMessage {
  readonly seq: number;
  readonly time: string;
  readonly subject: string;
  /** Bytes of all headers, and of the whole payload. */
  readonly hdrs_size: number;
  readonly size: number;
  /** Base64 of as much as was asked for. */
  readonly hdrs: string;
  readonly data: string;
}

interface Answer {
  readonly first_seq: number;
  readonly last_seq: number;
  readonly messages: readonly ShownMessage[];
  /** 0: there is nothing more. */
  readonly next: number;
}

type Direction = "newer" | "older";

const OFF =
  "Messages are shown where the monitoring port asks for credentials (monitor.authorization), or with monitor.show_messages.";

export class Messages {
  private readonly feed: Feed;
  private readonly stream = byId<HTMLSelectElement>("messages-stream");
  private readonly from = byId<HTMLSelectElement>("messages-from");
  private readonly sequence = byId<HTMLInputElement>("messages-sequence");
  private readonly time = byId<HTMLInputElement>("messages-time");
  private readonly subject = byId<HTMLInputElement>("messages-subject");
  private readonly form = byId<HTMLSelectElement>("messages-form");
  private readonly note = byId("messages-note");
  private readonly older = byId<HTMLButtonElement>("messages-older");
  private readonly newer = byId<HTMLButtonElement>("messages-newer");
  private readonly place = byId("message");
  private readonly table: Table<ShownMessage>;
  private rows: readonly ShownMessage[] = [];
  private opened: ShownMessage | null = null;
  /** Sequences beyond what has been looked at; 0: there is nothing. */
  private below = 0;
  private above = 0;
  /** Answers to earlier questions are not shown. */
  private asked = 0;
  /** Of what is shown. */
  private shownStream = "";

  constructor(feed: Feed) {
    this.feed = feed;
    this.table = messagesTable(
      () => this.payloadForm,
      (message) => void this.open(message.seq),
    );
    byId("messages").append(this.table.element);
    byId("messages-controls").addEventListener("submit", (event) => {
      event.preventDefault();
      this.begin();
    });
    this.from.addEventListener("change", () => this.showFields());
    this.stream.addEventListener("change", () => this.begin());
    this.form.addEventListener("change", () => this.render());
    this.older.addEventListener("click", () => void this.ask("older", { seq: this.below }));
    this.newer.addEventListener("click", () => void this.ask("newer", { seq: this.above }));
    this.showFields();
  }

  /** Offers the streams of the member that was asked: those of others are on their own pages. */
  offer(cluster: Cluster): void {
    const { server_id, members, shows_messages: isOn } = cluster;
    const names = accountNames(cluster);
    const streams = members.find((one) => one.server_id === server_id)?.streams ?? [];
    byId("messages-panel").hidden = streams.length === 0;
    byId("messages-controls").hidden = byId("messages-pager").hidden = this.table.element.hidden = !isOn;
    byId("messages-off").hidden = isOn;
    setText(byId("messages-off"), OFF);
    if (!isOn || streams.length === 0) return this.clear();
    const before = this.stream.value;
    setOptions(this.stream, [
      ["", "choose a stream"],
      ...streams.map(
        ({ account, name }) =>
          [
            JSON.stringify([account, name]),
            account === "$G" ? name : `${name} (${names.get(account) ?? account})`,
          ] as const,
      ),
    ]);
    if (this.stream.value !== before) this.clear();
  }

  /** Shows the newest messages of a stream. */
  choose({ account, name, server, isHere }: ShownStream): void {
    this.stream.value = isHere ? JSON.stringify([account, name]) : "";
    this.from.value = "newest";
    this.subject.value = "";
    this.showFields();
    this.begin();
    if (!isHere) setText(this.note, `${name} is kept by ${server}: its own page shows its messages.`);
    byId("messages-panel").scrollIntoView({ block: "nearest" });
    this.stream.focus();
  }

  private get payloadForm(): PayloadForm {
    return this.form.value as PayloadForm;
  }

  private showFields(): void {
    byId("messages-sequence-label").hidden = this.from.value !== "sequence";
    byId("messages-time-label").hidden = this.from.value !== "time";
  }

  private clear(): void {
    this.asked++;
    this.rows = [];
    this.opened = null;
    this.below = this.above = 0;
    setText(this.note, "");
    this.render();
  }

  private begin(): void {
    this.clear();
    if (this.stream.value === "") return;
    this.shownStream = this.stream.value;
    const { value } = this.from;
    if (value === "newest") return void this.ask("older", {});
    if (value !== "time")
      return void this.ask("newer", value === "oldest" ? {} : { seq: this.sequence.value });
    const time = new Date(this.time.value);
    if (Number.isNaN(time.getTime())) setText(this.note, "Give a time to begin at.");
    else void this.ask("newer", { time: time.toISOString() });
  }

  private path(more: Readonly<Record<string, string | number>>): string {
    const [account = "", stream = ""] = JSON.parse(this.shownStream) as string[];
    const query = new URLSearchParams({ acc: account, stream, subject: this.subject.value.trim() });
    for (const [key, value] of Object.entries(more)) query.set(key, String(value));
    return `messagez?${query}`;
  }

  private async ask(direction: Direction, from: Readonly<Record<string, string | number>>): Promise<void> {
    const asked = ++this.asked;
    const back: Readonly<Record<string, string>> = direction === "older" ? { back: "1" } : {};
    try {
      const path = this.path({ ...from, ...back, limit: PAGE, bytes: PREVIEW_BYTES });
      const answer = (await this.feed.get(path)) as Answer;
      if (asked === this.asked) this.take(direction, answer);
    } catch (error) {
      if (asked === this.asked)
        setText(this.note, `Not shown: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  private take(direction: Direction, { messages, next, first_seq: first, last_seq: last }: Answer): void {
    const found = messages.toSorted((a, b) => a.seq - b.seq);
    const [lowest, highest] = [found[0]?.seq ?? 0, found.at(-1)?.seq ?? 0];
    if (direction === "older") {
      if (highest > 0) this.above = highest + 1;
      else if (this.above === 0) this.above = last + 1;
      this.below = next;
    } else {
      if (lowest > 0) this.below = lowest > first ? lowest - 1 : 0;
      this.above = next === 0 ? Math.max(highest + 1, this.above, last + 1) : next;
    }
    this.rows = found;
    const range = found.length === 0 ? "No messages" : `${exact(lowest)} to ${exact(highest)}`;
    const stopped =
      found.length > 0 || next === 0
        ? ""
        : ` so far: go on ${direction === "older" ? "below" : "at"} ${exact(next)}`;
    setText(this.note, `${range}${stopped}, the stream has ${exact(first)} to ${exact(last)}`);
    this.render();
  }

  private async open(sequence: number): Promise<void> {
    const asked = ++this.asked;
    try {
      const answer = (await this.feed.get(
        this.path({ seq: sequence, subject: "", limit: 1, bytes: PAYLOAD_BYTES }),
      )) as Answer;
      if (asked !== this.asked) return;
      const message = answer.messages[0];
      if (message?.seq !== sequence) throw new Error(`the message ${exact(sequence)} has gone`);
      this.opened = message;
      this.render();
      this.place.focus();
    } catch (error) {
      if (asked === this.asked)
        setText(this.note, `Not shown: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  private render(): void {
    this.table.show(this.rows, String(this.opened?.seq ?? ""));
    this.older.disabled = this.below === 0;
    this.newer.disabled = this.above === 0;
    this.place.hidden = this.opened === null;
    if (this.opened === null) return;
    const { seq, time, subject, size, hdrs, hdrs_size: headersSize, data } = this.opened;
    const [headers, payload] = [fromBase64(hdrs), fromBase64(data)];
    setText(byId("message-title"), `Message ${exact(seq)} on ${subject}`);
    const cut = (shown: number, whole: number): string =>
      shown < whole ? `, of which the first ${bytes(shown)} are shown` : "";
    setText(
      byId("message-facts"),
      `${time}, payload ${bytes(size)}${cut(payload.length, size)}, headers ${bytes(headersSize)}${cut(headers.length, headersSize)}`,
    );
    const shownLines = shownHeaders(headers);
    set(byId("message-headers"), { hidden: shownLines === "" });
    setText(byId("message-headers"), shownLines);
    setText(
      byId("message-payload"),
      shownPayload(payload, this.payloadForm, payload.length === size ? "whole" : "beginning"),
    );
  }
}

function messagesTable(form: () => PayloadForm, onChoose: (row: ShownMessage) => void): Table<ShownMessage> {
  return new Table<ShownMessage>({
    caption: "Messages",
    rowKey: ({ seq }) => String(seq),
    empty: "No messages.",
    onChoose,
    columns: [
      { key: "seq", title: "Sequence", text: ({ seq }) => exact(seq), sort: ({ seq }) => seq },
      { key: "time", title: "Time", text: ({ time }) => time, sort: ({ time }) => time },
      { key: "subject", title: "Subject", text: ({ subject }) => subject, sort: ({ subject }) => subject },
      {
        key: "size",
        title: "Size",
        text: ({ size }) => bytes(size),
        sort: ({ size }) => size,
        isNumber: true,
      },
      { key: "payload", title: "Payload", text: ({ data }) => preview(fromBase64(data), form()) || "–" },
    ],
  });
}
