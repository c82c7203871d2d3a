/** Saves streams of a JetStream by itself, and restores them, as the `nats` tool does. */
import type { JetStreamStack } from "./jetstream-stack.ts";

type Json = Record<string, unknown>;

export interface Backup {
  readonly config: Json;
  readonly bytes: Buffer;
}

let inboxes = 0;
const CHUNK_BYTES = 16 * 1024;
/** How long a server waits before it sends the first chunk. */
const START_MS = 300;

export function save(stack: JetStreamStack, stream: string): Backup {
  const to = `chunks.${++inboxes}`;
  const chunks: string[] = [];
  stack.hear(to, ({ reply, text }) => {
    chunks.push(text);
    if (reply !== "") stack.publish(reply);
  });
  const asked = { deliver_subject: to, chunk_size: CHUNK_BYTES };
  const { config } = stack.request(`STREAM.SNAPSHOT.${stream}`, asked) as { config: Json };
  stack.advance(START_MS);
  return { config, bytes: Buffer.from(chunks.join(""), "latin1") };
}

/** The last answer: stream info, or an error. */
export function restore(stack: JetStreamStack, { config, bytes }: Backup): Json {
  const started = stack.request(`STREAM.RESTORE.${String(config["name"])}`, { config, state: {} });
  const to = started["deliver_subject"];
  if (typeof to !== "string" || to === "") return started;
  for (let at = 0; ; at += CHUNK_BYTES) {
    const chunk = bytes.toString("latin1", at, Math.min(at + CHUNK_BYTES, bytes.length));
    const answer = stack.ask(to, chunk)?.text ?? "";
    if (answer !== "") return JSON.parse(answer) as Json;
    if (chunk === "") throw new Error("the last chunk of a backup got no answer");
  }
}
