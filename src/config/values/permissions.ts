/** The value types of permissions: what users may publish and subscribe, and what crosses routes. */
import { durationFromText } from "../../base/duration.ts";
import { ConfError, type ConfNode } from "../formats/nats-conf/node.ts";
import { field, record, stringTo, type NodeReader } from "./record.ts";
import { formatNode, integerOf, stringsOf, type Notes, type ValueType } from "./value-type.ts";
import type { ResponseRules, SubjectRules, UserPermissions } from "../../core/permissions.ts";
import type { RoutePermissions } from "../../links/route/permissions.ts";

type IsValid = (text: string) => boolean;

/** null: everything, as with an empty block. */
function rules(isValid: IsValid): NodeReader<SubjectRules | null> {
  const subjects: NodeReader<readonly string[]> = (node) => readSubjects(node, isValid);
  const allowed: NodeReader<readonly string[] | null> = (node, notes) => noneIsAll(subjects(node, notes));
  const block = record(
    { allow: field("allow", allowed, null), deny: field("deny", subjects, []) },
    { expected: "a block" },
  );
  return (node, notes) => {
    if (node.kind !== "map") return { allow: allowed(node, notes), deny: [] };
    return node.entries.size === 0 ? null : block(node, notes);
  };
}

/** As in nats-server, import and export are other names of publish and subscribe. */
export const readUserPermissions: NodeReader<UserPermissions> = record<UserPermissions>(
  {
    publish: field("publish pub import", rules(isSubject), null),
    subscribe: field("subscribe sub export", rules(isSubjectAndQueue), null),
    responses: field("allow_responses publish_allow_responses", readResponseRules, null),
  },
  { expected: "a block, as in {publish: [a.>], subscribe: {deny: [b]}}" },
);

const readRoutePermissions: NodeReader<RoutePermissions> = record<RoutePermissions>(
  {
    import: field("import pub publish", rules(isSubject), null),
    export: field("export sub subscribe", rules(isSubject), null),
  },
  {
    expected: "a block, as in {import: [a.>], export: {deny: [b]}}",
    unsupported: ["allow_responses", "publish_allow_responses"],
  },
);

export const userPermissions: ValueType<UserPermissions> = {
  name: "block",
  fromNode: readUserPermissions,
  nodeFromText: formatNode,
  show: (value) => JSON.stringify(value),
};

export const routePermissions: ValueType<RoutePermissions> = {
  name: userPermissions.name,
  fromNode: readRoutePermissions,
  nodeFromText: formatNode,
  show: (value) => JSON.stringify(value),
};

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

const INT32_MAX = 2 ** 31 - 1;
const RESPONSES_MAX = 1;
const RESPONSES_EXPIRE_MS = 2 * 60_000;

/** 0: the default; negative: no limit. */
const RESPONSES_BLOCK = {
  max: field(
    "max max_msgs max_messages max_responses",
    (node) => integerOf(node, -INT32_MAX, INT32_MAX, "a number of answers") || RESPONSES_MAX,
    RESPONSES_MAX,
  ),
  expiresMs: field(
    "expires expiration ttl",
    stringTo("a duration", (text, { at }) => {
      const ms = durationFromText(text);
      if (ms === null) throw new ConfError(at, 'expected a duration such as "1m"');
      return ms || RESPONSES_EXPIRE_MS;
    }),
    RESPONSES_EXPIRE_MS,
  ),
};

function readResponseRules(node: ConfNode, notes: Notes): ResponseRules | null {
  if (node.kind === "bool") return node.value ? { max: RESPONSES_MAX, expiresMs: RESPONSES_EXPIRE_MS } : null;
  const expected = "true, false or a block, as in {max: 5, expires: 1m}";
  return record<ResponseRules>(RESPONSES_BLOCK, { expected })(node, notes);
}
