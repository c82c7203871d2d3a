/** The system account as its users see it: requests and their answers, events, and what shape they have. */
import type { Msg, NatsConnection } from "@nats-io/transport-node";
import { waitFor } from "./cluster-wait.ts";

export type Json = Record<string, unknown>;

/** Fields that differ between the two: settings of JetStream, queues of nats-server, counters and times that are left out while they are
 * 0, what a joiner alone has configured. */
const UNLIKE =
  /\.(feature_flags|metadata)\b|^IPQUEUESZ\.data\b|^ROUTEZ\.data\.routes|_stats\b|stale_connection|stalled_clients|_limit\b|gomemlimit|http_req_stats|^VARZ\.data\.cluster\.urls|\.rtt$/;

export interface Event {
  readonly subject: string;
  readonly body: Json;
}

export function listen(admin: NatsConnection, ...subjects: string[]): Event[] {
  const heard: Event[] = [];
  for (const subject of subjects)
    admin.subscribe(subject, { callback: (_, m) => void heard.push({ subject: m.subject, body: m.json() }) });
  return heard;
}

/** Waits for this many answers; for 0, takes those that come before the answers to a question that all answer. */
export async function ask(
  client: NatsConnection,
  subject: string,
  count: number,
  body: unknown = "",
): Promise<Json[]> {
  const payload = typeof body === "string" ? body : JSON.stringify(body);
  const inbox = `_INBOX.test.${++inboxes}`;
  const answers: Json[] = [];
  let others = 0;
  const take = (_: unknown, message: Msg): void => void answers.push(message.json<Json>());
  const subscriptions = [
    client.subscribe(inbox, { callback: take }),
    client.subscribe(`${inbox}.after`, { callback: () => void others++ }),
  ];
  client.publish(subject, payload, { reply: inbox });
  if (count === 0) client.publish("$SYS.REQ.SERVER.PING.VARZ", "", { reply: `${inbox}.after` });
  await waitFor(
    `${count} answers to ${subject}`,
    () => answers.length >= count && (count > 0 || others === 2),
    () => JSON.stringify(answers),
  );
  for (const subscription of subscriptions) subscription.unsubscribe();
  return answers;
}
let inboxes = 0;

export function nameOf(answer: Json): string {
  return ((answer["server"] as Json | undefined)?.["name"] ?? answer["name"]) as string;
}

/** Names and types of all fields. */
export function shape(value: unknown, path: string): Record<string, string> {
  if (UNLIKE.test(path)) return {};
  if (Array.isArray(value)) {
    return Object.assign({ [path]: "array" }, ...value.slice(0, 1).map((item) => shape(item, `${path}[]`)));
  }
  if (typeof value !== "object" || value === null) return { [path]: value === null ? "null" : typeof value };
  return Object.assign(
    { [path]: "object" },
    ...Object.entries(value).map(([key, field]) => shape(field, `${path}.${key}`)),
  );
}
