/**
 * A mapping: messages on a source go to one of several destinations, chosen by weight, instead. The rules are those of
 * nats-server 2.15: what weights leave of 100 stays on the source, unless the source itself is among the destinations, which
 * means that the rest is to be lost. A cluster may have destinations of its own.
 */
import { MappingError } from "./mapping-error.ts";
import { covers, mappingTransform, sameDestination, type Transform } from "./transform.ts";

export interface MapDestination {
  readonly subject: string;
  /** From 0 to 100. */
  readonly weight: number;
  /** null: for all clusters that have no destinations of their own. */
  readonly cluster: string | null;
}

export interface Destination {
  readonly transform: Transform;
  /** It is the one for rolls from 0 to 99 below this, if none before it is. */
  readonly below: number;
}

export class Mapping {
  readonly source: string;
  private readonly sourceTokens: readonly string[];
  private readonly isLiteral: boolean;
  private readonly general: readonly Destination[];
  private readonly ofCluster = new Map<string, readonly Destination[]>();

  /** Throws MappingError. */
  constructor(source: string, destinations: readonly MapDestination[]) {
    this.source = source;
    this.sourceTokens = source.split(".");
    this.isLiteral = !this.sourceTokens.some((token) => token === "*" || token === ">");
    checkWeights(destinations);
    this.general = weigh(source, destinations, null);
    for (const cluster of new Set(destinations.map((each) => each.cluster))) {
      if (cluster !== null) this.ofCluster.set(cluster, weigh(source, destinations, cluster));
    }
  }

  covers(tokens: readonly string[]): boolean {
    return covers(this.sourceTokens, tokens);
  }

  /** In the order in which they are tried; a message for which none is left is lost. */
  destinationsIn(cluster: string): readonly Destination[] {
    return this.ofCluster.get(cluster) ?? this.general;
  }

  /** All destinations, those without a cluster first. */
  *[Symbol.iterator](): Generator<readonly [Destination, cluster: string | null]> {
    for (const each of this.general) yield [each, null];
    for (const [cluster, own] of this.ofCluster) for (const each of own) yield [each, cluster];
  }

  /** If the source has no wildcards, nats-server passes no tokens to functions: `partition(n)` is a constant then. */
  tokensFor(tokens: readonly string[]): readonly string[] {
    return this.isLiteral ? [] : tokens;
  }
}

function checkWeights(destinations: readonly MapDestination[]): void {
  const subjects = new Set<string>();
  const totals = new Map<string | null, number>();
  for (const { subject, weight, cluster } of destinations) {
    if (subjects.has(subject)) throw new MappingError(`duplicate entry for ${JSON.stringify(subject)}`);
    subjects.add(subject);
    const total = (totals.get(cluster) ?? 0) + weight;
    if (total > 100) throw new MappingError("total weight needs to be <= 100");
    totals.set(cluster, total);
  }
}

function weigh(source: string, all: readonly MapDestination[], cluster: string | null): Destination[] {
  const weighed = all
    .filter((each) => each.cluster === cluster)
    .map(({ subject, weight }) => ({ transform: mappingTransform(source, subject), weight }));
  const rest = 100 - weighed.reduce((sum, { weight }) => sum + weight, 0);
  if (rest > 0 && !all.some(({ subject }) => subject === source)) {
    weighed.push({ transform: mappingTransform(source, sameDestination(source)), weight: rest });
  }
  let below = 0;
  return weighed
    .toSorted((a, b) => a.weight - b.weight)
    .map(({ transform, weight }) => ({ transform, below: (below += weight) }));
}
