/** The origins of one stream: a link to the mirrored stream, or to each source. They follow the configuration. */
import { isDeepStrictEqual } from "node:util";
import type { OriginConfig } from "../stream/origin-config.ts";
import type { Stream } from "../stream/stream.ts";
import { MirrorIntake, SourceIntake } from "./intakes.ts";
import { Link, type LinkOptions } from "./link.ts";
import { consumerName } from "./setup.ts";

/** Questions of flow control that wait for the disk. More are dropped: consumers ask again. */
const WAITING_MAX = 1000;

export class Origins {
  private readonly stream: Stream;
  private links: readonly Link[] = [];
  private waiting: { readonly sequence: number; readonly call: () => void }[] = [];

  constructor(stream: Stream) {
    this.stream = stream;
    stream.onCommitted = (sequence) => this.committed(sequence);
  }

  /** The mirrored stream; null: the stream is no mirror. */
  get mirror(): Link | null {
    return this.stream.config.mirror === null ? null : (this.links[0] ?? null);
  }

  get sources(): readonly Link[] {
    return this.stream.config.mirror === null ? this.links : [];
  }

  /** The configuration, or who leads the stream, has changed: links that are not in it any more go, new ones begin. */
  follow(): void {
    const { mirror, sources } = this.stream.config;
    if (!this.stream.serves) {
      this.stop();
      this.links = []; // the one that leads takes what they took
      this.waiting = [];
      return;
    }
    const wanted = (mirror === null ? sources : [mirror]).map((origin) => this.optionsFor(origin));
    const kept = this.links.filter(({ options }) => wanted.some((one) => isSame(one, options)));
    for (const link of this.links) if (!kept.includes(link)) link.dismiss();
    this.links = wanted.map((one) => kept.find(({ options }) => isSame(one, options)) ?? this.begin(one));
  }

  /** A stream of the account has come. */
  wake(name: string): void {
    for (const link of this.links) {
      const { origin } = link.options;
      if (origin.external === null && origin.name === name) link.wake();
    }
  }

  /** Other servers can be reached that may have origins. */
  wakeFar(): void {
    for (const link of this.links) if (link.options.origin.external !== null) link.wakeFar();
  }

  /** The server stops. */
  stop(): void {
    for (const link of this.links) link.stop();
  }

  /** The stream is deleted. */
  dismiss(): void {
    for (const link of this.links) link.dismiss();
    this.links = [];
  }

  private optionsFor(origin: OriginConfig): Omit<LinkOptions, "intake"> {
    const { host, config } = this.stream;
    return {
      kind: config.mirror === null ? "source" : "mirror",
      origin,
      asker: { stream: config.name, account: host.name, domain: host.domain },
      siblings: config.sources,
      host,
    };
  }

  private begin(options: Omit<LinkOptions, "intake">): Link {
    const { stream } = this;
    const { kind, origin } = options;
    const whenStored = (call: () => void): void => this.whenStored(call);
    const Intake = kind === "mirror" ? MirrorIntake : SourceIntake;
    const link = new Link({ ...options, intake: new Intake(stream, origin, whenStored) });
    link.start();
    return link;
  }

  private whenStored(call: () => void): void {
    const { store, feed } = this.stream;
    if (this.waiting.length >= WAITING_MAX) this.waiting.shift();
    this.waiting.push({ sequence: feed?.last ?? store.last, call });
    this.stream.host.afterwards(() => this.committed(this.stream.commit.sequence));
  }

  private committed(sequence: number): void {
    while ((this.waiting[0]?.sequence ?? Infinity) <= sequence) this.waiting.shift()!.call();
  }
}

function isSame(one: Omit<LinkOptions, "intake">, other: Omit<LinkOptions, "intake">): boolean {
  return isDeepStrictEqual(one.origin, other.origin) && consumerName(one) === consumerName(other);
}
