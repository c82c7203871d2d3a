/** Advisories: what JetStream tells whoever listens on `$JS.EVENT.ADVISORY.>`. Nobody is owed one. */
import type { AccountHost } from "./host.ts";
import { formatTime } from "./time.ts";
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

export function advise(
  host: AccountHost,
  subject: string,
  type: string,
  fields: Readonly<Record<string, unknown>>,
): void {
  const to = `$JS.EVENT.ADVISORY.${subject}`;
  if (!host.isAwaited(to)) return;
  const body = {
    type: `io.nats.jetstream.advisory.v1.${type}`,
    id: nuid(host.random),
    timestamp: formatTime(host.nowNs()),
    ...fields,
  };
  const payload = Buffer.from(JSON.stringify(body), "latin1");
  host.afterwards(() => void host.send({ subject: to, reply: "", headers: "", payload }));
}
