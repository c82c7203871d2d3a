/**
 * Where JetStream listens for what there is in one account: direct gets of its streams, pulls of its consumers, and in a cluster
 * acknowledgements to those that work here: other servers need not get them. It follows each change
 * by itself: what a change costs does not grow with what there is besides.
 */
import type { StreamAssets } from "./assets.ts";
import { DirectGets } from "./api/direct.ts";
import type { Consumer } from "./consumer/consumer.ts";
import { payloadOf, type AccountHost, type Incoming } from "./host.ts";

const NEXT = "$JS.API.CONSUMER.MSG.NEXT.";
const ACK = "$JS.ACK.";

interface Listened {
  readonly direct: DirectGets;
  /** By the name of the consumer. */
  readonly pulls: Map<string, readonly Disposable[]>;
}

export class Listeners {
  /** Consumers that deliver to a subject. */
  readonly pushes = new Set<Consumer>();
  private readonly host: AccountHost;
  private readonly streams: ReadonlyMap<string, StreamAssets>;
  private readonly listened = new Map<StreamAssets, Listened>();
  /** Those that copy another stream, and may answer for it. */
  private readonly mirrors = new Set<StreamAssets>();
  private readonly acknowledged: ((message: Incoming) => void) | null;

  /** `acknowledged`: gets acknowledgements to consumers that are here; null: whoever calls listens for all of them. */
  constructor(
    host: AccountHost,
    streams: ReadonlyMap<string, StreamAssets>,
    acknowledged: ((message: Incoming) => void) | null,
  ) {
    this.host = host;
    this.streams = streams;
    this.acknowledged = acknowledged;
  }

  /** A stream has come, gone or changed. */
  streamChanged(assets: StreamAssets): void {
    const { name, mirror } = assets.stream.config;
    if (this.streams.get(name) === assets) {
      this.of(assets).direct.follow();
      if (mirror === null) this.mirrors.delete(assets);
      else this.mirrors.add(assets);
      for (const consumer of assets.consumers.values()) this.consumerChanged(assets, consumer);
    } else this.leave(assets);
    for (const other of this.mirrors)
      if (other.stream.config.mirror?.name === name) this.of(other).direct.follow();
  }

  /** A consumer has come or gone. */
  consumerChanged(assets: StreamAssets, consumer: Consumer): void {
    const { name } = consumer;
    const { pulls } = this.of(assets);
    const isThere = assets.consumers.get(name) === consumer;
    if (isThere && consumer.config.deliverSubject !== "") this.pushes.add(consumer);
    else this.pushes.delete(consumer);
    if (isThere && !pulls.has(name)) pulls.set(name, this.listen(assets, name));
    if (assets.consumers.has(name)) return;
    dispose(pulls.get(name));
    pulls.delete(name);
  }

  /** Mirrors catch up meanwhile. */
  followMirrors(): void {
    for (const assets of this.mirrors) this.of(assets).direct.follow();
  }

  stop(): void {
    for (const assets of this.listened.keys()) this.leave(assets);
  }

  private of(assets: StreamAssets): Listened {
    let found = this.listened.get(assets);
    if (found !== undefined) return found;
    found = { direct: new DirectGets(assets, (name) => this.streams.has(name)), pulls: new Map() };
    this.listened.set(assets, found);
    return found;
  }

  private listen({ stream, consumers }: StreamAssets, name: string): readonly Disposable[] {
    const { host, acknowledged } = this;
    const full = `${stream.config.name}.${name}`;
    const pulls = host.listen(`${NEXT}${full}`, (message) =>
      consumers.get(name)?.pull(payloadOf(message), message.reply),
    );
    if (acknowledged === null || consumers.get(name)?.config.ackPolicy === "none") return [pulls];
    return [pulls, host.listen(`${ACK}${full}.>`, acknowledged)];
  }

  private leave(assets: StreamAssets): void {
    const { direct, pulls } = this.of(assets);
    direct.stop();
    for (const listeners of pulls.values()) dispose(listeners);
    for (const consumer of assets.consumers.values()) this.pushes.delete(consumer);
    this.listened.delete(assets);
    this.mirrors.delete(assets);
  }
}

function dispose(listeners: readonly Disposable[] = []): void {
  for (const listener of listeners) listener[Symbol.dispose]();
}
