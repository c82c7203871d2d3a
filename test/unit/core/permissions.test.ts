/** What users may publish, subscribe and answer; what follows when that changes. Texts are played in test/protocol. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Authenticator } from "../../../src/auth/authenticator.ts";
import type { KnownUser } from "../../../src/auth/known-user.ts";
import { hashBytes } from "../../../src/slab/hash.ts";
import { AREA } from "../../../src/slab/layout.ts";
import { writeText } from "../../../src/slab/memory.ts";
import { Interest } from "../../../src/core/interest.ts";
import { Permissions, type UserPermissions } from "../../../src/core/permissions.ts";
import { subjectMatches } from "../../../src/subject/subject.ts";
import { Stack } from "../../property/stack.ts";

const NOTHING: UserPermissions = { publish: null, subscribe: null, responses: null };

function user(name: string, permissions: Partial<UserPermissions> = {}): KnownUser {
  const all = { ...NOTHING, ...permissions };
  return { name, password: "p", account: "$G", permissions: all, connectionTypes: [] };
}

function stackOf(...users: readonly KnownUser[]): { stack: Stack; authenticator: Authenticator } {
  const authenticator = new Authenticator({ users, noAuthUser: null });
  return { authenticator, stack: new Stack({ authenticator }) };
}

const as = (name: string): string => `"user":"${name}","pass":"p"`;

const token = fc.constantFrom("a", "b", "c");
const subject = fc.array(token, { minLength: 1, maxLength: 3 }).map((tokens) => tokens.join("."));
const pattern = fc
  .tuple(fc.array(fc.constantFrom("a", "b", "c", "*"), { minLength: 1, maxLength: 3 }), fc.boolean())
  .map(([tokens, isOpen]) => (isOpen ? [...tokens, ">"] : tokens).join("."));
const patterns = fc.array(pattern, { maxLength: 4 });

describe("the verdict on a subject", () => {
  it("is that of the rules, asked for the first time or again, whatever was asked in between", () => {
    const room = AREA.mapped.at;
    const ask = fc.array(subject, { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(fc.option(patterns), patterns, ask, (allow, deny, subjects) => {
        const permissions = new Permissions({ ...NOTHING, publish: { allow, deny } });
        const interest = new Interest("$G");
        for (const one of [...subjects, ...subjects]) {
          writeText(room, one);
          const plan = interest.plan(room, one.length, hashBytes(room, one.length));
          const isAllowed = allow === null || allow.some((rule) => subjectMatches(rule, one));
          const isDenied = deny.some((rule) => subjectMatches(rule, one));
          expect([one, permissions.mayPublish(plan)]).toEqual([one, isAllowed && !isDenied]);
        }
        interest[Symbol.dispose]();
      }),
    );
  });

  it("is remembered for each subject by itself, more of them than are remembered", () => {
    const permissions = new Permissions({ ...NOTHING, publish: { allow: ["*.even"], deny: [] } });
    const interest = new Interest("$G");
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 5000; i++) {
        const one = `${i}.${i % 2 === 0 ? "even" : "odd"}`;
        writeText(1024, one);
        const plan = interest.plan(1024, one.length, hashBytes(1024, one.length));
        if (permissions.mayPublish(plan) !== (i % 2 === 0)) expect.fail(`${one} in round ${round}`);
      }
    }
    interest[Symbol.dispose]();
  });
});

describe("deliveries", () => {
  it("are those of the subscription that are not denied", () => {
    fc.assert(
      fc.property(patterns, pattern, fc.array(subject, { maxLength: 10 }), (deny, wide, subjects) => {
        const { stack } = stackOf(user("reader", { subscribe: { allow: null, deny } }), user("writer"));
        const [reader, writer] = [stack.client(as("reader")), stack.client(as("writer"))];
        reader.wire.receiveText(`SUB ${wide} 1\r\n`);
        if (reader.wire.takeText() !== "") return; // refused altogether
        for (const one of subjects) writer.wire.receiveText(`PUB ${one} 0\r\n\r\n`);
        const wanted = subjects.filter(
          (one) => subjectMatches(wide, one) && !deny.some((rule) => subjectMatches(rule, one)),
        );
        expect(reader.wire.takeText()).toBe(wanted.map((one) => `MSG ${one} 1 0\r\n\r\n`).join(""));
        stack.accounts[Symbol.dispose]();
      }),
    );
  });
});

describe("answers", () => {
  const serving = (max: number, expiresMs: number): ReturnType<typeof stackOf> =>
    stackOf(user("service", { responses: { max, expiresMs } }), user("asker"));

  it("are allowed until their time is over", () => {
    const { stack } = serving(5, 1000);
    const [service, asker] = [stack.client(as("service")), stack.client(as("asker"))];
    service.wire.receiveText("SUB svc 1\r\n");
    asker.wire.receiveText("PUB svc r 0\r\n\r\n");
    service.wire.take();
    stack.clock.advance(1000);
    service.wire.receiveText("PUB r 0\r\n\r\n");
    expect(service.wire.takeText()).toBe("");
    stack.clock.advance(1);
    service.wire.receiveText("PUB r 0\r\n\r\n");
    expect(service.wire.takeText()).toBe("-ERR 'Permissions Violation for Publish to \"r\"'\r\n");
  });

  it("that nobody gives are forgotten, the oldest first, beyond 65,536", () => {
    const { stack } = serving(1, -1);
    const [service, asker] = [stack.client(as("service")), stack.client(as("asker"))];
    service.wire.receiveText("SUB svc 1\r\n");
    for (let i = 0; i <= 65_536; i++) {
      asker.wire.receiveText(`PUB svc r${i} 0\r\n\r\n`);
      if (i % 1000 === 0) service.wire.take();
    }
    service.wire.take();
    service.wire.receiveText("PUB r0 0\r\n\r\nPUB r1 0\r\n\r\nPUB r65536 0\r\n\r\n");
    expect(service.wire.takeText()).toBe("-ERR 'Permissions Violation for Publish to \"r0\"'\r\n");
  });

  it("on one subject are counted, although the parser finds the same head again", () => {
    const { stack } = serving(2, -1);
    const [service, asker] = [stack.client(as("service")), stack.client(as("asker"))];
    service.wire.receiveText("SUB svc 1\r\n");
    asker.wire.receiveText("SUB r 1\r\nPUB svc r 0\r\n\r\n");
    service.wire.take();
    service.wire.receiveText("PUB r 0\r\n\r\n".repeat(4));
    expect(asker.wire.takeText()).toBe("MSG r 1 0\r\n\r\n".repeat(2));
    expect(service.wire.takeText()).toBe("-ERR 'Permissions Violation for Publish to \"r\"'\r\n".repeat(2));
  });
});

describe("users who change while they are connected", () => {
  it("may do at once what the new rules say: published subjects, subscriptions, and what those filter", () => {
    const { stack, authenticator } = stackOf(
      user("ann", { publish: { allow: ["a"], deny: [] } }),
      user("bob"),
    );
    const [ann, bob] = [stack.client(as("ann")), stack.client(as("bob"))];
    ann.wire.receiveText("SUB x.> 1\r\nSUB y 2\r\nSUB y q 3\r\nPUB a 0\r\n\r\nPUB b 0\r\n\r\n");
    expect(ann.wire.takeText()).toBe("-ERR 'Permissions Violation for Publish to \"b\"'\r\n");
    const changed = user("ann", {
      publish: { allow: ["b"], deny: [] },
      subscribe: { allow: null, deny: ["x.secret", "y"] },
    });
    authenticator.reconfigure({ users: [changed, user("bob")], noAuthUser: null });
    ann.session.recheckGrant();
    bob.session.recheckGrant();
    ann.session.outbox.flush();
    expect(ann.wire.takeText()).toBe(
      '-ERR \'Permissions Violation for Subscription to "y" (sid "2")\'\r\n' +
        '-ERR \'Permissions Violation for Subscription to "y" using queue "q" (sid "3")\'\r\n',
    );
    ann.wire.receiveText("PUB a 0\r\n\r\nPUB b 0\r\n\r\n");
    expect(ann.wire.takeText()).toBe("-ERR 'Permissions Violation for Publish to \"a\"'\r\n");
    bob.wire.receiveText("PUB x.secret 0\r\n\r\nPUB x.open 0\r\n\r\nPUB y 0\r\n\r\n");
    expect(ann.wire.takeText()).toBe("MSG x.open 1 0\r\n\r\n");
  });

  it("may still give the answers that they owe, by the new rules, where they may answer at all", () => {
    const answering = (publish: string, responses: UserPermissions["responses"]): KnownUser =>
      user("service", { publish: { allow: [publish], deny: [] }, responses });
    const rules = { max: 2, expiresMs: -1 };
    const { stack, authenticator } = stackOf(answering("x", rules), user("asker"));
    const [service, asker] = [stack.client(as("service")), stack.client(as("asker"))];
    service.wire.receiveText("SUB svc 1\r\n");
    asker.wire.receiveText("SUB r.* 1\r\nPUB svc r.1 0\r\n\r\nPUB svc r.2 0\r\n\r\n");
    service.wire.take();
    const change = (publish: string, responses: UserPermissions["responses"]): void => {
      authenticator.reconfigure({ users: [answering(publish, responses), user("asker")], noAuthUser: null });
      service.session.recheckGrant();
    };
    change("y", { max: 1, expiresMs: -1 });
    service.wire.receiveText("PUB r.1 0\r\n\r\n".repeat(2));
    expect(asker.wire.takeText()).toBe("MSG r.1 1 0\r\n\r\n");
    expect(service.wire.takeText()).toBe("-ERR 'Permissions Violation for Publish to \"r.1\"'\r\n");
    change("y", null);
    service.wire.receiveText("PUB r.2 0\r\n\r\n");
    expect(service.wire.takeText()).toBe("-ERR 'Permissions Violation for Publish to \"r.2\"'\r\n");
  });

  it("owe nothing as somebody else, after another CONNECT", () => {
    const rules = { max: 2, expiresMs: -1 };
    const { stack } = stackOf(
      user("service", { responses: rules }),
      user("other", { responses: rules }),
      user("asker"),
    );
    const [service, asker] = [stack.client(as("service")), stack.client(as("asker"))];
    service.wire.receiveText("SUB svc 1\r\n");
    asker.wire.receiveText("PUB svc r 0\r\n\r\n");
    service.wire.take();
    service.wire.receiveText(`CONNECT {${as("other")}}\r\nPUB r 0\r\n\r\n`);
    expect(service.wire.takeText()).toContain("-ERR 'Permissions Violation for Publish to \"r\"'\r\n");
  });

  it("keep what was delivered so far of a subscription with an end", () => {
    const { stack, authenticator } = stackOf(user("ann"));
    const ann = stack.client(as("ann"));
    ann.wire.receiveText("SUB a 1\r\nUNSUB 1 3\r\nPUB a 0\r\n\r\n");
    const permissions = { publish: null, subscribe: null, responses: null };
    authenticator.reconfigure({ users: [{ ...user("ann"), permissions }], noAuthUser: null });
    ann.session.recheckGrant();
    ann.wire.receiveText("PUB a 0\r\n\r\n".repeat(5));
    expect(ann.wire.takeText()).toBe("MSG a 1 0\r\n\r\n".repeat(3));
  });

  const violation = "-ERR 'Authorization Violation'\r\n";

  // Without a word where the user is no longer there: so does nats-server.
  it.each([
    ["are gone", [], ""],
    ["have another password", [{ ...user("ann"), password: "other" }], violation],
    ["are of another account", [{ ...user("ann"), account: "OTHER" }], ""],
    ["may not connect like this", [{ ...user("ann"), connectionTypes: ["MQTT" as const] }], violation],
  ])("are sent away when they %s", (_how, users, said) => {
    const { stack, authenticator } = stackOf(user("ann"));
    const ann = stack.client(as("ann"));
    authenticator.reconfigure({ users, noAuthUser: null, isClosed: true });
    ann.session.recheckGrant();
    expect(ann.wire.takeText()).toBe(said);
    expect(ann.session.closedFor).toBe(said === "" ? "Client Closed" : "Authentication Failure");
  });
});
