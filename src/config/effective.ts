/** What a reload makes of a new configuration: options that only a restart can change keep the values they have. */
import type { Config, Field } from "./config.ts";
import { diffConfig, type ConfigChange } from "./diff.ts";
import { contradictions } from "./finish.ts";
import { Sheet } from "./option.ts";

export interface EffectiveConfig {
  readonly config: Config;
  readonly live: readonly ConfigChange[];
  /** Changed, too, and waiting for a restart. */
  readonly waiting: readonly ConfigChange[];
}

/** Throws ConfError where the options that can change do not go together with those that cannot. */
export function effectiveConfig(before: Config, after: Config): EffectiveConfig {
  const changes = diffConfig(before, after);
  const live = changes.filter(({ reload }) => reload === "live");
  const waiting = changes.filter(({ reload }) => reload === "restart");
  if (live.length === 0) return { config: before, live, waiting };
  if (waiting.length === 0) return { config: after, live, waiting };
  const config = withValues(
    before,
    after,
    live.map(({ field }) => field),
  );
  const [problem] = contradictions(config, new Sheet());
  if (problem !== undefined) throw problem;
  return { config, live, waiting };
}

/** `base`, but with these fields as in `other`. */
function withValues(base: Config, other: Config, fields: readonly Field[]): Config {
  const sections = { ...base } as unknown as Record<string, Record<string, unknown>>;
  const from = other as unknown as Record<string, Record<string, unknown>>;
  for (const field of fields) {
    const [section = "", name = ""] = field.split(".");
    sections[section] = { ...sections[section], [name]: from[section]?.[name] };
  }
  return sections as unknown as Config;
}
