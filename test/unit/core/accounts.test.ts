/** Accounts that are defined and dropped one by one, late, and while in use. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Authenticator } from "../../../src/auth/authenticator.ts";
import type { AccountDefinition } from "../../../src/core/definitions.ts";
import { Stack } from "../../property/stack.ts";

type Definition = Omit<AccountDefinition, "name">;

const EMPTY: Definition = {
  limits: { maxConnections: null, maxSubscriptions: null, maxPayloadBytes: null },
  streamExports: [],
  serviceExports: [],
  streamImports: [],
  serviceImports: [],
};
const EXPORTER: Definition = {
  ...EMPTY,
  streamExports: [{ subject: "news.>", accounts: null }],
  serviceExports: [
    {
      subject: "add",
      accounts: null,
      responseType: "singleton",
      responseThresholdMs: 1000,
      latency: null,
    },
  ],
};
const IMPORTER: Definition = {
  ...EMPTY,
  streamImports: [{ account: "A", subject: "news.>", to: "a.news.>" }],
  serviceImports: [{ account: "A", subject: "add", to: "sum", share: false }],
};

let stack: Stack;

beforeEach(() => {
  const users = ["A", "B"].map((name) => ({
    name,
    password: "p",
    account: name,
    permissions: null,
    connectionTypes: [],
  }));
  stack = new Stack({ authenticator: new Authenticator({ users, noAuthUser: null }) });
});

afterEach(() => {
  stack.accounts[Symbol.dispose]();
});

describe("an account", () => {
  it("that imports waits for its exporter, and goes on where it has been all the time", () => {
    const { accounts } = stack;
    accounts.define("B", IMPORTER);
    const subscriber = stack.clientIn("B");
    subscriber.wire.receiveText("SUB a.news.> 1\r\nPUB sum inbox 1\r\n?\r\n");
    expect(accounts.get("A")).toBeUndefined();

    accounts.define("A", EXPORTER);
    const publisher = stack.clientIn("A");
    publisher.wire.receiveText("SUB add 7\r\nPUB news.x 2\r\nhi\r\n");
    expect(subscriber.wire.takeText()).toBe("MSG a.news.x 1 2\r\nhi\r\n");
    subscriber.wire.receiveText("PUB sum inbox 1\r\n!\r\n");
    expect(publisher.wire.takeText()).toMatch(/^HMSG add 7 _R_\..* \d+ \d+\r\n[^]*!\r\n$/);

    accounts.drop("A");
    expect(accounts.get("A")!.isConfigured).toBe(false);
    publisher.wire.receiveText("PUB news.x 2\r\nno\r\n");
    subscriber.wire.receiveText("PUB sum inbox 1\r\n-\r\n");
    expect([subscriber.wire.takeText(), publisher.wire.takeText()]).toEqual(["", ""]);

    accounts.define("A", EXPORTER);
    publisher.wire.receiveText("PUB news.y 3\r\nyes\r\n");
    expect(subscriber.wire.takeText()).toBe("MSG a.news.y 1 3\r\nyes\r\n");
  });

  it("of which another server told before it was defined stays the same one", () => {
    const { accounts } = stack;
    const foreign = accounts.heardOf("A")!;
    expect(foreign.isConfigured).toBe(false);
    accounts.define("B", IMPORTER);
    accounts.define("A", EXPORTER);
    expect(accounts.get("A")).toBe(foreign);
    expect(foreign.isConfigured).toBe(true);
  });

  it("is what its last definition says, whether it came alone or with others", () => {
    const { accounts } = stack;
    accounts.define("A", EXPORTER);
    accounts.define("B", IMPORTER);
    const [publisher, subscriber] = [stack.clientIn("A"), stack.clientIn("B")];
    subscriber.wire.receiveText("SUB > 1\r\n");
    accounts.define("B", EMPTY);
    publisher.wire.receiveText("PUB news.x 0\r\n\r\n");
    expect(subscriber.wire.takeText()).toBe("");
    const both = [
      { ...EXPORTER, name: "A" },
      { ...IMPORTER, name: "B" },
    ];
    accounts.reconfigure({ accounts: both, systemAccount: "$SYS" });
    publisher.wire.receiveText("PUB news.x 0\r\n\r\n");
    expect(subscriber.wire.takeText()).toBe("MSG a.news.x 1 0\r\n\r\n");
    accounts.drop("A");
    accounts.drop("A");
    accounts.reconfigure({ accounts: both, systemAccount: "$SYS" });
    publisher.wire.receiveText("PUB news.x 0\r\n\r\n");
    expect(subscriber.wire.takeText()).toBe("MSG a.news.x 1 0\r\n\r\n");
  });

  it("that is the system account cannot be dropped", () => {
    stack.accounts.define("$SYS", EMPTY);
    expect(() => stack.accounts.drop("$SYS")).toThrow(/the system account is never dropped/);
  });
});
