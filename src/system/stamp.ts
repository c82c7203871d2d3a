/** Identifies the sender of messages in the system account: the server, a growing number, and the time. */
import type { Clock } from "../base/clock.ts";
import { FEATURE_FLAGS } from "../monitor/feature-flags.ts";
import { goTime } from "../monitor/go-format.ts";
import type { MonitorSource } from "../monitor/source.ts";

/** Flags of a server with JetStream, binary snapshots and replication within accounts. */
const JETSTREAM_FLAGS = 7;

export class Stamp {
  private sequence = 0;
  private readonly source: MonitorSource;
  private readonly clock: Clock;

  constructor(source: MonitorSource, clock: Clock) {
    this.source = source;
    this.clock = clock;
  }

  /** The field `server` of the next message. */
  next(): object {
    const keepsStreams = this.source.jetStream() !== null;
    const { name, host, id, version, tags, metadata } = this.source.facts();
    return {
      name,
      host,
      id,
      cluster: this.source.clusterFacts()?.name,
      ver: version,
      tags: tags.length === 0 ? undefined : tags,
      metadata,
      feature_flags: FEATURE_FLAGS,
      jetstream: keepsStreams,
      flags: keepsStreams ? JETSTREAM_FLAGS : 0,
      seq: ++this.sequence,
      time: goTime(this.clock.nowMs()),
    };
  }
}
