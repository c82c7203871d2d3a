/** What a peer on a leaf connection gets of streams that its account imports. */
import { describe, expect, it } from "vitest";
import type { AccountDefinition, AccountsDefinition } from "../../../src/core/definitions.ts";
import type { LeafSession } from "../../../src/links/leaf/session.ts";
import { LeafStack } from "../../property/leaf-stack.ts";
import type { Link } from "../../property/stack.ts";

/** What it was told of interest, but for what it is always told. */
function told({ wire, session }: Link<LeafSession>): string {
  session.outbox.flush();
  return wire.takeText().replace(/LS\+ \$(?:SYS|LDS)\.\S+\r\n/g, "");
}

function account(name: string, more: Partial<AccountDefinition>): AccountDefinition {
  return {
    name,
    limits: { maxConnections: null, maxSubscriptions: null, maxPayloadBytes: null },
    streamExports: [],
    serviceExports: [],
    streamImports: [],
    serviceImports: [],
    ...more,
  };
}

const STREAMS: AccountsDefinition = {
  systemAccount: "SYS",
  accounts: [
    account("SYS", {}),
    account("EXPORTER", {
      streamExports: [
        { subject: "news.>", accounts: null },
        { subject: "log.*", accounts: null },
      ],
    }),
    account("IMPORTER", {
      streamImports: [
        { account: "EXPORTER", subject: "news.>", to: "news.>" },
        { account: "EXPORTER", subject: "log.*", to: "far.log.*" },
      ],
    }),
  ],
};

describe("a spoke in an account that imports streams", () => {
  const joined = (): { readonly stack: LeafStack; readonly link: Link<LeafSession> } => {
    const stack = new LeafStack({
      accounts: { definition: STREAMS },
      users: [{ name: "leaf", password: "p", account: "IMPORTER", permissions: null, connectionTypes: [] }],
    });
    const link = stack.knock();
    link.wire.receiveText(`CONNECT {"name":"s","cluster":"s","headers":true,"user":"leaf","pass":"p"}\r\n`);
    told(link);
    return { stack, link };
  };
  const covers = (stack: LeafStack, subject: string): boolean =>
    stack.accounts.get("EXPORTER")!.interest.covers(subject);

  it("gets what is published there once, under its subject here, for as long as it wants it", () => {
    const { stack, link } = joined();
    link.wire.receiveText("LS+ news.*\r\nLS+ news.>\r\nLS+ far.log.*\r\nLS+ other\r\n");
    const publisher = stack.clientIn("EXPORTER");
    publisher.wire.receiveText("PUB news.a back 1\r\nx\r\nPUB log.b 1\r\ny\r\nPUB other 1\r\nz\r\n");
    publisher.wire.receiveText("HPUB log.c 18 19\r\nNATS/1.0\r\nA: b\r\n\r\n \r\n");
    const got = told(link);
    expect(got).toContain("LMSG news.a back 1\r\nx\r\nLMSG far.log.b 1\r\ny\r\n");
    expect(got).toContain("HMSG far.log.c 18 19\r\n");
    expect(got.match(/MSG/g)).toHaveLength(3);
    link.wire.receiveText("LS- news.>\r\nLS- far.log.*\r\n");
    publisher.wire.receiveText("PUB news.a 1\r\nx\r\nPUB log.b 1\r\ny\r\n");
    expect(told(link)).toBe("LMSG news.a 1\r\nx\r\n");
    link.wire.hangUp();
    stack.clock.advance(0);
    expect([covers(stack, "news.a"), covers(stack, "log.b")]).toEqual([false, false]);
  });

  it("has one member of a queue group at a time served", () => {
    const { stack, link } = joined();
    link.wire.receiveText("LS+ news.a q 2\r\n");
    stack.clientIn("EXPORTER").wire.receiveText("PUB news.a 1\r\nx\r\n");
    expect(told(link)).toBe("LMSG news.a | q 1\r\nx\r\n");
  });

  it("follows imports that come and go", () => {
    const { stack, link } = joined();
    link.wire.receiveText("LS+ news.a\r\n");
    const without = STREAMS.accounts.map((one) => ({ ...one, streamImports: [] }));
    stack.accounts.reconfigure({ ...STREAMS, accounts: without });
    stack.clock.advance(0);
    expect(covers(stack, "news.a")).toBe(false);
    stack.accounts.reconfigure(STREAMS);
    stack.clock.advance(0);
    stack.clientIn("EXPORTER").wire.receiveText("PUB news.a 1\r\nx\r\n");
    expect(told(link)).toContain("LMSG news.a 1\r\nx\r\n");
  });
});
