/** The tables of streams and consumers: size, rates, lag, and why a consumer delivers nothing now. Not shown where nobody keeps streams. */
import { byId, setText } from "./dom.ts";
import type { Feed } from "./feed.ts";
import { bytes, count, exact, plural } from "./format.ts";
import {
  consumersOf,
  streamsOf,
  type Cluster,
  type ShownConsumer,
  type ShownStream,
  type StreamFigures,
} from "./model.ts";
import { Table, type Column } from "./table.ts";

export class Streams {
  private readonly feed: Feed;
  private readonly streams: Table<ShownStream>;
  private readonly consumers = consumersTable();

  /** `onChoose`: somebody wants to see the messages of a stream. */
  constructor(feed: Feed, onChoose: (stream: ShownStream) => void) {
    this.feed = feed;
    this.streams = streamsTable(onChoose);
    byId("streams").append(this.streams.element);
    byId("consumers").append(this.consumers.element);
  }

  show(cluster: Cluster): void {
    const isKept = cluster.members.some(({ streams_total: total }) => total >= 0);
    byId("streams-panel").hidden = !isKept;
    byId("consumers-panel").hidden = !isKept;
    if (!isKept) return;
    const streams = streamsOf(cluster, this.feed.previous);
    const consumers = consumersOf(cluster, this.feed.previous);
    this.streams.show(streams);
    this.consumers.show(consumers);
    const sum = (key: "streams_total" | "consumers_total"): number =>
      cluster.members.reduce((all, member) => all + Math.max(0, member[key]), 0);
    setText(byId("streams-note"), noteOn(sum("streams_total") - streams.length, "stream"));
    setText(byId("consumers-note"), noteOn(sum("consumers_total") - consumers.length, "consumer"));
  }
}

function noteOn(left: number, what: string): string {
  return left <= 0 ? "" : `${plural(left, `further ${what}`)} not shown.`;
}

/** In words, why it takes nothing or lacks something; "": all is well. */
function trouble({ lost, problem }: StreamFigures): string {
  const words = problem === "" ? [] : [`takes no messages: ${problem}`];
  if (lost > 0) words.push(`${plural(lost, "message")} lost to damage`);
  return words.join("; ");
}

const STANDSTILLS: Readonly<Record<string, string>> = {
  paused: "paused",
  max_ack_pending: "max_ack_pending reached",
  no_interest: "nobody subscribes to its deliver subject",
  no_waiting_pulls: "no waiting pulls",
};

function stateOf({ standstill, pending, ack_pending: unacked }: ShownConsumer): string {
  if (standstill !== "") return STANDSTILLS[standstill] ?? standstill;
  if (pending > 0) return "delivering";
  return unacked === 0 ? "caught up" : "waits for acknowledgements";
}

function streamsTable(onChoose: (row: ShownStream) => void): Table<ShownStream> {
  const figure = (
    key: string,
    title: string,
    of: (row: ShownStream) => number,
    text: (value: number) => string,
  ): Column<ShownStream> => ({ key, title, isNumber: true, sort: of, text: (row) => text(of(row)) });
  return new Table<ShownStream>({
    caption: "Streams",
    rowKey: ({ server, account, name }) => JSON.stringify([server, account, name]),
    empty: "No streams.",
    onChoose,
    columns: [
      { key: "name", title: "Stream", text: ({ name }) => name, sort: ({ name }) => name },
      {
        key: "account",
        title: "Account",
        text: ({ accountName }) => accountName,
        sort: ({ accountName }) => accountName,
      },
      { key: "server", title: "Member", text: ({ server }) => server, sort: ({ server }) => server },
      figure("messages", "Messages", (row) => row.messages, exact),
      figure("bytes", "Size", (row) => row.bytes, bytes),
      figure("rate", "In/s", (row) => row.inMessages, count),
      figure("consumers", "Consumers", (row) => row.consumers, exact),
      figure("first", "First", (row) => row.first_seq, exact),
      figure("last", "Last", (row) => row.last_seq, exact),
      { key: "trouble", title: "Trouble", text: (row) => trouble(row) || "–", sort: trouble },
    ],
  });
}

function consumersTable(): Table<ShownConsumer> {
  const figure = (
    key: string,
    title: string,
    of: (row: ShownConsumer) => number,
    text: (value: number) => string,
  ): Column<ShownConsumer> => ({ key, title, isNumber: true, sort: of, text: (row) => text(of(row)) });
  return new Table<ShownConsumer>({
    caption: "Consumers",
    rowKey: ({ server, account, stream, name }) => JSON.stringify([server, account, stream, name]),
    empty: "No consumers.",
    columns: [
      { key: "name", title: "Consumer", text: ({ name }) => name, sort: ({ name }) => name },
      { key: "stream", title: "Stream", text: ({ stream }) => stream, sort: ({ stream }) => stream },
      {
        key: "account",
        title: "Account",
        text: ({ accountName }) => accountName,
        sort: ({ accountName }) => accountName,
      },
      { key: "state", title: "State", text: stateOf, sort: stateOf },
      figure("lag", "Lag", (row) => row.pending, exact),
      figure("rate", "Out/s", (row) => row.outMessages, count),
      figure("unacked", "Unacked", (row) => row.ack_pending, exact),
      figure("again", "Redelivered", (row) => row.redelivered, exact),
      figure("waiting", "Pulls", (row) => row.waiting, exact),
    ],
  });
}
