/** What permissions cost a publisher: the whole way of a message to one reader, and the verdict by itself. */
import { Authenticator } from "../../src/auth/authenticator.ts";
import type { KnownUser } from "../../src/auth/known-user.ts";
import { hashBytes } from "../../src/slab/hash.ts";
import { writeText } from "../../src/slab/memory.ts";
import { Interest } from "../../src/core/interest.ts";
import { Permissions, type UserPermissions } from "../../src/core/permissions.ts";
import type { Plan } from "../../src/core/plan.ts";
import { Work } from "../../src/base/work.ts";
import { Stack } from "../../test/property/stack.ts";
import { NullWire, type Case, sink } from "./case.ts";
import { publishingCase } from "./publishing.ts";

const RULES: UserPermissions = {
  publish: { allow: ["orders.>", "jobs.*"], deny: ["orders.secret", "*.internal.>"] },
  subscribe: { allow: ["_INBOX.>"], deny: [] },
  responses: null,
};

export function permissionCases(): Case[] {
  return [
    ...[1, 1000].flatMap((subjects) => [
      publishCase(`16 bytes to 1 reader, ${subjects} subjects, without`, subjects, null),
      publishCase(`16 bytes to 1 reader, ${subjects} subjects, with`, subjects, RULES),
    ]),
    verdictCase("a verdict, remembered, 1 subject", 1),
    verdictCase("a verdict, remembered, 1,000 subjects", 1000),
    freshCase("a verdict, worked out", 64),
  ];
}

function publishCase(name: string, subjects: number, permissions: UserPermissions | null): Case {
  const user = (each: string, rules: UserPermissions | null): KnownUser => {
    return { name: each, password: "", account: "$G", permissions: rules, connectionTypes: [] };
  };
  const users = [user("publisher", permissions), user("reader", null)];
  // Without an end to what fits into a round: nothing here waits for the next one.
  const stack = new Stack({
    accounts: { work: new Work() },
    authenticator: new Authenticator({ users, noAuthUser: null }),
  });
  const publisher = stack.client('"user":"publisher"', new NullWire());
  stack.client('"user":"reader"', new NullWire()).wire.receiveText("SUB orders.* 1\r\n");
  return publishingCase(name, publisher, 16, subjects);
}

function plansOf(subjects: number): Plan[] {
  const interest = new Interest("$G");
  return Array.from({ length: subjects }, (_, i) => {
    const subject = `orders.${1000 + i}`;
    writeText(0, subject);
    return interest.plan(0, subject.length, hashBytes(0, subject.length));
  });
}

function verdictCase(name: string, subjects: number): Case {
  const permissions = new Permissions(RULES);
  const plans = plansOf(subjects);
  const run = (count: number): number => {
    for (let i = 0, at = 0; i < count; i++) {
      if (permissions.mayPublish(plans[at]!)) sink.value++;
      if (++at === subjects) at = 0;
    }
    return count;
  };
  return { name, run };
}

function freshCase(name: string, subjects: number): Case {
  const permissions = new Permissions(RULES);
  const texts = Array.from({ length: subjects }, (_, i) => `orders.${1000 + i}`);
  const run = (count: number): number => {
    for (let i = 0; i < count; i++) if (permissions.mayPublishTo(texts[i % subjects]!)) sink.value++;
    return count;
  };
  return { name, run };
}
