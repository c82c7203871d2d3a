/**
 * The shape of a row of the schema, and the sheet that values are collected on: each layer (file, environment, flags)
 * writes over the one before, and what nobody wrote gets its default.
 */

import type { Config, Field, ValueAt } from "./config.ts";
import { ConfError, type ConfNode, type Origin } from "./formats/nats-conf/node.ts";
import type { Notes, ValueType } from "./values/value-type.ts";

/** Whether a change takes effect on reload or at the next start. */
export type Reload = "live" | "restart";

/** "parsed": read and checked, but nothing acts on it yet. */
type Status = "built" | "parsed";

export interface Option {
  /** Dotted path in a configuration file. */
  readonly key: string;
  /** Other names of the last part of the key. */
  readonly aliases: readonly string[];
  readonly section: Section;
  readonly typeName: string;
  /** The fields of the configuration that the option sets. */
  readonly fields: readonly Field[];
  /** Defaults of fields; each field has one in exactly one row. */
  readonly initials: readonly FieldInitial[];
  readonly defaultText: string;
  readonly flags: readonly string[];
  /** What the help prints for the value of the flag, "" for a switch. */
  readonly flagValue: string;
  /** null: settable in the environment through another row (that sets the same field). */
  readonly env: string | null;
  readonly reload: Reload;
  readonly status: Status;
  readonly description: string;
  assignNode(sheet: Sheet, node: ConfNode, notes: Notes): void;
  assignEnv(sheet: Sheet, text: string, at: Origin, notes: Notes): void;
  assignFlag(sheet: Sheet, text: string, at: Origin, notes: Notes): void;
}

export type Section =
  | "Server"
  | "Limits"
  | "Authorization"
  | "Accounts"
  | "TLS"
  | "Logging"
  | "Monitoring"
  | "Lame duck"
  | "JetStream"
  | "Cluster";

/** A default, or how it follows from other fields. */
type Initial = { readonly value: unknown } | { readonly derive: (config: Config) => unknown };
export type FieldInitial = readonly [Field, Initial];

interface CommonRow {
  readonly key: string;
  readonly aliases?: readonly string[];
  readonly flags?: readonly string[];
  readonly flagValue?: string;
  readonly section: Section;
  readonly reload: Reload;
  readonly status?: Status;
  readonly description: string;
  readonly defaultText?: string;
}

interface FieldRow<F extends Field> extends CommonRow {
  readonly field: F;
  readonly type: ValueType<NoInfer<ValueAt<F>>>;
  readonly default: NoInfer<ValueAt<F>> | { readonly derive: (config: Config) => NoInfer<ValueAt<F>> };
  /** A field that becomes true where this one does. */
  readonly implies?: Field;
}

/** A row for an option that is one field. */
export function option<F extends Field>(row: FieldRow<F>): Option {
  const { type, field, implies } = row;
  const initial = isDerived(row.default) ? row.default : { value: row.default };
  const assign = (sheet: Sheet, value: unknown, at: Origin): void => {
    sheet.set(field, value, at);
    if (implies !== undefined && value === true) sheet.set(implies, true, at);
  };
  const shown = "value" in initial ? showDefault(type, row.default) : "";
  return build({ defaultText: shown, ...row }, type, type, [field], [[field, initial]], assign);
}

interface CompositeRow<V, W extends V> extends CommonRow {
  readonly fields: readonly Field[];
  readonly type: ValueType<V>;
  /** If a flag takes another form than a file. */
  readonly flagType?: ValueType<W>;
  readonly env?: null;
  readonly defaults?: readonly FieldInitial[];
  assign(sheet: Sheet, value: V | W, at: Origin): void;
}

/** A row for an option that sets several fields, each of which has a row of its own. */
export function composite<V, W extends V = V>(row: CompositeRow<V, W>): Option {
  const assign = (sheet: Sheet, value: unknown, at: Origin): void => row.assign(sheet, value as V, at);
  const built = build(row, row.type, row.flagType ?? row.type, row.fields, row.defaults ?? [], assign);
  return row.env === null ? { ...built, env: null } : built;
}

function build(
  row: CommonRow,
  type: ValueType<unknown>,
  flagType: ValueType<unknown>,
  fields: readonly Field[],
  initials: readonly FieldInitial[],
  assign: (sheet: Sheet, value: unknown, at: Origin) => void,
): Option {
  const assignAs = (as: ValueType<unknown>, sheet: Sheet, node: ConfNode, notes: Notes): void => {
    const value = as.fromNode(node, notes);
    if (value === undefined) for (const field of fields) sheet.clear(field);
    else assign(sheet, value, node.at);
  };
  return {
    key: row.key,
    aliases: row.aliases ?? [],
    section: row.section,
    typeName: type.name,
    fields,
    initials,
    defaultText: row.defaultText ?? "",
    flags: row.flags ?? [],
    flagValue: row.flagValue ?? (type.name === "boolean" ? "" : `<${type.name}>`),
    env: environmentName(row.key),
    reload: row.reload,
    status: row.status ?? "built",
    description: row.description,
    assignNode: (sheet, node, notes) => assignAs(type, sheet, node, notes),
    assignEnv: (sheet, text, at, notes) => assignAs(type, sheet, type.nodeFromText(text, at), notes),
    assignFlag: (sheet, text, at, notes) => assignAs(flagType, sheet, flagType.nodeFromText(text, at), notes),
  };
}

export const ENVIRONMENT_PREFIX = "SHOAL__";

/** `cluster.ping_interval` becomes SHOAL__CLUSTER__PING_INTERVAL; why it can never be a Service's is in env.ts. */
export function environmentName(key: string): string {
  return ENVIRONMENT_PREFIX + key.toUpperCase().replaceAll(".", "__");
}

function isDerived(value: unknown): value is { derive: (config: Config) => unknown } {
  return typeof value === "object" && value !== null && "derive" in value;
}

function showDefault(type: ValueType<unknown>, value: unknown): string {
  return value === null ? "" : type.show(value);
}

interface Assigned {
  readonly value: unknown;
  readonly at: Origin;
}

/** The values written so far, field by field, each with where it was written. */
export class Sheet {
  private readonly assigned = new Map<Field, Assigned>();
  private readonly refused = new Set<Field>();

  set(field: Field, value: unknown, at: Origin): void {
    this.assigned.set(field, { value, at });
  }

  /** What was written for these fields is wrong: what only follows from their absence is no error of its own. */
  refuse(fields: readonly Field[]): void {
    for (const field of fields) this.refused.add(field);
  }

  /** Whether all of these are as somebody meant them. */
  knows(...fields: readonly Field[]): boolean {
    return !fields.some((field) => this.refused.has(field));
  }

  /** Back to the default. */
  clear(field: Field): void {
    this.assigned.delete(field);
  }

  get(field: Field): Assigned | undefined {
    return this.assigned.get(field);
  }

  /** An error at the first of these fields that someone wrote. */
  errorAt(fields: readonly Field[], reason: string): ConfError {
    const at = fields.map((field) => this.assigned.get(field)?.at).find((origin) => origin !== undefined);
    return new ConfError(at ?? null, reason);
  }
}
