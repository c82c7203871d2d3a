/**
 * The shape of an option (a row of the schema) and of a section (a file in sections/), and the sheet that collects values. Each
 * layer (file, environment, flags) writes over the one before it; an option that nobody writes gets its default.
 *
 * Invariant: a field of the configuration has its default in exactly one row.
 */
import { assert } from "../base/assert.ts";
import type { Pieces } from "../base/pieces.ts";
import { ConfError, type ConfNode, type Origin } from "./formats/nats-conf/node.ts";
import type { Notes, ValueType } from "./values/value-type.ts";

/** Whether a change takes effect on reload or at the next start. */
export type ReloadMode = "live" | "restart";

/** "parsed": the option is read and checked, but nothing acts on it yet. */
type Status = "built" | "parsed";

export interface Option {
  /** Dotted path in a configuration file. */
  readonly key: string;
  /** Other names of the last part of the key. */
  readonly aliases: readonly string[];
  /** Heading in the documentation and in --help. */
  readonly heading: string;
  readonly typeName: string;
  /** The fields of the configuration that the option sets, each as "section.field". */
  readonly fields: readonly string[];
  /** Defaults of fields. */
  readonly initials: readonly FieldInitial[];
  readonly defaultText: string;
  readonly flags: readonly string[];
  /** Placeholder for the value of the flag in --help; "" for a switch. */
  readonly flagValue: string;
  /** null: another row that sets the same field has the environment variable. */
  readonly env: string | null;
  readonly reload: ReloadMode;
  readonly status: Status;
  /** Whether logs must not show the value. */
  readonly isSecret: boolean;
  readonly description: string;
  assignNode(sheet: Sheet, node: ConfNode, notes: Notes): Pieces<void>;
  assignEnv(sheet: Sheet, text: string, at: Origin, notes: Notes): void;
  assignFlag(sheet: Sheet, text: string, at: Origin, notes: Notes): void;
}

/** A default, or how it follows from other fields. */
type Initial<C = never> = { readonly value: unknown } | { readonly derive: (config: C) => unknown };
export type FieldInitial = readonly [field: string, Initial];

/** "section.field" of every field of these sections. */
export type FieldOf<C> = { [S in keyof C & string]: `${S}.${keyof C[S] & string}` }[keyof C & string];

/** Keys that nats-server accepts and shoal refuses, because the feature is not built. A value that turns the feature off is accepted. */
export interface Unsupported {
  /** Begins the error text, as in "Gateways are" and "MQTT is". */
  readonly feature: `${string} ${"is" | "are"}`;
  readonly keys: readonly string[];
  readonly flags?: readonly { readonly name: string; readonly isSwitch: boolean }[];
  /** The value that asks for what shoal does anyway. */
  readonly usualValue?: string;
  /** Fields that such a key would have filled in, so that checks must not complain about their absence. */
  readonly replaces?: readonly string[];
}

/** The kind of value that a key without effect has. "size": a number of bytes, plainly or with a suffix. "4 to 8192": a whole number. */
export type InertKind = "bool" | "string" | "int" | "4 to 8192" | "size";

/**
 * One section of the configuration: everything about it, in one file. `Seen` names the section itself and the other sections
 * that its defaults and checks read.
 */
export interface Section<Seen, N extends keyof Seen> {
  readonly name: N;
  readonly rows: readonly Option[];
  /** Other names of blocks, each by its dotted name. */
  readonly blockAliases?: Readonly<Record<string, string>>;
  /** Values that follow from several fields, after all defaults are filled in. */
  complete?(config: Seen): Partial<Seen[N]>;
  /** Contradictions between options, each as an error at an option that was written. */
  check?(config: Seen, sheet: Sheet<FieldOf<Seen>>): ConfError[];
  /** Warns about what works but is probably a mistake. */
  advise?(config: Seen, warn: (field: FieldOf<Seen>, text: string) => void): void;
  readonly unsupported?: readonly Unsupported[];
  /** Keys that are accepted and change nothing, with the kind of their value. No warning: nats-server's -t would fail on it. */
  readonly withoutEffect?: Readonly<Record<string, InertKind>>;
}

interface CommonRow {
  readonly key: string;
  readonly aliases?: readonly string[];
  readonly flags?: readonly string[];
  readonly flagValue?: string;
  /** Left out: the heading of the section. */
  readonly heading?: string;
  readonly reload: ReloadMode;
  readonly status?: Status;
  readonly isSecret?: boolean;
  readonly description: string;
  readonly defaultText?: string;
}

interface FieldRow<Seen, N extends keyof Seen, F extends keyof Seen[N]> extends CommonRow {
  readonly field: F;
  readonly type: ValueType<NoInfer<Seen[N][F]>>;
  readonly default: NoInfer<Seen[N][F]> | { readonly derive: (config: Seen) => NoInfer<Seen[N][F]> };
  /** A field of the section that becomes true where this one does. */
  readonly implies?: keyof Seen[N] & string;
}

interface CompositeRow<Seen, V, W extends V> extends CommonRow {
  readonly fields: readonly FieldOf<Seen>[];
  readonly type: ValueType<V>;
  /** The type of the flag, if it takes another form than a file. */
  readonly flagType?: ValueType<W>;
  readonly env?: null;
  readonly defaults?: readonly (readonly [FieldOf<Seen>, Initial<Seen>])[];
  assign(sheet: Sheet<FieldOf<Seen>>, value: V | W, at: Origin): void;
}

interface RowsOfSection<Seen, N extends keyof Seen & string> {
  /** A row for an option that sets one field. */
  readonly option: <F extends keyof Seen[N] & string>(row: FieldRow<Seen, N, F>) => Option;
  /** A row for an option that sets several fields, each of which has a row of its own. */
  readonly composite: <V, W extends V = V>(row: CompositeRow<Seen, V, W>) => Option;
}

/** The makers of rows for one section; `heading` is the usual heading of its options. */
export function rowsOf<Seen, N extends keyof Seen & string>(
  name: N,
  heading: string,
): RowsOfSection<Seen, N> {
  return {
    option(row) {
      const { type, implies } = row;
      const field = `${name}.${row.field}`;
      const initial = isDerived(row.default) ? row.default : { value: row.default };
      const assign = (sheet: Sheet, value: unknown, at: Origin): void => {
        sheet.set(field, value, at);
        if (implies !== undefined && value === true) sheet.set(`${name}.${implies}`, true, at);
      };
      const shown = "value" in initial ? showDefault(type, row.default) : "";
      const common = { heading, defaultText: shown, ...row };
      return build(common, { type, flagType: type, fields: [field], initials: [[field, initial]], assign });
    },
    composite(row) {
      const { type, flagType = row.type, fields, defaults = [] } = row;
      const assign = (sheet: Sheet, value: unknown, at: Origin): void =>
        row.assign(sheet, value as never, at);
      const built = build({ heading, ...row }, { type, flagType, fields, initials: defaults, assign });
      return row.env === null ? { ...built, env: null } : built;
    },
  };
}

interface Parts {
  readonly type: ValueType<unknown>;
  readonly flagType: ValueType<unknown>;
  readonly fields: readonly string[];
  readonly initials: readonly FieldInitial[];
  readonly assign: (sheet: Sheet, value: unknown, at: Origin) => void;
}

function build(
  row: CommonRow & { readonly heading: string },
  { type, flagType, fields, initials, assign }: Parts,
): Option {
  assert(fields.length > 0, "an option sets a field");
  const put = (sheet: Sheet, value: unknown, at: Origin): void => {
    if (value === undefined) for (const field of fields) sheet.clear(field);
    else assign(sheet, value, at);
  };
  const assignAs = (as: ValueType<unknown>, sheet: Sheet, node: ConfNode, notes: Notes): void =>
    put(sheet, as.fromNode(node, notes), node.at);
  return {
    key: row.key,
    aliases: row.aliases ?? [],
    heading: row.heading,
    typeName: type.name,
    fields,
    initials,
    defaultText: row.defaultText ?? "",
    flags: row.flags ?? [],
    flagValue: row.flagValue ?? (type.name === "boolean" ? "" : `<${type.name}>`),
    env: environmentName(row.key),
    reload: row.reload,
    status: row.status ?? "built",
    isSecret: row.isSecret ?? false,
    description: row.description,
    *assignNode(sheet, node, notes) {
      const { piecesFromNode } = type;
      if (piecesFromNode === undefined) assignAs(type, sheet, node, notes);
      else put(sheet, yield* piecesFromNode(node, notes), node.at);
    },
    assignEnv: (sheet, text, at, notes) => assignAs(type, sheet, type.nodeFromText(text, at), notes),
    assignFlag: (sheet, text, at, notes) => assignAs(flagType, sheet, flagType.nodeFromText(text, at), notes),
  };
}

export const ENVIRONMENT_PREFIX = "SHOAL__";

/** `cluster.ping_interval` becomes SHOAL__CLUSTER__PING_INTERVAL; env.ts explains why Kubernetes never sets such a name for a Service. */
export function environmentName(key: string): string {
  return ENVIRONMENT_PREFIX + key.toUpperCase().replaceAll(".", "__");
}

function isDerived<C>(value: unknown): value is { derive: (config: C) => unknown } {
  return typeof value === "object" && value !== null && "derive" in value;
}

function showDefault(type: ValueType<unknown>, value: unknown): string {
  return value === null ? "" : type.show(value);
}

interface Assigned {
  readonly value: unknown;
  readonly at: Origin;
}

/** The values written so far, field by field, each with the place where it was written. */
export class Sheet<F extends string = string> {
  private readonly assigned = new Map<string, Assigned>();
  private readonly refused = new Set<string>();

  set(field: F, value: unknown, at: Origin): void {
    this.assigned.set(field, { value, at });
  }

  /** `undefined`: nothing was written for it. */
  assign(field: F, value: unknown, at: Origin): void {
    if (value === undefined) this.clear(field);
    else this.set(field, value, at);
  }

  /** Records that the values written for these fields are wrong, so that no check complains about their absence. */
  refuse(fields: readonly F[]): void {
    for (const field of fields) this.refused.add(field);
  }

  /** Whether no value written for these fields was wrong. */
  knows(...fields: readonly F[]): boolean {
    return !fields.some((field) => this.refused.has(field));
  }

  /** Restores the default. */
  clear(field: F): void {
    this.assigned.delete(field);
  }

  get(field: F): Assigned | undefined {
    return this.assigned.get(field);
  }

  /** An error at the first of these fields that was written. */
  errorAt(fields: readonly F[], reason: string): ConfError {
    const at = fields.map((field) => this.assigned.get(field)?.at).find((origin) => origin !== undefined);
    return new ConfError(at ?? null, reason);
  }
}
