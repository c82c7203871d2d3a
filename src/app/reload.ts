/**
 * Reloads the configuration of a running server: loads and checks all of it as at the start, has every part prepare what can
 * fail, and only then applies the whole. While anything is wrong, nothing changes. What only a restart can change keeps its
 * value and is named. Requests that come during a reload are answered by one more reload after it.
 */
import type { Clock } from "../base/clock.ts";
import { inRounds, type Pieces } from "../base/pieces.ts";
import type { LiveCell } from "../base/live.ts";
import type { Logger } from "../base/logger.ts";
import { OptionRefused } from "../base/option-refused.ts";
import type { Part } from "../base/part.ts";
import type { Prepared } from "../base/prepared.ts";
import type { Config, Field } from "../config/config.ts";
import { shownChange } from "../config/diff.ts";
import { effectiveConfig, type EffectiveConfig } from "../config/effective.ts";
import type { LoadResult } from "../config/load.ts";
import { sharedWith } from "../config/shared.ts";
import type { Position } from "../config/formats/nats-conf/node.ts";

/** Something that follows the configuration. */
export type ReloadPart = Pick<Part<Config>, "prepare">;

/** The origin of the request. */
export type ReloadReason = "signal" | "request" | "files";

export type ReloadOutcome =
  | {
      readonly kind: "reloaded";
      /** Keys of options that have changed. */
      readonly changed: readonly string[];
      /** Keys of options that wait for a restart. */
      readonly waiting: readonly string[];
      readonly digest: string;
    }
  /** The configuration is as it was. */
  | { readonly kind: "refused"; readonly messages: readonly string[] };

export interface ConfigInForce {
  readonly config: Config;
  /** As `config_digest` of nats-server; "" without a file. */
  readonly digest: string;
  readonly loadedMs: number;
}

/** Counts of reloads since the start, for metrics. */
export interface ReloadRecord {
  readonly succeeded: number;
  readonly refused: number;
  /** The failure of the last reload; null if it succeeded or there was none. */
  readonly failure: ReloadFailure | null;
  /** Keys of options that wait for a restart. */
  readonly waiting: readonly string[];
}

/** Why a reload was refused, as far as it can be told in few words. */
interface ReloadFailure {
  /** Position of the first problem that is in a file. */
  readonly position: Position | null;
}

export interface ReloadOptions {
  /** Replaced by each reload that is taken. */
  readonly inForce: LiveCell<ConfigInForce>;
  readonly record: LiveCell<ReloadRecord>;
  /** The same way as at the start. */
  load(): Promise<LoadResult>;
  /** Applied in this order. */
  readonly parts: readonly ReloadPart[];
  /** The files that were read at the start. */
  readonly files: readonly string[];
  /** Resolves when open connections have followed the change: no client keeps old rights after the answer. */
  followed(): Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
}

type Loaded = LoadResult & { readonly kind: "run" };

/** Why a configuration is not applied. */
interface Refusal extends ReloadFailure {
  readonly messages: readonly string[];
}

export class Reload {
  /** All that the configuration comes from; after a bad load those of the last good one, too. */
  files: readonly string[];
  /** When they began to be read. */
  readMs = performance.timeOrigin;
  private readonly options: ReloadOptions;
  private running: Promise<ReloadOutcome> | null = null;
  private next: Promise<ReloadOutcome> | null = null;

  constructor(options: ReloadOptions) {
    this.options = options;
    this.files = [...options.files, ...certificateFiles(options.inForce.current.config)];
  }

  /** Not rejected, but where a part fails to apply what it has prepared, which is a bug. */
  async run(reason: ReloadReason): Promise<ReloadOutcome> {
    if (this.running === null) return this.begin(reason);
    this.next ??= this.running.then(() => {
      this.next = null;
      return this.begin(reason);
    });
    return this.next;
  }

  private async begin(reason: ReloadReason): Promise<ReloadOutcome> {
    this.running = this.reload(reason);
    try {
      return await this.running;
    } finally {
      this.running = null;
    }
  }

  private async reload(reason: ReloadReason): Promise<ReloadOutcome> {
    this.readMs = this.options.clock.nowMs();
    const loaded = await this.options.load();
    if (loaded.kind === "error") {
      this.files = [...new Set([...this.files, ...loaded.files])];
      return this.refuse(loaded, reason);
    }
    if (loaded.kind !== "run")
      return this.refuse({ messages: [`not a configuration: ${loaded.kind}`], position: null }, reason);
    // Half of a file that is being written, rather than somebody's wish to let everybody in.
    if (loaded.isEmpty)
      return this.refuse({ messages: loaded.warnings, position: beginningOf(loaded) }, reason);
    this.files = [...loaded.files, ...certificateFiles(loaded.config)];
    const before = this.options.inForce.current.config;
    const next = await inRounds(sharedWith(before, loaded.config));
    let effective: EffectiveConfig;
    let prepared: readonly Prepared[];
    try {
      effective = effectiveConfig(before, next);
      prepared = await inRounds(this.prepare(effective.config, before));
    } catch (error) {
      const position = error instanceof OptionRefused ? loaded.positionOf(error.field as Field) : null;
      return this.refuse({ messages: [textOf(error)], position }, reason);
    }
    this.options.inForce.current = {
      config: effective.config,
      digest: loaded.digest,
      loadedMs: this.options.clock.nowMs(),
    };
    for (const one of prepared) one.apply();
    await this.options.followed();
    return this.accept(effective, before, loaded, reason);
  }

  /** All or nothing, one part in a piece. */
  private *prepare(next: Config, before: Config): Pieces<Prepared[]> {
    const prepared: Prepared[] = [];
    try {
      for (const part of this.options.parts) {
        const one = part.prepare?.(next, before) ?? null;
        if (one !== null) prepared.push(one);
        yield;
      }
      return prepared;
    } catch (error) {
      for (const one of prepared) one.discard?.();
      throw error;
    }
  }

  private accept(
    { config, live, waiting }: EffectiveConfig,
    before: Config,
    { warnings, digest }: Loaded,
    reason: ReloadReason,
  ): ReloadOutcome {
    const { logger } = this.options;
    for (const warning of warnings) logger.warn(warning);
    for (const change of live) {
      const fields = { event: "option_reloaded", option: change.key, ...shownChange(change, before, config) };
      logger.info(`Reloaded: ${change.key}`, fields);
    }
    const waitingKeys = [...new Set(waiting.map(({ key }) => key))];
    if (waiting.length > 0) {
      const fields = { event: "restart_needed", options: waitingKeys };
      logger.warn("Some options have changed that only a restart can bring about", fields);
    }
    logger.info("Reloaded server configuration", { event: "config_reloaded", reason, digest });
    const { record } = this.options;
    const { succeeded, refused } = record.current;
    record.current = { succeeded: succeeded + 1, refused, failure: null, waiting: waitingKeys };
    return {
      kind: "reloaded",
      changed: [...new Set(live.map(({ key }) => key))],
      waiting: waitingKeys,
      digest,
    };
  }

  private refuse({ messages, position }: Refusal, reason: ReloadReason): ReloadOutcome {
    this.options.logger.error("Failed to reload server configuration", {
      event: "reload_refused",
      reason,
      problems: messages,
      ...position,
    });
    const { record } = this.options;
    record.current = { ...record.current, refused: record.current.refused + 1, failure: { position } };
    return { kind: "refused", messages };
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function beginningOf({ configFile }: Loaded): Position | null {
  return configFile === null ? null : { file: configFile, line: 1, column: 1 };
}

function certificateFiles({ client, cluster, websocket, leafNodes, operator }: Config): string[] {
  const ofRemotes = leafNodes.remotes.map(({ tls }) => tls);
  const all = [client.tls, cluster.tls, websocket.tls, leafNodes.tls, operator.resolverTls, ...ofRemotes];
  return all.flatMap((tls) => {
    if (tls === null) return [];
    const pairs = tls.certificates.flatMap(({ certFile, keyFile }) => [certFile, keyFile]);
    return tls.caFile === null ? pairs : [...pairs, tls.caFile];
  });
}
