/** One client that makes requests to JetStream, and what it is answered without what differs from run to run. */
import { headers, type Msg, type NatsConnection } from "@nats-io/transport-node";
import { waitFor } from "../support/cluster-wait.ts";
import type { Step } from "./jetstream-conversations.ts";
import { PATIENT } from "../support/patience.ts";

/** One client that makes requests, and listens meanwhile. */
export class Talk {
  private readonly client: NatsConnection;
  private heard: Msg[] = [];
  /** Where the chunks of a backup are to be sent. */
  private restoresTo = "";

  constructor(client: NatsConnection) {
    this.client = client;
  }

  async take([subject, payload, more]: Step): Promise<unknown> {
    if (subject === "!listen") return this.listen(payload as string);
    if (subject === "!heard") return this.hear(Number(payload));
    if (subject === "!chunk")
      return shown(await this.client.request(this.restoresTo, payload as string, PATIENT));
    if (subject === "!until") return this.until(payload as unknown as Awaiting);
    const extra = headers();
    for (const [name, value] of Object.entries(more ?? {})) extra.set(name, value);
    const body = typeof payload === "object" ? JSON.stringify(payload) : (payload ?? "");
    const withHeaders = more === undefined ? {} : { headers: extra };
    if (subject.startsWith("!publish ")) {
      const [, to = "", reply] = subject.split(" ");
      this.client.publish(to, body, { ...withHeaders, ...(reply === undefined ? {} : { reply }) });
      return null;
    }
    try {
      // messages come with the stream's subject: only an inbox of its own tells which request they answer
      const noMux = subject.includes(".MSG.NEXT.");
      const answer = await this.client.request(subject, body, { timeout: 20_000, noMux, ...withHeaders });
      if (subject.includes(".RESTORE.")) this.restoresTo = answer.json<Restoring>().deliver_subject ?? "";
      return shown(answer);
    } catch (error) {
      return String(error);
    }
  }

  private async listen(subject: string): Promise<null> {
    this.client.subscribe(subject, { callback: (_, message) => void this.heard.push(message) });
    await this.client.flush();
    return null;
  }

  /** The first messages that came in, this many. */
  private async hear(count: number): Promise<unknown> {
    await waitFor(
      `${count} messages`,
      () => (this.heard.length >= count ? true : undefined),
      () => JSON.stringify(this.heard.map(shown)),
    );
    return this.heard.splice(0, count).map(shown);
  }

  private async until({ request, path, is }: Awaiting): Promise<unknown> {
    for (;;) {
      let value: unknown = (await this.client.request(request, "", { timeout: 20_000 })).json();
      for (const key of path.split(".")) value = (value as Record<string, unknown> | undefined)?.[key];
      if (value === is) return value;
    }
  }
}

interface Restoring {
  readonly deliver_subject?: string;
}

interface Awaiting {
  readonly request: string;
  readonly path: string;
  readonly is: unknown;
}

/** What an answer says, without what differs from run to run. */
function shown(message: Msg): unknown {
  const text = message.string();
  const head = message.headers;
  const all = head === undefined ? [] : head.keys().map((key) => `${key}: ${timeless(head.get(key))}`);
  const status = head === undefined || head.code === 0 ? "" : `${head.code} ${head.description}`;
  const json = /^[{[]/.test(text) ? (JSON.parse(text) as unknown) : text;
  const to = message.subject.startsWith("_INBOX.") ? "" : message.subject;
  const acked = message.reply === undefined ? "" : timeless(message.reply.replace(/\d{19}/, "T"));
  return { to, acked, status, headers: all, body: strip(json) };
}

function timeless(text: string): string {
  return text
    .replaceAll(/20\d\d-\d\d-\d\dT[\d:.]+Z/g, "T")
    .replaceAll(/\b[0-9A-Za-z]{22}\b/g, "ID")
    .replace(/^((?:[^ ]+ ){5}|)[0-9A-Za-z]{8}$/, "$1IDENTITY")
    .replace(/^(\$JS\.FC\.[^.]+\.[^.]+)\.[0-9A-Za-z]+$/, "$1.ID");
}

const VARIES = new Set([
  "active",
  "lag",
  "created",
  "ts",
  "id",
  "timestamp",
  "ack_time",
  "pinned_id",
  "pinned_client_id",
  "pinned_ts",
  "time",
  "first_ts",
  "last_ts",
  "last_active",
  "leader",
  "_nats.ver",
  "_nats.level",
  "level",
  "server",
  "response",
]);

function strip(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(strip);
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, stripField(key, one)]));
}

function stripField(key: string, value: unknown): unknown {
  if (key === "client" && typeof value === "object" && value !== null)
    return Object.keys(value)
      .filter((name) => name !== "rtt") // where it has been measured
      .toSorted();
  return VARIES.has(key) ? typeof value : inOrder(key, strip(value));
}

/** nats-server lists the state of sources in any order. */
function inOrder(key: string, value: unknown): unknown {
  if (key !== "sources" || !Array.isArray(value)) return value;
  return value.map((one) => JSON.stringify(one)).toSorted();
}
