/** What stands behind the `?` of a request, read with the rules and refused with the words of nats-server. */
import type { Audience } from "./guard.ts";

/** Answered with 400 and the message. */
export class BadQuery extends Error {}

const TRUE = new Set(["1", "t", "T", "TRUE", "true", "True"]);
const FALSE = new Set(["0", "f", "F", "FALSE", "false", "False"]);
const INT_MAX = 2n ** 63n - 1n;
const UINT_MAX = 2n ** 64n - 1n;

export class Query {
  readonly audience: Audience;
  private readonly params: URLSearchParams;

  constructor(text: string, audience: Audience = "operator") {
    this.params = new URLSearchParams(text);
    this.audience = audience;
  }

  /** "" where it is missing. */
  text(name: string): string {
    return this.params.get(name) ?? "";
  }

  flag(name: string): boolean {
    const text = this.text(name);
    if (text === "" || FALSE.has(text)) return false;
    if (TRUE.has(text)) return true;
    throw refusal("boolean", name, "ParseBool", text, "invalid syntax");
  }

  /** 0 where it is missing. */
  integer(name: string): number {
    return this.number(name, /^[+-]?\d+$/, { kind: "int", parser: "Atoi", min: -INT_MAX - 1n, max: INT_MAX });
  }

  unsigned(name: string): number {
    return this.number(name, /^\d+$/, { kind: "uint64", parser: "ParseUint", min: 0n, max: UINT_MAX });
  }

  /** `subs=1` lists subjects, `subs=detail` whole subscriptions. */
  subscriptions(): SubscriptionDetail {
    if (this.text("subs").toLowerCase() === "detail") return "detail";
    return this.flag("subs") ? "subjects" : "none";
  }

  private number(name: string, syntax: RegExp, type: NumberType): number {
    const text = this.text(name);
    if (text === "") return 0;
    if (!syntax.test(text)) throw refusal(type.kind, name, type.parser, text, "invalid syntax");
    const value = BigInt(text.replace(/^\+/, ""));
    if (value < type.min || value > type.max) {
      throw refusal(type.kind, name, type.parser, text, "value out of range");
    }
    return Number(value);
  }
}

export type SubscriptionDetail = "none" | "subjects" | "detail";

interface NumberType {
  readonly kind: string;
  readonly parser: string;
  readonly min: bigint;
  readonly max: bigint;
}

function refusal(kind: string, name: string, parser: string, text: string, why: string): BadQuery {
  return new BadQuery(
    `Error decoding ${kind} for '${name}': strconv.${parser}: parsing ${JSON.stringify(text)}: ${why}`,
  );
}

export interface Page {
  readonly offset: number;
  readonly limit: number;
}

const LIMIT_DEFAULT = 1024;
/** Most items that one answer lists. */
const LIMIT_MAX = 100_000;

export function pageOf(query: Query): Page {
  const limit = query.integer("limit");
  const offset = Math.max(0, query.integer("offset"));
  return { offset, limit: limit <= 0 ? LIMIT_DEFAULT : Math.min(limit, LIMIT_MAX) };
}
