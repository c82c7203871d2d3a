/** What changed between two configurations, by the keys of the schema, and how much of it a log may show. */
import { sameValues } from "../base/same-values.ts";
import type { Config, Field } from "./config.ts";
import type { ReloadMode } from "./option.ts";
import { OPTIONS } from "./schema.ts";

export interface ConfigChange {
  readonly key: string;
  readonly field: Field;
  /** Whether a reload can bring the change about, or only a restart. */
  readonly reload: ReloadMode;
}

export function diffConfig(before: Config, after: Config): ConfigChange[] {
  return OPTIONS.flatMap((option) =>
    option.initials
      .map(([field]) => field as Field)
      .filter((field) => !sameValues(valueAt(before, field), valueAt(after, field)))
      .map((field) => ({ key: option.key, field, reload: option.reload })),
  );
}

/** null where there is nothing. */
type Shown = string | number | boolean | null | readonly (string | number | boolean)[];

export interface ShownChange {
  readonly before?: Shown;
  readonly after?: Shown;
  /** Of lists whose items have names. */
  readonly added?: readonly string[];
  readonly removed?: readonly string[];
  readonly changed?: readonly string[];
}

const REDACTED = "[REDACTED]";
const SECRET: ReadonlySet<string> = new Set(
  OPTIONS.filter(({ isSecret }) => isSecret).flatMap(({ fields }) => fields),
);
/** By what the items of lists are known; everything else in them stays unsaid. */
const NAME_KEYS = ["name", "host", "user", "source"] as const;

/** For the log: plain values as they are, secrets as "[REDACTED]", of lists with structure the names that came, went or changed. */
export function shownChange({ field }: ConfigChange, before: Config, after: Config): ShownChange {
  const [old, now] = [valueAt(before, field), valueAt(after, field)];
  if (SECRET.has(field)) return { before: redacted(old), after: redacted(now) };
  if (isPlain(old) && isPlain(now)) return { before: old, after: now };
  if (Array.isArray(old) && Array.isArray(now)) return namesThatDiffer(old, now);
  return {};
}

function redacted(value: unknown): Shown {
  return value === null ? null : REDACTED;
}

function isPlain(value: unknown): value is Shown {
  if (Array.isArray(value)) return value.every((item) => typeof item !== "object");
  return value === null || typeof value !== "object";
}

function namesThatDiffer(old: readonly unknown[], now: readonly unknown[]): ShownChange {
  const [before, after] = [byName(old), byName(now)];
  const names = (in_: ReadonlyMap<string, unknown>, keep: (name: string) => boolean): string[] =>
    [...in_.keys()].filter(keep);
  return {
    added: names(after, (name) => !before.has(name)),
    removed: names(before, (name) => !after.has(name)),
    changed: names(after, (name) => before.has(name) && !sameValues(before.get(name), after.get(name))),
  };
}

function byName(items: readonly unknown[]): Map<string, unknown> {
  return new Map(items.map((item) => [nameOf(item as Readonly<Record<string, unknown>>), item]));
}

function nameOf(item: Readonly<Record<string, unknown>>): string {
  const key = NAME_KEYS.find((one) => typeof item[one] === "string");
  const { port } = item;
  return key === undefined ? "?" : `${String(item[key])}${typeof port === "number" ? `:${port}` : ""}`;
}

function valueAt(config: Config, field: Field): unknown {
  const [section = "", name = ""] = field.split(".");
  return (config as unknown as Record<string, Record<string, unknown>>)[section]?.[name];
}
