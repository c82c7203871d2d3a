/** Connections of accounts to other servers: whose are counted, how they are forgotten, and when an account has too many. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { VirtualClock } from "../../../src/base/clock.ts";
import { seededRandom } from "../../../src/base/random.ts";
import type { Account } from "../../../src/core/account.ts";
import { Accounts } from "../../../src/core/accounts.ts";
import { Listener } from "../../../src/core/listener.ts";
import { ConnectionsElsewhere } from "../../../src/system/connections-elsewhere.ts";

const LIMITS = { maxConnections: 3, maxSubscriptions: null, maxPayloadBytes: null };
const REST = { streamExports: [], serviceExports: [], streamImports: [], serviceImports: [] };

describe("connections elsewhere", () => {
  let clock: VirtualClock;
  let accounts: Accounts;
  let elsewhere: ConnectionsElsewhere;
  let grown: string[];
  let limited: Account;
  let free: Account;
  beforeEach(() => {
    clock = new VirtualClock();
    accounts = new Accounts({ clock, random: seededRandom(1) });
    accounts.define("L", { ...REST, limits: LIMITS });
    accounts.define("F", { ...REST, limits: { ...LIMITS, maxConnections: null } });
    [limited, free] = [accounts.get("L")!, accounts.get("F")!];
    grown = [];
    elsewhere = new ConnectionsElsewhere({
      ...{ accounts, system: accounts.system!, clock, serverId: "SELF", serverHash: "hash" },
      onGrowth: ({ name }) => void grown.push(name),
    });
  });
  afterEach(() => {
    elsewhere[Symbol.dispose]();
    accounts[Symbol.dispose]();
  });

  /** Resolves in the round after that in which it was looked at. */
  const say = async (subject: string, body: unknown): Promise<void> => {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    accounts.system!.send(subject, text);
    await new Promise((resolve) => setImmediate(resolve));
  };
  const tell = async (server: string, acc: string, conns: unknown, leafnodes = 0): Promise<void> =>
    say(`$SYS.SERVER.ACCOUNT.${acc}.CONNS`, { server: { id: server }, acc, conns, leafnodes });

  it("count for accounts with a limit, one number for each server", async () => {
    await tell("N1", "L", 2, 1);
    await tell("N2", "L", 1);
    await tell("N1", "L", 1);
    await tell("N1", "F", 7);
    expect(limited.elsewhere).toEqual({ connections: 2, leafnodes: 0 });
    expect(free.elsewhere).toEqual({ connections: 0, leafnodes: 0 });
    expect(grown).toEqual(["L", "L"]);
    expect([limited.isFull, limited.isOverfull]).toEqual([false, false]);
    await tell("N2", "L", 1, 4);
    expect([limited.elsewhere.leafnodes, grown.length]).toEqual([4, 3]);
    limited.connections = 2;
    expect([limited.isFull, limited.isOverfull]).toEqual([true, true]);
    limited.connections = 0;
  });

  it("count nothing of what makes no sense, of this server, and of accounts that are not here", async () => {
    for (const body of ["", "x", "[]", "null", { acc: "L" }, { acc: "L", server: { id: "N1" }, conns: -5 }])
      await say("$SYS.SERVER.ACCOUNT.L.CONNS", body);
    await tell("N1", "L", "9");
    await tell("N1", "L", 1.5);
    await tell("SELF", "L", 9);
    await tell("N1", "nobody", 9);
    expect(limited.elsewhere.connections).toBe(0);
    expect(accounts.get("nobody")).toBeUndefined();
  });

  it("are forgotten when their server leaves, and when it has not told them for long", async () => {
    for (const server of ["N1", "N2", "N3"]) await tell(server, "L", 1);
    await say("$SYS.SERVER.N1.SHUTDOWN", {});
    expect(limited.elsewhere.connections).toBe(2);
    await say("$SYS.SERVER.N2.LAMEDUCK", {});
    expect(limited.elsewhere.connections).toBe(1);
    clock.advance(60_000);
    expect(limited.elsewhere.connections).toBe(1);
    clock.advance(60_000);
    expect(limited.elsewhere.connections).toBe(0);
  });

  it("are asked for where there is a limit, and heard at the inbox of this server", async () => {
    const asked: string[] = [];
    accounts.system!.subscribe(
      new Listener("$SYS.REQ.ACCOUNT.*.CONNS", ({ subject, reply }) => asked.push(`${subject} ${reply}`)),
    );
    elsewhere.ask(limited);
    elsewhere.ask(free);
    expect(asked).toEqual(["$SYS.REQ.ACCOUNT.L.CONNS $SYS._INBOX.hash.CONNS"]);
    await say("$SYS._INBOX.hash.CONNS", { server: { id: "N1" }, acc: "L", conns: 4, leafnodes: 0 });
    expect(limited.elsewhere.connections).toBe(4);
  });

  it("count no more when it is over, or the limit is gone", async () => {
    await tell("N1", "L", 2);
    accounts.define("L", { ...REST, limits: { ...LIMITS, maxConnections: null } });
    await tell("N1", "L", 3);
    expect(limited.elsewhere.connections).toBe(0);
    accounts.define("L", { ...REST, limits: LIMITS });
    await tell("N1", "L", 3);
    elsewhere[Symbol.dispose]();
    expect(limited.elsewhere.connections).toBe(0);
  });
});
