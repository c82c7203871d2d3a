/** Turns the sheet into the configuration: fills in defaults, then has every section check what must hold between options. */
import { isDeepStrictEqual } from "node:util";
import { assert } from "../base/assert.ts";
import type { Config, ConfigOverrides, Field } from "./config.ts";
import type { ConfError } from "./formats/nats-conf/node.ts";
import { Sheet, type FieldInitial } from "./option.ts";
import { ALL_SECTIONS, OPTIONS } from "./schema.ts";

type Draft = Record<string, Record<string, unknown>>;

/** The configuration that the sheet describes; derived defaults see the plain ones. */
export function finish(sheet: Sheet): Config {
  const draft: Draft = {};
  const config = draft as unknown as Config;
  const initials = OPTIONS.flatMap((option) => option.initials);
  const isDerived = ([field, initial]: FieldInitial): boolean =>
    "derive" in initial && sheet.get(field) === undefined;
  for (const [field, initial] of initials) {
    if (isDerived([field, initial])) continue;
    const written = sheet.get(field);
    // null is a value: no limit.
    if (written !== undefined) put(draft, field, written.value);
    else put(draft, field, "value" in initial ? initial.value : null);
  }
  for (const [field, initial] of initials) {
    if (isDerived([field, initial]) && "derive" in initial)
      put(draft, field, initial.derive(config as never));
  }
  for (const section of ALL_SECTIONS) {
    const values = Object.entries(section.complete?.(config) ?? {});
    for (const [name, value] of values) put(draft, `${section.name}.${name}`, value);
  }
  return config;
}

function put(draft: Draft, field: string, value: unknown): void {
  const [section = "", name = "", ...rest] = field.split(".");
  assert(name !== "" && rest.length === 0, "a field is named by its section and its own name");
  (draft[section] ??= {})[name] = value;
}

/** What cannot work, as errors at the options that were written. */
export function contradictions(config: Config, sheet: Sheet): ConfError[] {
  return ALL_SECTIONS.flatMap((section) => section.check?.(config, sheet) ?? []);
}

/** Warnings about what works but is probably a mistake. */
export function advice(config: Config, sheet: Sheet): string[] {
  const texts: string[] = [];
  const warn = (field: string, text: string): void => void texts.push(sheet.errorAt([field], text).message);
  for (const section of ALL_SECTIONS) section.advise?.(config, warn);
  for (const { status, key, initials } of OPTIONS) {
    const field = status === "parsed" ? initials.find((each) => differs(each, sheet))?.[0] : undefined;
    if (field !== undefined) warn(field, `${key} has no effect yet`);
  }
  return texts;
}

function differs([field, initial]: FieldInitial, sheet: Sheet): boolean {
  const assigned = sheet.get(field);
  return assigned !== undefined && !("value" in initial && isDeepStrictEqual(assigned.value, initial.value));
}

/** The configuration of a server that a program starts itself. Throws ConfError where overrides contradict each other. */
export function defaultConfig(overrides: ConfigOverrides = {}): Config {
  const sheet = new Sheet<Field>();
  for (const [section, fields] of Object.entries(overrides)) {
    for (const [name, value] of Object.entries(fields ?? {})) {
      if (value !== undefined) sheet.set(`${section}.${name}` as Field, value, { kind: "flag", name });
    }
  }
  const config = finish(sheet);
  const error = contradictions(config, sheet)[0];
  if (error !== undefined) throw error;
  return config;
}
