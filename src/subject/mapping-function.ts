/**
 * One token of a mapping's destination: literal text, `>`, or a function of the source's tokens (`$1`, `{{wildcard(1)}}`,
 * `{{partition(10,1,2)}}`, …). Reading only; `transform.ts` applies them. What counts as a number, a blank and an argument
 * follows nats-server 2.15, which takes the functions with either case at the start of each of their words.
 */
import { MappingError, PROBLEMS } from "./mapping-error.ts";

type SizedKind = "splitFromLeft" | "splitFromRight" | "sliceFromLeft" | "sliceFromRight" | "left" | "right";

/** `wildcard`s are numbered from 1 as they come in the source. */
export type MappingFunction =
  | { readonly kind: "literal"; readonly text: string }
  | { readonly kind: "wildcard"; readonly wildcard: number }
  | { readonly kind: "partition"; readonly count: number; readonly wildcards: readonly number[] }
  | { readonly kind: SizedKind; readonly wildcard: number; readonly size: number }
  | { readonly kind: "split"; readonly wildcard: number; readonly delimiter: string }
  | { readonly kind: "random"; readonly count: number };

type Reader = (token: string, args: readonly string[]) => MappingFunction;

const BLANK = "[\\t\\n\\f\\r ]*";
const INT32_MAX = 2 ** 31 - 1;
const INT64_MAX = 2n ** 63n - 1n;

const READERS: readonly (readonly [RegExp, Reader])[] = [
  [callOf("[wW]ildcard"), readWildcard],
  [callOf("[pP]artition"), readPartition],
  [callOf("[sS]plit[fF]rom[lL]eft"), readSized("splitFromLeft")],
  [callOf("[sS]plit[fF]rom[rR]ight"), readSized("splitFromRight")],
  [callOf("[sS]lice[fF]rom[lL]eft"), readSized("sliceFromLeft")],
  [callOf("[sS]lice[fF]rom[rR]ight"), readSized("sliceFromRight")],
  [callOf("[rR]ight"), readSized("right")],
  [callOf("[lL]eft"), readSized("left")],
  [callOf("[sS]plit"), readSplit],
  [callOf("[rR]andom"), readRandom],
];

/** Throws MappingError. */
export function readMappingFunction(token: string): MappingFunction {
  const literal = { kind: "literal", text: token } as const;
  if (token.length > 1 && token.startsWith("$")) {
    const wildcard = readInteger(token.slice(1));
    return wildcard === null ? literal : { kind: "wildcard", wildcard };
  }
  if (!isInBraces(token)) return literal;
  for (const [call, read] of READERS) {
    const found = call.exec(token);
    if (found !== null) return read(token, found[1]!.split(/,[\t\n\f\r ]*/));
  }
  throw new MappingError(PROBLEMS.unknownFunction, token);
}

/** Throws MappingError. */
export function expectKnownFunction(token: string): void {
  if (READERS.every(([call]) => !call.test(token))) throw new MappingError(PROBLEMS.unknownFunction, token);
}

export function isInBraces(token: string): boolean {
  return token.length > 4 && token.startsWith("{{") && token.endsWith("}}");
}

function callOf(name: string): RegExp {
  return new RegExp(`\\{\\{${BLANK}${name}${BLANK}\\(([^\\n]*)\\)${BLANK}\\}\\}`);
}

function readWildcard(token: string, args: readonly string[]): MappingFunction {
  if (args.length > 1) throw new MappingError(PROBLEMS.tooManyArguments, token);
  if (args[0] === "") throw new MappingError(PROBLEMS.tooFewArguments, token);
  return { kind: "wildcard", wildcard: integerOf(token, args[0]) };
}

function readPartition(token: string, args: readonly string[]): MappingFunction {
  const [count, ...wildcards] = args;
  return {
    kind: "partition",
    count: countOf(token, count),
    wildcards: wildcards.map((wildcard) => integerOf(token, wildcard)),
  };
}

function readRandom(token: string, args: readonly string[]): MappingFunction {
  if (args.length !== 1) throw new MappingError(PROBLEMS.tooFewArguments, token);
  return { kind: "random", count: countOf(token, args[0]) };
}

function readSized(kind: SizedKind): Reader {
  return (token, args) => {
    expectTwo(token, args);
    const wildcard = integerOf(token, args[0]);
    const size = integerOf(token, args[1]);
    if (size > INT32_MAX || size < -INT32_MAX - 1) throw new MappingError(PROBLEMS.badArgument, token);
    return { kind, wildcard, size };
  };
}

function readSplit(token: string, args: readonly string[]): MappingFunction {
  expectTwo(token, args);
  const wildcard = integerOf(token, args[0]);
  const delimiter = args[1]!;
  if (delimiter.includes(" ")) throw new MappingError(PROBLEMS.badArgument, token);
  return { kind: "split", wildcard, delimiter };
}

function expectTwo(token: string, args: readonly string[]): void {
  if (args.length < 2) throw new MappingError(PROBLEMS.tooFewArguments, token);
  if (args.length > 2) throw new MappingError(PROBLEMS.tooManyArguments, token);
}

function integerOf(token: string, text = ""): number {
  const value = readInteger(text.replace(/^ +| +$/g, ""));
  if (value === null) throw new MappingError(PROBLEMS.badArgument, token);
  return value;
}

/** At most 31 bits; below zero only the low 32 bits count. */
function countOf(token: string, text: string | undefined): number {
  const value = integerOf(token, text);
  if (value > INT32_MAX) throw new MappingError(PROBLEMS.badArgument, token);
  return Number(BigInt.asIntN(32, BigInt(value)));
}

function readInteger(text: string): number | null {
  if (!/^[+-]?\d+$/.test(text)) return null;
  const value = BigInt(text.replace("+", ""));
  return value > INT64_MAX || value < -INT64_MAX - 1n ? null : Number(value);
}
