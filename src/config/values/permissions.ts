/** The value types of permissions: what users may publish and subscribe, and what crosses routes. */

import { readBlock } from "./block.ts";
import type { ResponseRules, RoutePermissions, SubjectRules, UserPermissions } from "../config.ts";
import { durationFromText } from "../../base/duration.ts";
import { ConfError, type ConfNode } from "../formats/nats-conf/node.ts";
import { formatNode, integerOf, mismatch, stringOf, stringsOf, type ValueType } from "./value-type.ts";

export const userPermissions: ValueType<UserPermissions> = {
  name: "block",
  fromNode: readUserPermissions,
  nodeFromText: formatNode,
  show: (value) => JSON.stringify(value),
};

/** As nats-server reads them: import and export are other names of publish and subscribe. */
export function readUserPermissions(node: ConfNode): UserPermissions {
  if (node.kind !== "map") mismatch(node, "a block, as in {publish: [a.>], subscribe: {deny: [b]}}");
  const found: { -readonly [K in keyof UserPermissions]: UserPermissions[K] } = {
    publish: null,
    subscribe: null,
    responses: null,
  };
  const readPublish = (value: ConfNode): void => void (found.publish = readRules(value, isSubject));
  const readSubscribe = (value: ConfNode): void =>
    void (found.subscribe = readRules(value, isSubjectAndQueue));
  const readResponses = (value: ConfNode): void => void (found.responses = readResponseRules(value));
  readBlock(node, {
    publish: readPublish,
    pub: readPublish,
    import: readPublish,
    subscribe: readSubscribe,
    sub: readSubscribe,
    export: readSubscribe,
    allow_responses: readResponses,
    publish_allow_responses: readResponses,
  });
  return found;
}

export const routePermissions: ValueType<RoutePermissions> = {
  name: "block",
  fromNode(node) {
    if (node.kind !== "map") mismatch(node, "a block, as in {import: [a.>], export: {deny: [b]}}");
    const rules: { import: SubjectRules | null; export: SubjectRules | null } = {
      import: null,
      export: null,
    };
    const readImport = (value: ConfNode): void => void (rules.import = readRules(value, isSubject));
    const readExport = (value: ConfNode): void => void (rules.export = readRules(value, isSubject));
    readBlock(
      node,
      {
        import: readImport,
        pub: readImport,
        publish: readImport,
        export: readExport,
        sub: readExport,
        subscribe: readExport,
      },
      ["allow_responses", "publish_allow_responses"],
    );
    return rules;
  },
  nodeFromText: formatNode,
  show: (value) => JSON.stringify(value),
};

type IsValid = (text: string) => boolean;

function readRules(node: ConfNode, isValid: IsValid): SubjectRules | null {
  if (node.kind !== "map") return { allow: noneIsAll(readSubjects(node, isValid)), deny: [] };
  if (node.entries.size === 0) return null;
  const rules: { allow: readonly string[] | null; deny: string[] } = { allow: null, deny: [] };
  readBlock(node, {
    allow: (value) => void (rules.allow = noneIsAll(readSubjects(value, isValid))),
    deny: (value) => void (rules.deny = readSubjects(value, isValid)),
  });
  return rules;
}

/** nats-server takes an empty list of what is allowed as if it were not written. */
function noneIsAll(subjects: readonly string[]): readonly string[] | null {
  return subjects.length === 0 ? null : subjects;
}

function readSubjects(node: ConfNode, isValid: IsValid): string[] {
  const subjects = stringsOf(node, "a subject or a list of subjects");
  const bad = subjects.findIndex((subject) => !isValid(subject));
  if (bad !== -1) {
    const at = node.kind === "array" ? (node.items[bad]?.at ?? node.at) : node.at;
    const also = isValid === isSubject ? "" : ', or one with a queue group as in "a.b workers"';
    throw new ConfError(at, `expected a subject as in a.b, a.* or a.>${also}`);
  }
  return subjects;
}

function isSubject(subject: string): boolean {
  const tokens = subject.split(".");
  return (
    !/[\t\n\f\r ]/.test(subject) &&
    tokens.every((token, i) => token !== "" && (token !== ">" || i === tokens.length - 1))
  );
}

function isSubjectAndQueue(text: string): boolean {
  if (isSubject(text)) return true;
  const parts = text.trim().split(/\s+/);
  return parts.length === 2 && parts.every(isSubject);
}

const RESPONSES: ResponseRules = { max: 1, expiresMs: 2 * 60_000 };
const INT32_MAX = 2 ** 31 - 1;

/** 0 is the default, below 0 there is no limit. */
function readResponseRules(node: ConfNode): ResponseRules | null {
  if (node.kind === "bool") return node.value ? RESPONSES : null;
  if (node.kind !== "map") mismatch(node, "true, false or a block, as in {max: 5, expires: 1m}");
  let { max, expiresMs } = RESPONSES;
  const readMax = (value: ConfNode): void => {
    max = integerOf(value, -INT32_MAX, INT32_MAX, "a number of answers") || RESPONSES.max;
  };
  const readExpires = (value: ConfNode): void => {
    const ms = durationFromText(stringOf(value, "a duration"));
    if (ms === null) throw new ConfError(value.at, 'expected a duration such as "1m"');
    expiresMs = ms || RESPONSES.expiresMs;
  };
  readBlock(node, {
    max: readMax,
    max_msgs: readMax,
    max_messages: readMax,
    max_responses: readMax,
    expires: readExpires,
    expiration: readExpires,
    ttl: readExpires,
  });
  return { max, expiresMs };
}
