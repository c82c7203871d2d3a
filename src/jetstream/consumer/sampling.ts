/** Metrics of acknowledgements: how long they took, of as many messages as `sample_freq` says. */
import { measureAck } from "../advisories.ts";
import type { AccountHost } from "../host.ts";
import type { ConsumerConfig } from "./config.ts";
import type { Pending } from "./pending.ts";

type Measured = Parameters<typeof measureAck>[1];

export function sampleAck(
  host: AccountHost,
  consumer: Measured & { readonly config: ConsumerConfig },
  sequence: number,
  { consumerSequence, count, timeMs }: Pending,
): void {
  const percent = Number(consumer.config.sampleFrequency.replace("%", ""));
  if (percent <= 0) return;
  if (percent < 100 && Math.floor(host.random.next() * 100) > percent) return; // as nats-server rolls
  measureAck(host, consumer, {
    consumerSeq: consumerSequence,
    streamSeq: sequence,
    ackTime: Math.max(0, Math.round((host.clock.nowMs() - timeMs) * 1e6)),
    deliveries: count,
  });
}
