/**
 * Mappings of subjects, as the top level and each account have them. What is wrong is said in the words of nats-server, which name
 * the subjects: these are no secrets.
 */
import { Mapping, type MapDestination } from "../../subject/mapping.ts";
import { MappingError } from "../../subject/mapping-error.ts";
import { isValidSubject } from "../../subject/subject.ts";
import { ConfError, type ConfNode } from "../formats/nats-conf/node.ts";
import { formatNode, mismatch, stringOf, type ValueType } from "./value-type.ts";

export interface MappingConfig {
  readonly source: string;
  readonly destinations: readonly {
    readonly subject: string;
    /** From 0 to 100. */
    readonly weight: number;
    /** null: all. */
    readonly cluster: string | null;
  }[];
}

export const mappings: ValueType<readonly MappingConfig[]> = {
  name: "block of mappings",
  fromNode(node) {
    if (node.kind !== "map") mismatch(node, "a block of subjects with destinations, as in {a.*: b.$1}");
    return Array.from(node.entries.values(), ({ key, keyAt, node: value }) => {
      if (!isValidSubject(key) || /[\t\n\f\r ]/.test(key)) {
        throw new ConfError(keyAt, `Subject ${JSON.stringify(key)} is not a valid subject`);
      }
      const mapping = { source: key, destinations: readDestinations(value) };
      expectValid(mapping, value);
      return mapping;
    });
  },
  nodeFromText: formatNode,
  show: (list) => list.map(({ source }) => source).join(", "),
};

/** A subject that may hold functions. Some of nats-server's are resolved when it is read, and are not known here. */
export function subjectTextOf(node: ConfNode): string {
  const text = stringOf(node, "a subject");
  if (/\{\{\s*account-hash/i.test(text))
    throw new ConfError(node.at, "The function account-hash in subjects is not supported by shoal yet");
  return text;
}

function expectValid({ source, destinations }: MappingConfig, node: ConfNode): void {
  try {
    void new Mapping(source, destinations);
  } catch (error) {
    if (!(error instanceof MappingError)) throw error;
    const to = node.kind === "string" ? ` to ${JSON.stringify(node.value)}` : "";
    throw new ConfError(
      node.at,
      `Error adding mapping for ${JSON.stringify(source)}${to} : ${error.message}`,
    );
  }
}

function readDestinations(node: ConfNode): MapDestination[] {
  if (node.kind === "string") return [{ subject: subjectTextOf(node), weight: 100, cluster: null }];
  return node.kind === "array" ? node.items.map(readDestination) : [readDestination(node)];
}

function readDestination(node: ConfNode): MapDestination {
  if (node.kind !== "map") throw new ConfError(node.at, "Expected an entry for the mapping destination");
  let subject = "";
  let weight: number | null = null;
  let cluster: string | null = null;
  for (const { key, keyAt, node: value } of node.entries.values()) {
    switch (key.toLowerCase()) {
      case "dest":
      case "destination":
        subject = subjectTextOf(value);
        break;
      case "weight":
        weight = readWeight(value);
        break;
      case "cluster":
        cluster = stringOf(value, "the name of a cluster") || null;
        break;
      default:
        throw new ConfError(keyAt, `Unknown field ${JSON.stringify(key)} for mapping destination`);
    }
  }
  if (weight === null) {
    throw new ConfError(node.at, `Missing weight for mapping destination ${JSON.stringify(subject)}`);
  }
  return { subject, weight, cluster };
}

/** From 0 to 100, as a number or as a text with or without a percent sign. */
function readWeight(node: ConfNode): number {
  if (node.kind !== "int" && node.kind !== "string") mismatch(node, "a weight from 0 to 100");
  const text = String(node.value).replace(/%$/, "");
  const weight = /^[+-]?\d+$/.test(text) ? Number(text) : NaN;
  if (weight >= 0 && weight <= 100) return weight;
  const shown = Number.isNaN(weight) ? JSON.stringify(text) : String(weight);
  throw new ConfError(node.at, `Invalid weight ${shown} for mapping destination`);
}
