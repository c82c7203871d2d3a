/** Work in slices: how much of it is done between messages, and that all of it is. */
import { describe, expect, it } from "vitest";
import { Authenticator } from "../../../src/auth/authenticator.ts";
import type { KnownUser } from "../../../src/auth/known-user.ts";
import { breaksSharedState } from "../../../src/base/assert.ts";
import { Chores } from "../../../src/base/chores.ts";
import type { Account } from "../../../src/core/account.ts";
import type { AccountsDefinition } from "../../../src/core/definitions.ts";
import type { MemoryWire } from "../../../src/transport/memory.ts";
import { Stack } from "../../property/stack.ts";

const nextRound = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Lines of SUB are work themselves: those of one read are taken over several rounds. */
async function taken({ interest }: Account, count: number): Promise<void> {
  while (interest.size < count) await nextRound();
}

/** Lines that subscribe to 20,000 subjects. */
const many = (pattern: string): string =>
  Array.from({ length: 20_000 }, (_, i) => `SUB ${pattern.replace("#", String(i))} ${i}\r\n`).join("");

/** B imports `x.>` of A as `to`; what else it may differ in from another one. */
function importing(to: string, maxConnections: number): AccountsDefinition {
  const limits = { maxConnections: null, maxSubscriptions: null, maxPayloadBytes: null };
  const rest = {
    streamExports: [],
    serviceExports: [],
    serviceImports: [],
    usesJetStream: false,
    trace: null,
  };
  const streamImports = [{ account: "A", subject: "x.>", to, allowTrace: false }];
  return {
    accounts: [
      { ...rest, name: "A", limits: { ...limits, maxConnections }, streamImports: [] },
      { ...rest, name: "B", limits, streamImports },
    ],
    systemAccount: null,
    globalUsesJetStream: false,
  };
}

/** A chore of `count` steps that counts them. */
function counted(
  count: number,
  done: number[],
  name = 0,
): { steps: Generator<undefined, void>; count: number } {
  function* steps(): Generator<undefined, void> {
    for (let i = 0; i < count; i++) {
      done.push(name);
      yield;
    }
  }
  return { steps: steps(), count };
}

describe("chores", () => {
  it("that fit into a round are done at once", () => {
    const done: number[] = [];
    new Chores().add(counted(900, done));
    expect(done).toHaveLength(900);
  });

  it("are done in slices, in the order in which they came", async () => {
    const chores = new Chores();
    const done: number[] = [];
    chores.add(counted(100_000, done, 1));
    chores.add(counted(10, done, 2));
    let before = 0;
    let rounds = 0;
    for (; !chores.isIdle; rounds++) {
      expect(done.length - before).toBeLessThanOrEqual(1000 + 100_010 / 100 + 1);
      before = done.length;
      await nextRound();
    }
    expect(done).toHaveLength(100_010);
    expect(done.slice(-10)).toEqual(new Array(10).fill(2));
    expect(rounds).toBeGreaterThanOrEqual(50);
  });

  it("end the server where a step fails, also one that a connection has set off", () => {
    function* failing(): Generator<undefined, void> {
      yield;
      throw new RangeError("of this step");
    }
    let caught: unknown = null;
    try {
      new Chores().add({ steps: failing(), count: 2 });
    } catch (error) {
      caught = error;
    }
    expect(breaksSharedState(caught)).toBe(true);
  });

  it("are fewer in a round where they take long", async () => {
    let nowMs = 0;
    const chores = new Chores(setImmediate, () => nowMs);
    let done = 0;
    function* slow(): Generator<undefined, void> {
      for (; done < 2000; done++) {
        nowMs += 0.1;
        yield;
      }
    }
    chores.add({ steps: slow(), count: 2000 });
    for (let before = 0; !chores.isIdle; before = done) {
      expect(done - before).toBeLessThanOrEqual(4 / 0.1 + 32);
      await nextRound();
    }
    expect(done).toBe(2000);
  });

  it("that come one after the other in one round do not all fit into it", async () => {
    const chores = new Chores();
    const done: number[] = [];
    for (let i = 0; i < 10; i++) chores.add(counted(900, done));
    expect(done.length).toBeLessThanOrEqual(1000);
    while (!chores.isIdle) await nextRound();
    expect(done).toHaveLength(9000);
  });
});

describe("an errand", () => {
  const errand = (count: number, cost: number, met: number[]) => ({
    items: Array.from({ length: count }, (_, i) => i),
    count,
    cost,
    act: (item: number): void => void met.push(item),
  });

  it("takes as much of a round as it costs", async () => {
    const chores = new Chores();
    const met: number[] = [];
    const done = chores.each(errand(3000, 10, met));
    expect(met).toHaveLength(100);
    for (let before = met.length; met.length < 3000; before = met.length) {
      await nextRound();
      expect(met.length - before).toBeLessThanOrEqual((1000 + (3000 * 10) / 100) / 10 + 1);
    }
    await done;
    expect(met).toEqual(Array.from({ length: 3000 }, (_, i) => i));
  });

  it("may set off what is done after it", async () => {
    const chores = new Chores();
    const order: string[] = [];
    const act = (): void => {
      order.push("looked at");
      chores.add({ steps: ["followed"].map((word) => void order.push(word)).values(), count: 1 });
    };
    void chores.each({ items: [1], count: 1, cost: 1, act });
    await chores.caughtUp();
    expect(order).toEqual(["looked at", "followed"]);
    expect(chores.isIdle).toBe(true);
  });
});

describe("a client with many subscriptions", () => {
  it("is ended in slices, and gets nothing meanwhile, nor does anybody wait for it", async () => {
    const stack = new Stack();
    const gone = stack.client();
    gone.wire.receiveText(many("f.#.*"));
    gone.wire.receiveText("SUB g q a\r\n");
    await taken(stack.accounts.global, 20_001);
    const other = stack.client();
    other.wire.receiveText("SUB g q 1\r\n");
    gone.wire.hangUp();
    const { interest } = stack.accounts.global;
    expect(interest.size).toBeGreaterThan(15_000);
    other.wire.take();
    for (let i = 0; i < 10; i++) other.wire.receiveText("PUB g 1\r\nx\r\n");
    expect(other.wire.takeText().match(/^MSG /gm)).toHaveLength(10);
    while (!stack.turn.chores.isIdle) await nextRound();
    expect(interest.size).toBe(1);
  });

  it("that comes and goes without a pause leaves no more than it had", async () => {
    const stack = new Stack();
    for (let i = 0; i < 10; i++) {
      const { wire } = stack.client();
      wire.receiveText(many("f.#.*"));
      await taken(stack.accounts.global, 20_000);
      wire.hangUp();
      expect(stack.accounts.global.interest.size).toBeLessThanOrEqual(20_000);
    }
  });

  it("that says CONNECT again is read on when they have ended", async () => {
    const stack = new Stack();
    const { wire } = stack.client();
    wire.receiveText(many("f.#.*"));
    await taken(stack.accounts.global, 20_000);
    wire.receiveText(
      'CONNECT {"verbose":false,"name":"again"}\r\nSUB f.1.* 1\r\nPUB f.1.x 1\r\nx\r\nPING\r\n',
    );
    expect(wire.takeText()).toBe("");
    while (stack.accounts.global.interest.size !== 1) await nextRound();
    await nextRound();
    expect(wire.takeText()).toMatch(/^MSG f\.1\.x 1 1\r\nx\r\nPONG\r\n/);
    expect(stack.accounts.global.interest.size).toBe(1);
  });

  it("a route with many interests is ended in slices, and is forwarded nothing meanwhile", async () => {
    const stack = new Stack();
    const route = stack.route();
    const lines = Array.from({ length: 20_000 }, (_, i) => `RS+ $G r.${i}\r\n`).join("");
    route.wire.receiveText(lines);
    await taken(stack.accounts.global, 20_000);
    route.wire.hangUp();
    const { interest } = stack.accounts.global;
    expect(interest.size).toBeGreaterThan(15_000);
    await nextRound(); // the lines have used up this one
    expect(interest.size).toBeGreaterThan(10_000);
    const client = stack.client('"no_responders":true');
    client.wire.receiveText("SUB in 1\r\nPUB r.19999 in 1\r\nx\r\n");
    expect(client.wire.takeText()).toContain("NATS/1.0 503");
    while (!stack.turn.chores.isIdle) await nextRound();
    expect(interest.size).toBe(1);
  });
});

describe("a reload", () => {
  const counted = (wire: MemoryWire): number => wire.takeText().match(/^MSG /gm)?.length ?? 0;

  it("that changes permissions renews many subscriptions in slices", async () => {
    const user = (deny: string[]): KnownUser => ({
      name: "ann",
      password: "p",
      account: "$G",
      permissions: { publish: null, subscribe: { allow: null, deny }, responses: null },
      connectionTypes: [],
    });
    const authenticator = new Authenticator({ users: [user([])], noAuthUser: null });
    const stack = new Stack({ authenticator });
    const ann = stack.clientIn("ann");
    ann.wire.receiveText(many("s.#"));
    await taken(stack.accounts.global, 20_000);
    authenticator.reconfigure({ users: [user(["s.19999"])], noAuthUser: null });
    ann.session.recheckGrant();
    expect(ann.session.subscriptions.size).toBe(20_000);
    expect(stack.turn.chores.isIdle).toBe(false);
    while (!stack.turn.chores.isIdle) await nextRound();
    expect(ann.session.subscriptions.size).toBe(19_999);
    expect(stack.accounts.global.interest.size).toBe(19_999);
    ann.session.outbox.flush();
    expect(ann.wire.takeText()).toContain('Subscription to "s.19999"');
  });

  it("that changes imports lets many subscriptions follow in slices, none of which gets a message twice", async () => {
    const stack = new Stack({ accounts: { definition: importing("x.>", 1) } });
    const [from, to] = [stack.clientIn("A"), stack.clientIn("B")];
    to.wire.receiveText(`${many("x.#")}SUB x.> all\r\nSUB y.> other\r\n`);
    const exporter = stack.accounts.get("A")!.interest;
    await taken(stack.accounts.get("A")!, 20_001);
    expect(exporter.size).toBe(20_001);
    stack.accounts.reconfigure(importing("y.>", 1));
    let rounds = 0;
    for (; exporter.size > 1; rounds++) {
      from.wire.receiveText("PUB x.19999 0\r\n\r\n");
      expect(counted(to.wire)).toBeLessThanOrEqual(3);
      await nextRound();
    }
    expect(rounds).toBeGreaterThan(10);
    from.wire.receiveText("PUB x.19999 0\r\n\r\n");
    expect(to.wire.takeText()).toBe("MSG y.19999 other 0\r\n\r\n");
  });

  it("that changes what many accounts import lets them follow in slices, and does not lose one that changes again meanwhile", async () => {
    const definition = (to: (i: number) => string): AccountsDefinition => {
      const [exporter, importer] = importing("x.>", 1).accounts;
      const many = Array.from({ length: 2000 }, (_, i) => ({
        ...importer!,
        name: `B${i}`,
        streamImports: [{ account: "A", subject: "x.>", to: to(i), allowTrace: false }],
      }));
      return { accounts: [exporter!, ...many], systemAccount: null, globalUsesJetStream: false };
    };
    const { accounts, turn } = new Stack({ accounts: { definition: definition(() => "x.>") } });
    const importedAs = (i: number): string => accounts.get(`B${i}`)!.streamImports[0]!.key;
    await turn.chores.caughtUp();
    await nextRound();
    const before = importedAs(1999);
    accounts.reconfigure(definition(() => "y.>"));
    expect(importedAs(0)).not.toBe(before);
    expect(importedAs(1999)).toBe(before);
    accounts.reconfigure(definition((i) => (i === 1999 ? "z.>" : "y.>")));
    await turn.chores.caughtUp();
    expect(importedAs(1998)).toBe(importedAs(0));
    expect(importedAs(1999)).not.toBe(before);
    expect(importedAs(1999)).not.toBe(importedAs(0));
  });

  it("that leaves an import as it is does nothing with what is subscribed", async () => {
    const stack = new Stack({ accounts: { definition: importing("x.>", 1) } });
    const client = stack.clientIn("B");
    client.wire.receiveText(many("x.#"));
    await taken(stack.accounts.get("B")!, 20_000);
    const places = (): number[] =>
      ["A", "B"].flatMap((name) => {
        const { inserts, removes } = stack.accounts.get(name)!.interest.snapshot();
        return [inserts, removes];
      });
    const before = places();
    stack.accounts.reconfigure(importing("x.>", 2));
    expect(stack.turn.chores.isIdle).toBe(true);
    expect(places()).toEqual(before);
  });

  it("that adds an import leaves what is subscribed by the others where it is", async () => {
    const stack = new Stack({ accounts: { definition: importing("x.>", 1) } });
    const [from, to] = [stack.clientIn("A"), stack.clientIn("B")];
    to.wire.receiveText("SUB x.* 1\r\nSUB z.> 2\r\n");
    const { removes } = stack.accounts.get("A")!.interest.snapshot();
    const definition = importing("x.>", 1);
    const [exporter, importer] = definition.accounts;
    const more = { account: "A", subject: "x.*.z", to: "z.*", allowTrace: false };
    stack.accounts.reconfigure({
      ...definition,
      accounts: [exporter!, { ...importer!, streamImports: [...importer!.streamImports, more] }],
    });
    await stack.turn.chores.caughtUp();
    expect(stack.accounts.get("A")!.interest.snapshot().removes).toBe(removes);
    from.wire.receiveText("PUB x.1 0\r\n\r\nPUB x.2.z 0\r\n\r\n");
    expect(to.wire.takeText()).toBe("MSG x.1 1 0\r\n\r\nMSG z.2 2 0\r\n\r\n");
  });

  it("that is refused by its imports is found out beforehand", () => {
    const stack = new Stack({ accounts: { definition: importing("x.>", 1) } });
    expect(() => stack.accounts.check(importing("x.*.$1", 1))).toThrow("invalid subject");
    expect(() => stack.accounts.check(importing("y.>", 1))).not.toThrow();
  });
});
