/** What JetStream of another server delivers: matched on one subject, shown under another. */
import { afterEach, describe, expect, it } from "vitest";
import { Authenticator } from "../../../src/auth/authenticator.ts";
import type { KnownUser } from "../../../src/auth/known-user.ts";
import type { AccountDefinition } from "../../../src/core/definitions.ts";
import { Stack, type Link } from "../../property/stack.ts";
import type { ClientSession } from "../../../src/links/client/session.ts";

const NO_LIMITS = { maxConnections: null, maxSubscriptions: null, maxPayloadBytes: null };
const ACK = "$JS.ACK.S.C.1.22.3.1700000000000000000.0";

let stack: Stack;
afterEach(() => stack.accounts[Symbol.dispose]());

function account(name: string, parts: Partial<AccountDefinition> = {}): AccountDefinition {
  return {
    name,
    limits: NO_LIMITS,
    streamExports: [],
    serviceExports: [],
    streamImports: [],
    serviceImports: [],
    usesJetStream: false,
    trace: null,
    ...parts,
  };
}

function stackOf(...accounts: AccountDefinition[]): Stack {
  return new Stack({
    accounts: { definition: { accounts, systemAccount: "$SYS", globalUsesJetStream: false } },
  });
}

const received = ({ wire }: Link<ClientSession>, lines: string): string => {
  wire.receiveText(lines);
  return wire.takeText();
};

describe("a delivery that shows another subject", () => {
  const routed = (text: string): string => {
    stack = new Stack();
    const client = stack.client();
    received(client, "SUB to.* 1\r\n");
    stack.route().wire.receiveText(text);
    return client.wire.takeText();
  };

  it("has the shown subject and a plain reply, alone and several at once", () => {
    const once = `RMSG $G to.me ${ACK}@orders.new 5\r\nhello\r\n`;
    expect(routed(once)).toBe(`MSG orders.new 1 ${ACK} 5\r\nhello\r\n`);
    expect(routed(once.repeat(3))).toBe(`MSG orders.new 1 ${ACK} 5\r\nhello\r\n`.repeat(3));
  });

  it("has headers, queue groups, and subjects that are longer or shorter than the reply", () => {
    const head = "NATS/1.0\r\nA: b\r\n\r\n";
    const long = "s.".repeat(150) + "t";
    expect(routed(`HMSG $G to.me ${ACK}@x ${head.length} ${head.length + 2}\r\n${head}hi\r\n`)).toBe(
      `HMSG x 1 ${ACK} ${head.length} ${head.length + 2}\r\n${head}hi\r\n`,
    );
    expect(routed(`RMSG $G to.me | q 2\r\nno\r\nRMSG $G to.me ${ACK}@${long} 0\r\n\r\n`)).toBe(
      `MSG to.me 1 2\r\nno\r\nMSG ${long} 1 ${ACK} 0\r\n\r\n`,
    );
  });

  it("may be larger than the memory that deliveries are put together in", () => {
    const payload = "x".repeat(200_000);
    expect(routed(`RMSG $G to.me ${ACK}@big ${payload.length}\r\n${payload}\r\n`)).toBe(
      `MSG big 1 ${ACK} ${payload.length}\r\n${payload}\r\n`,
    );
  });

  it("leaves alone what only looks like it", () => {
    const odd = [
      "$JS.ACK.S@x.C@y.1.2.3.4.5",
      `${ACK}@`,
      "$JS.ACK.a.b@c",
      "inbox@x",
      "$JS.ACX.S.C.1.2.3.4.5@x",
    ];
    for (const reply of odd) {
      expect(routed(`RMSG $G to.me ${reply} 2\r\nhi\r\n`)).toBe(`MSG to.me 1 ${reply} 2\r\nhi\r\n`);
    }
    const names = "$JS.ACK.S@x.C@y.1.2.3.4.5";
    expect(routed(`RMSG $G to.me ${names}@a@b 2\r\nhi\r\n`)).toBe(`MSG a@b 1 ${names} 2\r\nhi\r\n`);
  });

  it("does not change what comes next on the route", () => {
    stack = new Stack();
    const client = stack.client();
    received(client, "SUB to.* 1\r\n");
    const plain = "RMSG $G to.me r 2\r\nhi\r\n";
    stack.route().wire.receiveText(`${plain}RMSG $G to.me ${ACK}@x 2\r\nhi\r\n${plain}${plain}`);
    expect(client.wire.takeText()).toBe(
      `MSG to.me 1 r 2\r\nhi\r\nMSG x 1 ${ACK} 2\r\nhi\r\n${"MSG to.me 1 r 2\r\nhi\r\n".repeat(2)}`,
    );
  });

  it("is not for a client that is denied the shown subject", () => {
    const subscribe = { allow: null, deny: ["secret.>"] };
    const user: KnownUser = {
      name: "u",
      password: "p",
      account: "$G",
      permissions: { publish: null, subscribe, responses: null },
      connectionTypes: [],
    };
    stack = new Stack({ authenticator: new Authenticator({ users: [user], noAuthUser: null }) });
    const client = stack.client(`"user":"u","pass":"p"`);
    received(client, "SUB > 1\r\n");
    const { wire } = stack.route();
    wire.receiveText(`RMSG $G to.me ${ACK}@secret.a 2\r\nno\r\nRMSG $G to.me ${ACK}@open.a 2\r\nhi\r\n`);
    expect(client.wire.takeText()).toBe(`MSG open.a 1 ${ACK} 2\r\nhi\r\n`);
  });
});

describe("across accounts, a delivery that shows another subject", () => {
  it("is shown as it is through an import of streams, mapped or not", () => {
    const streamImports = [{ account: "A", subject: "to.*", to: "mapped.$1", allowTrace: false }];
    stack = stackOf(account("A"), account("B", { streamImports }));
    const client = stack.clientIn("B");
    received(client, "SUB mapped.* 1\r\n");
    stack.route().wire.receiveText(`RMSG A to.me ${ACK}@orders.new 2\r\nhi\r\n`);
    expect(client.wire.takeText()).toBe(`MSG orders.new 1 ${ACK} 2\r\nhi\r\n`);
  });

  it("answers a request with the reply as it came, also for who waits on another server", () => {
    const services = { subject: "next", accounts: null, responseThresholdMs: 1000, latency: null };
    stack = stackOf(
      account("A", { serviceExports: [{ ...services, responseType: "stream", allowTrace: false }] }),
      account("B", { serviceImports: [{ account: "A", subject: "next", to: "next", share: false }] }),
    );
    const [route, client] = [stack.route(), stack.clientIn("B")];
    route.wire.receiveText("RS+ A next\r\nRS+ B inbox\r\n");
    received(client, "SUB inbox 9\r\nPUB next inbox 2\r\nhi\r\n");
    const reply = /(_R_\.\S+) /.exec(route.wire.takeText())![1]!;
    route.wire.receiveText(`RMSG A ${reply} ${ACK}@orders.new 2\r\nok\r\n`);
    expect(client.wire.takeText()).toBe(`MSG orders.new 9 ${ACK} 2\r\nok\r\n`);
    expect(route.wire.takeText()).toBe(`RMSG B inbox ${ACK}@orders.new 2\r\nok\r\n`);
  });
});
