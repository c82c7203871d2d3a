/** Services of other accounts, from request to response. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { slabSnapshot } from "../../../src/slab/chunks.ts";
import type { AccountDefinition, ServiceExportDefinition } from "../../../src/core/definitions.ts";
import { Stack } from "../../property/stack.ts";
import { waitFor } from "../../support/cluster-wait.ts";

const NO_LIMITS = { maxConnections: null, maxSubscriptions: null, maxPayloadBytes: null };
const INFO = "Nats-Request-Info";

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

function service(subject: string, parts: Partial<ServiceExportDefinition> = {}): ServiceExportDefinition {
  return {
    subject,
    accounts: null,
    responseType: "singleton",
    responseThresholdMs: 120_000,
    latency: null,
    allowTrace: false,
    ...parts,
  };
}

function stackOf(...accounts: AccountDefinition[]): Stack {
  return new Stack({
    accounts: { definition: { accounts, systemAccount: "$SYS", globalUsesJetStream: false } },
  });
}

/** B imports `add.>` of A as `sum.>`. */
function pair(parts: Partial<ServiceExportDefinition> = {}): Stack {
  const imported = { account: "A", subject: "add.*", to: "sum.*", share: false };
  return stackOf(
    account("A", { serviceExports: [service("add.*", parts)] }),
    account("B", { serviceImports: [imported] }),
  );
}

/** The reply subject of the last request that a responder got. */
function replyIn(text: string): string {
  return /(_R_\.\S+) /.exec(text)![1]!;
}

let stack: Stack;

beforeEach(() => {
  stack = pair();
});

afterEach(() => {
  stack.accounts[Symbol.dispose]();
});

describe("a request to a service of another account", () => {
  it("reaches it under its own subject, and the response comes back once", () => {
    const [responder, requester] = [stack.clientIn("A"), stack.clientIn("B")];
    responder.wire.receiveText("SUB add.* 1\r\n");
    requester.wire.receiveText("SUB inbox 9\r\nPUB sum.x inbox 2\r\nhi\r\n");
    const request = responder.wire.takeText();
    const header = `NATS/1.0\r\n${INFO}: {"acc":"B","rtt":1000}\r\n\r\n`;
    expect(request).toMatch(/^HMSG add\.x 1 _R_\.\w{6}\.\w{10} 55 57\r\n/);
    expect(request).toContain(`${header}hi\r\n`);
    responder.wire.receiveText(`PUB ${replyIn(request)} 2\r\nok\r\n`.repeat(2));
    expect(requester.wire.takeText()).toBe("MSG inbox 9 2\r\nok\r\n");
    expect(stack.accounts.get("A")!.responses.size).toBe(0);
  });

  it("tells of the requester's name in UTF-8, whatever characters it has", () => {
    stack.accounts[Symbol.dispose]();
    const imported = { account: "A", subject: "add.*", to: "sum.*", share: true };
    stack = stackOf(
      account("A", { serviceExports: [service("add.*")] }),
      account("B", { serviceImports: [imported] }),
    );
    const name = "Zoë \u0122,\u0122acc\u0122:\u0122ROOT\u0122 \u010d\u010aX-Admin: yes\r\nNats: x \u{1f41f}";
    const [responder, requester] = [
      stack.clientIn("A"),
      stack.clientIn("B", `"name":${Buffer.from(JSON.stringify(name)).toString("latin1")}`),
    ];
    responder.wire.receiveText("SUB add.* 1\r\n");
    requester.wire.receiveText("SUB inbox 9\r\nPUB sum.x inbox 2\r\nhi\r\n");
    const [, version, header, empty, payload] = responder.wire.take().toString("utf8").split("\r\n");
    expect([version, empty, payload]).toEqual(["NATS/1.0", "", "hi"]);
    expect(header).toMatch(new RegExp(`^${INFO}: `));
    expect(JSON.parse(header!.slice(INFO.length + 2))).toMatchObject({ acc: "B", name });
  });

  it("tells neighbours of the replies' prefix, in the exporter's account, and of nothing in the importer's", () => {
    const requester = stack.clientIn("B");
    requester.wire.receiveText("PUB sum.x inbox 0\r\n\r\n");
    expect(stack.told.map(({ account: name, subject }) => [name, subject.replace(/\w{6}/, "P")])).toEqual([
      ["A", "_R_.P.>"],
    ]);
  });

  it("counts what its headers cost: a megabyte of them is a round's work, and others come first", async () => {
    const [responder, requester] = [stack.clientIn("A"), stack.clientIn("B")];
    responder.wire.receiveText("SUB add.* 1\r\n");
    const headers = `NATS/1.0\r\n${"a:\r\n".repeat(250_000)}\r\n`;
    const { length } = headers;
    requester.wire.receiveText(`HPUB sum.x inbox ${length} ${length}\r\n${headers}\r\n`.repeat(3));
    expect(requester.session.inMessages).toBe(1);
    const other = stack.clientIn("B");
    other.wire.receiveText("PING\r\n");
    expect(other.wire.takeText()).toBe("PONG\r\n");
    await waitFor("all of them", () => responder.session.outMessages === 3 || undefined);
  });

  it("replaces what the sender says of itself", () => {
    const [responder, requester] = [stack.clientIn("A"), stack.clientIn("B")];
    responder.wire.receiveText("SUB > 1\r\n");
    requester.wire.receiveText(
      `HPUB sum.x 52 54\r\nNATS/1.0\r\nnats-request-info: {"acc":"A"}\r\nOwn: 1\r\n\r\nhi\r\n`,
    );
    expect(responder.wire.takeText()).toBe(
      `HMSG add.x 1 63 65\r\nNATS/1.0\r\nOwn: 1\r\n${INFO}: {"acc":"B","rtt":1000}\r\n\r\nhi\r\n`,
    );
  });

  it.each([70_000, 200_000])("carries %i bytes both ways", (size) => {
    const [responder, requester] = [stack.clientIn("A"), stack.clientIn("B")];
    const payload = "x".repeat(size);
    responder.wire.receiveText("SUB add.* 1\r\n");
    requester.wire.receiveText(`SUB inbox 9\r\nPUB sum.x inbox ${size}\r\n${payload}\r\n`);
    const request = responder.wire.takeText();
    expect(request.endsWith(`\r\n\r\n${payload}\r\n`)).toBe(true);
    responder.wire.receiveText(`PUB ${replyIn(request)} ${size}\r\n${payload}\r\n`);
    expect(requester.wire.takeText()).toBe(`MSG inbox 9 ${size}\r\n${payload}\r\n`);
  });

  it("is answered with 503 where nobody serves it, and nothing is remembered", () => {
    const requester = stack.clientIn("B", '"no_responders":true');
    requester.wire.receiveText("SUB inbox 9\r\nPUB sum.x inbox 0\r\n\r\n");
    expect(requester.wire.takeText()).toContain("NATS/1.0 503\r\nNats-Subject: sum.x\r\n");
    expect(stack.accounts.get("A")!.responses.size).toBe(0);
  });

  it("leaves the message as it was for others here", () => {
    const [other, requester] = [stack.clientIn("B"), stack.clientIn("B")];
    stack.clientIn("A").wire.receiveText("SUB add.x 1\r\n");
    other.wire.receiveText("SUB sum.* 4\r\n");
    requester.wire.receiveText("PUB sum.x inbox 2\r\nhi\r\n".repeat(3));
    expect(other.wire.takeText()).toBe("MSG sum.x 4 inbox 2\r\nhi\r\n".repeat(3));
  });

  it("that a neighbour routes here is not taken again", () => {
    const responder = stack.clientIn("A");
    responder.wire.receiveText("SUB add.* 1\r\n");
    stack.route().wire.receiveText("RMSG B sum.x inbox 2\r\nhi\r\n");
    expect(responder.wire.takeText()).toBe("");
  });

  it("is answered over a route by a responder elsewhere", () => {
    const [peer, requester] = [stack.route(), stack.clientIn("B")];
    peer.wire.receiveText("RS+ A add.*\r\n");
    requester.wire.receiveText("SUB inbox 9\r\nPUB sum.x inbox 2\r\nhi\r\n");
    const routed = peer.wire.takeText();
    expect(routed).toMatch(/HMSG A add\.x _R_\.\w+\.\w+ 55 57\r\n/);
    peer.wire.receiveText(`RMSG A ${replyIn(routed)} 2\r\nok\r\n`);
    expect(requester.wire.takeText()).toBe("MSG inbox 9 2\r\nok\r\n");
  });
});

describe("what a service owes", () => {
  it("is forgotten when the threshold has passed", () => {
    stack = pair({ responseThresholdMs: 500 });
    const [responder, requester] = [stack.clientIn("A"), stack.clientIn("B")];
    responder.wire.receiveText("SUB add.* 1\r\n");
    requester.wire.receiveText("SUB inbox 9\r\nPUB sum.x inbox 2\r\nhi\r\n");
    const reply = replyIn(responder.wire.takeText());
    stack.clock.advance(500);
    responder.wire.receiveText(`PUB ${reply} 2\r\nok\r\n`);
    expect(requester.wire.takeText()).toBe("");
    expect(stack.accounts.get("A")!.responses.size).toBe(0);
  });

  it.each(["stream", "chunked"] as const)(
    "may be several messages (%s), up to an empty one",
    (responseType) => {
      stack = pair({ responseType, responseThresholdMs: 400 });
      const [responder, requester] = [stack.clientIn("A"), stack.clientIn("B")];
      responder.wire.receiveText("SUB add.* 1\r\n");
      requester.wire.receiveText("SUB inbox 9\r\nPUB sum.x inbox 2\r\nhi\r\n");
      const reply = replyIn(responder.wire.takeText());
      for (const text of ["1", "2", "3", "", "4"]) {
        responder.wire.receiveText(`PUB ${reply} ${text.length}\r\n${text}\r\n`);
        stack.clock.advance(300);
      }
      expect(requester.wire.takeText()).toBe(
        ["1", "2", "3", ""].map((text) => `MSG inbox 9 ${text.length}\r\n${text}\r\n`).join(""),
      );
    },
  );

  it("is forgotten in slices where there is much of it", async () => {
    const [responder, requester] = [stack.clientIn("A"), stack.clientIn("B")];
    responder.wire.receiveText("SUB add.* 1\r\n");
    requester.wire.receiveText("PUB sum.x inbox 2\r\nhi\r\n".repeat(10_000));
    const { responses } = stack.accounts.get("A")!;
    expect(responses.size).toBe(10_000);
    stack.clock.advance(120_000);
    expect(responses.size).toBeGreaterThan(8000);
    await waitFor("all to be forgotten", () => responses.size === 0);
    responder.wire.hangUp();
    requester.wire.hangUp();
    expect(stack.clock.timerCount).toBe(0);
  });

  it("may be answered itself: the responder's reply leads back to it", () => {
    const [responder, requester] = [stack.clientIn("A"), stack.clientIn("B")];
    responder.wire.receiveText("SUB add.* 1\r\nSUB mine 2\r\n");
    requester.wire.receiveText("SUB inbox 9\r\nPUB sum.x inbox 2\r\nhi\r\n");
    responder.wire.receiveText(`PUB ${replyIn(responder.wire.takeText())} mine 2\r\nok\r\n`);
    const answer = replyIn(requester.wire.takeText());
    requester.wire.receiveText(`PUB ${answer} 3\r\nack\r\n`);
    expect(responder.wire.takeText()).toBe("MSG mine 2 3\r\nack\r\n");
  });
});

describe("imports in a row", () => {
  it("hand what comes in as a request on to those who import it as a stream", () => {
    const subject = { subject: "in.>", to: "in.>" };
    stack = stackOf(
      account("A", { serviceImports: [{ account: "B", ...subject, share: false }] }),
      account("B", {
        serviceExports: [service("in.>")],
        streamExports: [{ subject: "in.>", accounts: null }],
      }),
      account("C", { streamImports: [{ account: "B", ...subject, allowTrace: false }] }),
    );
    const [publisher, exporter, importer] = [stack.clientIn("A"), stack.clientIn("B"), stack.clientIn("C")];
    for (const { wire } of [exporter, importer]) wire.receiveText("SUB in.> 1\r\n");
    publisher.wire.receiveText("PUB in.x 2\r\nhi\r\n");
    for (const { wire } of [exporter, importer])
      expect(wire.takeText().match(/^H?MSG in\.x 1 /gm)).toHaveLength(1);
  });

  it("lead on, and tell the first account and the last that passed it on", () => {
    stack = stackOf(
      account("A", { serviceExports: [service("a")] }),
      account("B", {
        serviceExports: [service("b")],
        serviceImports: [{ account: "A", subject: "a", to: "b", share: false }],
      }),
      account("C", { serviceImports: [{ account: "B", subject: "b", to: "c", share: false }] }),
    );
    const [responder, requester] = [stack.clientIn("A"), stack.clientIn("C")];
    responder.wire.receiveText("SUB a 1\r\n");
    requester.wire.receiveText("SUB inbox 9\r\nPUB c inbox 0\r\n\r\n");
    const request = responder.wire.takeText();
    expect(request).toContain(`${INFO}: {"acc":"C","svc":"B","rtt":1000}\r\n`);
    responder.wire.receiveText(`PUB ${replyIn(request)} 2\r\nok\r\n`);
    expect(requester.wire.takeText()).toBe("MSG inbox 9 2\r\nok\r\n");
  });

  it("that lead back to where they began end", () => {
    const half = (name: string, other: string): AccountDefinition =>
      account(name, {
        serviceExports: [service("x")],
        serviceImports: [{ account: other, subject: "x", to: "x", share: false }],
      });
    stack = stackOf(half("A", "B"), half("B", "A"));
    const [one, other] = [stack.clientIn("A"), stack.clientIn("B")];
    one.wire.receiveText("SUB x 1\r\n");
    other.wire.receiveText("SUB x 2\r\n");
    one.wire.receiveText("PUB x 1\r\n1\r\n");
    expect(one.wire.takeText().match(/MSG/g)).toHaveLength(2);
    expect(other.wire.takeText().match(/MSG/g)).toHaveLength(1);
  });
});

it("gives back its memory", () => {
  const before = slabSnapshot().chunksInUse;
  const [responder, requester] = [stack.clientIn("A"), stack.clientIn("B")];
  responder.wire.receiveText("SUB add.* 1\r\n");
  requester.wire.receiveText("PUB sum.x inbox 2\r\nhi\r\n".repeat(50));
  responder.wire.hangUp();
  requester.wire.hangUp();
  expect(slabSnapshot().chunksInUse).toBe(before);
});
