/** What changed between two configurations, by the keys of the schema and without the values (some are secret). */

import { isDeepStrictEqual } from "node:util";

import type { Config, Field } from "./config.ts";
import type { Reload } from "./option.ts";
import { OPTIONS } from "./schema.ts";

export interface ConfigChange {
  readonly key: string;
  readonly field: Field;
  /** Whether a reload can bring the change about, or only a restart. */
  readonly reload: Reload;
}

export function diffConfig(before: Config, after: Config): ConfigChange[] {
  return OPTIONS.flatMap((option) =>
    option.initials
      .filter(([field]) => !isDeepStrictEqual(valueAt(before, field), valueAt(after, field)))
      .map(([field]) => ({ key: option.key, field, reload: option.reload })),
  );
}

function valueAt(config: Config, field: Field): unknown {
  const [section = "", name = ""] = field.split(".");
  return (config as unknown as Record<string, Record<string, unknown>>)[section]?.[name];
}
