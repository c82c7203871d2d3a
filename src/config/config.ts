/**
 * The configuration: every option with its value, defaults filled in, in the sections of schema.ts. Durations are in milliseconds,
 * sizes in bytes; `null` means "none" or "no limit", as each field says.
 *
 * Invariant: two levels deep, section and field; every field has at least one row in its section.
 */
import type { FieldOf } from "./option.ts";
import type { Sections } from "./schema.ts";

export type Config = { readonly [S in keyof Sections]: Sections[S] };

/** "section.field" of every field. */
export type Field = FieldOf<Config>;

/** Overrides for a program that starts a server itself. */
export type ConfigOverrides = {
  readonly [S in keyof Config]?: { readonly [N in keyof Config[S]]?: Config[S][N] | undefined } | undefined;
};
