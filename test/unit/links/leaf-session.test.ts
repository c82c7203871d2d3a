/** What a peer on a leaf connection, which is trusted no more than a client, can do and cannot. */
import { describe, expect, it, vi } from "vitest";
import type { KnownUser } from "../../../src/auth/known-user.ts";
import type { AccountsDefinition } from "../../../src/core/definitions.ts";
import type { UserPermissions } from "../../../src/core/permissions.ts";
import type { LeafSession } from "../../../src/links/leaf/session.ts";
import { Packers, STREAM_START } from "../../../src/compress/stream-packer.ts";
import { MemoryWire } from "../../../src/transport/memory.ts";
import { S2Wires } from "../../../src/transport/s2-wire.ts";
import { PATIENCE_MS } from "../../support/patience.ts";
import { LeafStack } from "../../property/leaf-stack.ts";
import type { Link } from "../../property/stack.ts";

function user(permissions: UserPermissions | null): KnownUser {
  return { name: "leaf", password: "p", account: "$G", permissions, connectionTypes: [] };
}

const CREDENTIALS = `"user":"leaf","pass":"p"`;

function said({ wire, session }: Link<{ outbox: LeafSession["outbox"] }>): string {
  session.outbox.flush();
  return wire.takeText();
}

/** What it was told of interest, but for what it is always told. */
function told(link: Link<LeafSession>): string {
  return said(link).replace(/LS\+ \$(?:SYS|LDS)\.\S+\r\n/g, "");
}

describe("before it has said who it is, a peer", () => {
  it("cannot send messages, nor have memory kept for a payload", () => {
    const stack = new LeafStack();
    const { wire, session } = stack.knock();
    wire.receiveText("LMSG a 1000000\r\nx");
    expect(session.isOpen).toBe(false);
    expect(session.closedFor).toBe("Protocol Violation");
  });

  it("cannot tell of interest", () => {
    const stack = new LeafStack();
    const { wire, session } = stack.knock();
    wire.receiveText("LS+ a\r\n");
    expect(wire.takeText()).toBe("-ERR 'Authorization Violation'\r\n");
    expect(session.isOpen).toBe(false);
    expect(stack.accounts.global.interest.covers("a")).toBe(false);
  });

  it("cannot have a long line kept: INFO, CONNECT or anything else", () => {
    for (const begin of ["INFO {", "CONNECT {", "LS+ "]) {
      const { wire, session } = new LeafStack().knock();
      wire.receiveText(begin);
      for (let n = 0; n < 70 && session.isOpen; n++) wire.receiveText("x".repeat(1024));
      expect(session.isOpen).toBe(false);
    }
  });

  it("agrees on compression, and cannot have more unpacked than a line", () => {
    const stack = new LeafStack({ compression: { mode: "s2_fast", rttThresholdsMs: [] } });
    const knock = (): Link<LeafSession> => {
      const below = new MemoryWire();
      const { session } = stack.knock(below, new S2Wires().over(below, 4096));
      // A nats-server without a port for leaf nodes names nobody in this INFO.
      below.receiveText(`INFO {"server_id":"","client_id":3,"compression":"s2_best"}\r\n`);
      expect(below.take().subarray(0, STREAM_START.length)).toEqual(Buffer.from(STREAM_START));
      return { wire: below, session };
    };
    const packed = (text: string): Buffer =>
      Buffer.concat([STREAM_START, ...new Packers().pack("best", [Buffer.from(text)])]);
    const admitted = knock();
    admitted.wire.receive(packed(`CONNECT {"version":"2.15.3","name":"s","remote_account":"$G"}\r\n`));
    expect([admitted.session.account?.name, admitted.session.compression.mode]).toEqual(["$G", "s2_fast"]);
    admitted.wire.receive(packed(`LS+ ${"a".repeat(4000)}.b\r\n`.repeat(10)));
    expect(admitted.session.interests?.size).toBe(1);
    const { wire, session } = knock();
    wire.receive(packed("x".repeat(4097)));
    expect(wire.state).toBe("closing");
    wire.hangUp();
    expect(session.isOpen).toBe(false);
    const other = stack.knock();
    other.wire.receiveText(`INFO {"compression":"zstd"}\r\n`);
    expect(other.session.isOpen).toBe(false);
  });

  it("is closed when it says nothing in time", () => {
    const stack = new LeafStack();
    const { wire, session } = stack.knock();
    stack.clock.advance(1999);
    expect(session.isOpen).toBe(true);
    stack.clock.advance(1);
    expect(wire.takeText()).toBe("-ERR 'Authentication Timeout'\r\n");
    expect(session.isOpen).toBe(false);
  });

  it("is refused with wrong credentials, whatever else it says", () => {
    const { wire, session } = new LeafStack({ users: [user(null)] }).knock();
    wire.receiveText(`CONNECT {"name":"s","user":"leaf","pass":"wrong"}\r\n`);
    expect(wire.takeText()).toBe("-ERR 'Authorization Violation'\r\n");
    expect(session.isOpen).toBe(false);
  });

  it.each([
    ['"lang":"go"', "attempted to connect to leaf node port"],
    ['"cluster":"a b"', "cluster name cannot contain spaces"],
    ['"cluster":"_"', "cluster name is reserved"],
    ['"cluster":"here"', "remote leafnode has same cluster name"],
    ['"gateway":"G"', 'Rejecting connection from gateway "G" on the leafnode port'],
    ['"version":"2.9.0"', 'connection rejected since minimum version required is "2.10.0"'],
  ])("is refused where it is not what it should be: %s", (fields, words) => {
    const { wire, session } = new LeafStack({ versionMin: "2.10.0" }).knock();
    wire.receiveText(
      `CONNECT {"version":"2.15.3","name":"s",${fields}}\r\n`.replace(
        '"version":"2.15.3","name":"s","version"',
        '"name":"s","version"',
      ),
    );
    expect(wire.takeText()).toBe(`-ERR '${words}'\r\n`);
    expect(session.isOpen).toBe(false);
  });
});

describe("a spoke", () => {
  it("is told of what is wanted here, and of no interest of its own cluster", () => {
    const stack = new LeafStack();
    const client = stack.client();
    client.wire.receiveText("SUB a 1\r\nSUB b q 2\r\nSUB b q 3\r\n");
    const link = stack.knock();
    link.wire.receiveText(`CONNECT {"name":"one","cluster":"S","headers":true}\r\n`);
    expect(told(link)).toContain("LS+ a\r\nLS+ b q 2\r\n");
    const other = stack.spoke("S");
    other.wire.receiveText("LS+ own\r\nLS+ a\r\n");
    expect(told(link)).toBe("");
    const elsewhere = stack.spoke("T");
    elsewhere.wire.receiveText("LS+ own\r\n");
    expect(told(link)).toBe("LS+ own\r\n");
    client.wire.receiveText("UNSUB 1\r\n");
    expect(told(link)).toBe("LS- a\r\n");
    elsewhere.wire.hangUp();
    expect(told(link)).toBe("LS- own\r\n");
    client.wire.receiveText("UNSUB 3\r\n");
    expect(told(link)).toBe("LS+ b q 1\r\n");
  });

  it("has its interest told to the other servers of the cluster with the name of its own", () => {
    const stack = new LeafStack();
    const { wire } = stack.spoke("S");
    wire.receiveText("LS+ a\r\nLS+ b q 3\r\nLS- a\r\n");
    const interest = stack.toldRoutes.map(
      ({ subject, queue, count, leafCluster }) => `${subject} ${queue} ${count} ${leafCluster}`,
    );
    expect(interest).toEqual(["a null 1 S", "b q 3 S", "a null 0 S"]);
  });

  it("has its interest withdrawn from the other servers once it is gone, however much it was", async () => {
    const stack = new LeafStack();
    const { wire } = stack.spoke("S");
    const count = 5000;
    wire.receiveText(Array.from({ length: count }, (_, n) => `LS+ a.${n}\r\n`).join(""));
    const standing = (): number =>
      stack.toldRoutes.reduce((sum, change) => sum + (change.count > 0 ? 1 : -1), 0);
    await vi.waitFor(() => expect(standing()).toBe(count), PATIENCE_MS);
    wire.hangUp();
    await vi.waitFor(() => expect(standing()).toBe(0), PATIENCE_MS);
  });

  it("is told of no interest of other spokes where it is isolated", () => {
    const stack = new LeafStack({ isIsolated: true });
    const link = stack.spoke("one");
    told(link);
    stack.spoke("two").wire.receiveText("LS+ theirs\r\n");
    stack.client().wire.receiveText("SUB here 1\r\n");
    expect(told(link)).toBe("LS+ here\r\n");
  });

  it("cannot publish what its user may not, and is closed for it", () => {
    const stack = new LeafStack({
      users: [user({ publish: { allow: ["up.>"], deny: ["up.secret"] }, subscribe: null, responses: null })],
    });
    const client = stack.client();
    client.wire.receiveText("SUB > 1\r\n");
    const { wire, session } = stack.spoke("s", CREDENTIALS);
    wire.receiveText("LMSG up.a 1\r\nx\r\n");
    expect(said(client)).toBe("MSG up.a 1 1\r\nx\r\n");
    wire.receiveText("LMSG up.secret 1\r\nx\r\nLMSG up.b 1\r\nx\r\n");
    expect(session.isOpen).toBe(false);
    expect(wire.takeText()).toContain(`-ERR 'Permissions Violation for Publish to "up.secret"'`);
    expect(said(client)).toBe("");
  });

  it("is sent nothing that its user may not subscribe to, however wide it asks", () => {
    const stack = new LeafStack({
      users: [
        user({ publish: null, subscribe: { allow: ["down.>"], deny: ["down.secret"] }, responses: null }),
      ],
    });
    const link = stack.spoke("s", `${CREDENTIALS},"deny_pub":["down.unwanted"]`);
    told(link);
    link.wire.receiveText("LS+ >\r\n");
    const client = stack.client();
    for (const subject of ["down.a", "down.secret", "down.unwanted", "other"])
      client.wire.receiveText(`PUB ${subject} 1\r\nx\r\n`);
    expect(said(link)).toBe("LMSG down.a 1\r\nx\r\n");
    link.wire.receiveText("LS+ down.secret\r\n");
    expect(link.session.isOpen).toBe(false);
  });

  it("gets requests to JetStream in neither direction, nor what buckets are made of", () => {
    const stack = new LeafStack();
    const link = stack.spoke();
    const client = stack.client();
    client.wire.receiveText("SUB $KV.> 1\r\nSUB $JS.API.> 2\r\n");
    link.wire.receiveText("LS+ >\r\n");
    expect(told(link)).toBe("");
    client.wire.receiveText("PUB $JS.API.INFO 1\r\nx\r\nPUB $KV.b.k 1\r\nx\r\nPUB a 1\r\nx\r\n");
    expect(said(link)).toBe("LMSG a 1\r\nx\r\n");
  });

  it("cannot say what servers say among themselves", () => {
    const stack = new LeafStack();
    const client = stack.client();
    client.wire.receiveText("SUB > 1\r\n");
    const { wire, session } = stack.spoke();
    wire.receiveText("LMSG _GR_.abc.def 1\r\nx\r\n");
    expect(session.isOpen).toBe(false);
    expect(said(client)).toBe("");
  });

  it("ends the connection where its interest comes back to it", () => {
    const stack = new LeafStack();
    const { wire, session } = stack.spoke();
    wire.receiveText("LS+ $LDS.own1\r\n");
    expect(wire.takeText()).toContain('-ERR \'Loop detected for leafnode account="$G". Delaying attempt');
    expect(session.isOpen).toBe(false);
    expect(session.redialDelayMs).toBe(30_000);
  });

  it("may be interested in so much, and is closed beyond", () => {
    const stack = new LeafStack({ leafLimits: { maxSubscriptions: 3 } });
    const { wire, session } = stack.spoke();
    wire.receiveText("LS+ a\r\nLS+ b\r\nLS+ a\r\nLS+ c\r\n");
    expect(session.isOpen).toBe(true);
    wire.receiveText("LS+ d\r\n");
    expect(session.isOpen).toBe(false);
    expect(stack.accounts.global.interest.covers("a")).toBe(false);
  });

  it("may send messages of so many bytes, and is closed beyond, before they are kept", () => {
    const { wire, session } = new LeafStack({ leafLimits: { maxPayloadBytes: 100 } }).spoke();
    wire.receiveText("LMSG a 101\r\nx");
    expect(session.isOpen).toBe(false);
    expect(wire.takeText()).toContain("-ERR 'Maximum Payload Violation'");
  });
});

const SERVICES: AccountsDefinition = {
  systemAccount: "SYS",
  accounts: [
    {
      name: "SYS",
      limits: { maxConnections: null, maxSubscriptions: null, maxPayloadBytes: null },
      streamExports: [],
      serviceExports: [],
      streamImports: [],
      serviceImports: [],
    },
    {
      name: "EXPORTER",
      limits: { maxConnections: null, maxSubscriptions: null, maxPayloadBytes: null },
      streamExports: [],
      serviceExports: [
        {
          subject: "service",
          accounts: null,
          responseType: "singleton",
          responseThresholdMs: 10_000,
          latency: null,
        },
      ],
      streamImports: [],
      serviceImports: [],
    },
    {
      name: "IMPORTER",
      limits: { maxConnections: null, maxSubscriptions: null, maxPayloadBytes: null },
      streamExports: [],
      serviceExports: [],
      streamImports: [],
      serviceImports: [{ account: "EXPORTER", subject: "service", to: "ask", share: true }],
    },
  ],
};

describe("a spoke in an account that imports a service", () => {
  const leafIn = (account: string): KnownUser => ({ ...user(null), account });

  it("is told of the service, and cannot say who asks", () => {
    const stack = new LeafStack({ accounts: { definition: SERVICES }, users: [leafIn("IMPORTER")] });
    const responder = stack.clientIn("EXPORTER");
    responder.wire.receiveText("SUB service 1\r\n");
    const link = stack.knock();
    link.wire.receiveText(`CONNECT {"name":"s","cluster":"s","headers":true,${CREDENTIALS}}\r\n`);
    expect(told(link)).toContain("LS+ ask\r\n");
    const forged = 'NATS/1.0\r\nNats-Request-Info: {"acc":"SYS","user":"admin"}\r\nA: b\r\n\r\n';
    link.wire.receiveText(
      `LS+ back\r\nHMSG ask back ${forged.length} ${forged.length + 1}\r\n${forged}x\r\n`,
    );
    const request = said(responder);
    expect(request).toContain("A: b\r\n");
    expect(request).not.toContain("admin");
    expect(request).toMatch(/Nats-Request-Info: \{[^\r]*"acc":"IMPORTER"/);
    const reply = / (_R_\S+) /.exec(request)![1]!;
    responder.wire.receiveText(`PUB ${reply} 2\r\nok\r\n`);
    expect(told(link)).toBe("LMSG back 2\r\nok\r\n");
  });

  it("reaches one of each queue group that answers, though it names none", () => {
    const stack = new LeafStack({ accounts: { definition: SERVICES }, users: [leafIn("IMPORTER")] });
    const responder = stack.clientIn("EXPORTER");
    responder.wire.receiveText("SUB service q 1\r\nSUB service q 2\r\nSUB service other 3\r\n");
    const { wire } = stack.spoke("s", CREDENTIALS);
    wire.receiveText("LMSG ask | unknown 1\r\nx\r\nLMSG ask back 1\r\ny\r\n");
    expect(said(responder).match(/^HMSG service/gm)).toHaveLength(4);
  });

  it("cannot answer in place of the service: it does not know where", () => {
    const stack = new LeafStack({ accounts: { definition: SERVICES }, users: [leafIn("EXPORTER")] });
    stack.clientIn("EXPORTER").wire.receiveText("SUB service 1\r\n");
    const asking = stack.clientIn("IMPORTER");
    asking.wire.receiveText("SUB back 1\r\nPUB ask back 1\r\nx\r\n");
    const { wire } = stack.spoke("s", CREDENTIALS);
    const { prefix } = { prefix: stack.accounts.get("EXPORTER")!.responses.subject.replace(">", "") };
    wire.receiveText(`LMSG ${prefix}guessed 3\r\nbad\r\n`);
    expect(said(asking)).toBe("");
  });

  it("does not reach the system account", () => {
    const stack = new LeafStack({ accounts: { definition: SERVICES }, users: [leafIn("IMPORTER")] });
    const admin = stack.clientIn("SYS");
    admin.wire.receiveText("SUB > 1\r\n");
    const { wire } = stack.spoke("s", CREDENTIALS);
    wire.receiveText("LMSG $SYS.REQ.SERVER.PING 2\r\n{}\r\nLMSG $SYS.SERVER.X.SHUTDOWN 2\r\n{}\r\n");
    expect(said(admin)).toBe("");
  });
});

describe("a hub that was dialled", () => {
  it("is told of what is wanted here and by spokes, not of what another hub or a route wants", () => {
    const stack = new LeafStack();
    const link = stack.hub();
    told(link);
    stack.client().wire.receiveText("SUB here 1\r\n");
    stack.spoke("S").wire.receiveText("LS+ below\r\n");
    stack.hub().wire.receiveText("LS+ above\r\n");
    stack.route().wire.receiveText("RS+ $G beside\r\n");
    expect(told(link)).toBe("LS+ here\r\nLS+ below\r\n");
  });

  it("cannot send what is denied, nor what its own rules leave out, and stays", () => {
    const stack = new LeafStack();
    const client = stack.client();
    client.wire.receiveText("SUB > 1\r\n");
    const { wire, session } = stack.hub({ denyImports: ["no.>"] }, '"import":{"allow":["no.>","yes"]}');
    wire.receiveText("LMSG no.a 1\r\nx\r\nLMSG other 1\r\nx\r\nLMSG yes 1\r\nx\r\n");
    expect(said(client)).toBe("MSG yes 1 1\r\nx\r\n");
    expect(session.isOpen).toBe(true);
  });

  it("is sent nothing that is denied", () => {
    const stack = new LeafStack();
    const link = stack.hub({ denyExports: ["secret"] });
    told(link);
    link.wire.receiveText("LS+ *\r\n");
    stack.client().wire.receiveText("PUB secret 1\r\nx\r\nPUB open 1\r\nx\r\n");
    expect(said(link)).toBe("LMSG open 1\r\nx\r\n");
  });

  it("gets no messages of servers of its cluster back", () => {
    const stack = new LeafStack();
    const [one, two] = [stack.hub(), stack.hub()];
    told(one);
    told(two);
    one.wire.receiveText("LS+ a\r\n");
    two.wire.receiveText("LS+ a\r\n");
    const spoke = stack.spoke("S");
    spoke.wire.receiveText("LS+ a\r\n");
    [one, two, spoke].forEach(told);
    one.wire.receiveText("LMSG a 1\r\nx\r\n");
    expect(told(one)).toBe("");
    expect(told(spoke)).toContain("LMSG a 1\r\nx\r\n");
  });
});
