/** Advisories: what JetStream publishes on `$JS.EVENT.ADVISORY.>`. They may get lost. */
import type { AccountHost } from "./host.ts";
import { formatTime, NO_TIME } from "./time.ts";
import { nuid } from "../base/base62.ts";

/** The subject of an advisory: a stream, and the consumer if it is about one. */
interface AdvisedConsumer {
  readonly name: string;
  readonly stream: { readonly config: { readonly name: string } };
}

/** `subject`: behind `$JS.EVENT.ADVISORY.`, before the names of stream and consumer. `type`: behind `io.nats.jetstream.advisory.v1.`. */
export type Advise = (
  subject: string,
  type: string,
  about: AdvisedConsumer,
  fields: Readonly<Record<string, unknown>>,
) => void;

export function adviseConsumer(host: AccountHost): Advise {
  return (subject, type, { name, stream }, fields) => {
    const streamName = stream.config.name;
    advise(host, `${subject}.${streamName}.${name}`, type, {
      stream: streamName,
      consumer: name,
      ...fields,
    });
  };
}

export function adviseStream(host: AccountHost, what: string, stream: string, action: string): void {
  advise(host, `STREAM.${what}.${stream}`, "stream_action", { stream, action });
}

export function adviseAbout(host: AccountHost, about: AdvisedConsumer, what: string, action: string): void {
  adviseConsumer(host)(`CONSUMER.${what}`, "consumer_action", about, { action });
}

/** It was paused, or goes on. `pauseUntil`: "": it is not paused. */
export function advisePause(
  host: AccountHost,
  about: AdvisedConsumer & { readonly isPaused: boolean },
  pauseUntil: string,
): void {
  const pause_until = pauseUntil === "" ? NO_TIME : pauseUntil;
  adviseConsumer(host)("CONSUMER.PAUSE", "consumer_pause", about, { paused: about.isPaused, pause_until });
}

/** Tells how long an acknowledgement took. */
export function measureAck(
  host: AccountHost,
  { name, stream }: AdvisedConsumer,
  fields: Readonly<Record<string, unknown>>,
): void {
  const streamName = stream.config.name;
  tell(host, `$JS.EVENT.METRIC.CONSUMER.ACK.${streamName}.${name}`, "metric.v1.consumer_ack", {
    stream: streamName,
    consumer: name,
    ...fields,
  });
}

type Fields = Readonly<Record<string, unknown>>;

/** `fields` may be a function, which is called only where somebody listens. */
export function advise(
  host: AccountHost,
  subject: string,
  type: string,
  fields: Fields | (() => Fields),
): void {
  tell(host, `$JS.EVENT.ADVISORY.${subject}`, `advisory.v1.${type}`, fields);
}

function tell(host: AccountHost, to: string, type: string, given: Fields | (() => Fields)): void {
  if (!host.isAwaited(to)) return;
  const fields = typeof given === "function" ? given() : given;
  const body = {
    type: `io.nats.jetstream.${type}`,
    id: nuid(host.random),
    timestamp: formatTime(host.nowNs()),
    ...Object.fromEntries(Object.entries(fields).map(([name, value]) => [wireName(name), value])),
    ...(host.domain === "" ? {} : { domain: host.domain }),
  };
  const payload = Buffer.from(JSON.stringify(body), "latin1");
  host.afterwards(() => void host.send({ subject: to, reply: "", headers: "", payload }));
}

/** `pinnedId` is written as `pinned_id`. */
function wireName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
