import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { VirtualClock } from "../../../src/base/clock.ts";
import { seededRandom } from "../../../src/base/random.ts";
import type { Account } from "../../../src/core/account.ts";
import { Accounts } from "../../../src/core/accounts.ts";
import { stageHead, unstage, withStaged } from "../../../src/core/publish.ts";
import { OWN_SOURCE } from "../../../src/core/reach.ts";
import { Subscription } from "../../../src/core/subscription.ts";
import type { Message } from "../../../src/protocol/message.ts";
import { slabSnapshot } from "../../../src/slab/chunks.ts";
import { LINE_MAX } from "../../../src/slab/layout.ts";
import { readText } from "../../../src/slab/memory.ts";

let accounts: Accounts;
let account: Account;

beforeEach(() => {
  accounts = new Accounts({ clock: new VirtualClock(0), random: seededRandom(1) });
  account = accounts.global;
});

afterEach(() => {
  accounts[Symbol.dispose]();
  expect(slabSnapshot()).toMatchObject({ chunksInUse: 0, headsBytes: 0 });
});

/** As a client would be sent it. */
function shown(message: Message): string {
  const head = readText(message.headAt, message.headLength);
  const tail = readText(message.at + message.tailFrom, message.length - message.tailFrom);
  const body = message.body === null ? "" : Buffer.from(message.body).toString("latin1");
  return `${head}1 ${tail}${body}`;
}

function listen(subject: string, hear: (message: Message) => boolean): void {
  account.subscribe(new Subscription({ deliver: (_, message) => hear(message) }, subject, null, "1"));
}

describe("a message that the server makes", () => {
  it("is what a client would have published, whatever its size", () => {
    const heard: string[] = [];
    listen("a.*", (message) => heard.push(shown(message)) > 0);
    for (const size of [0, 9, 10, 63, 64, 4096, 49_151, 49_152, 300_000]) {
      const payload = "p".repeat(size);
      expect(account.send("a.b", Buffer.from(payload))).toBe(true);
      expect(account.send("a.b", Buffer.from(payload), "r.e")).toBe(true);
      const headers = "NATS/1.0\r\nA: b\r\n\r\n";
      expect(account.send("a.b", Buffer.from(payload), "r.e", headers)).toBe(true);
      expect(heard.splice(0)).toEqual([
        `MSG a.b 1 ${size}\r\n${payload}\r\n`,
        `MSG a.b 1 r.e ${size}\r\n${payload}\r\n`,
        `HMSG a.b 1 r.e ${headers.length} ${headers.length + size}\r\n${headers}${payload}\r\n`,
      ]);
    }
  });

  it("is shown under another subject where that is wanted, also while another one is under way", () => {
    const heard: string[] = [];
    listen("to.me", (message) => heard.push(shown(message)) > 0);
    const payload = Buffer.from("x");
    const show = (shownSubject: string, within: () => void): void => {
      withStaged({ subject: "to.me", reply: "", headers: "", payload, shownSubject }, (message) => {
        within();
        return account.publish(message, OWN_SOURCE);
      });
    };
    show("outer.subject", () => show("inner", () => undefined));
    expect(heard).toEqual(["MSG inner 1 1\r\nx\r\n", "MSG outer.subject 1 1\r\nx\r\n"]);
  });

  it("takes no chunk, and the same message object each time", () => {
    const met = new Set<Message>();
    const chunks = new Set<number>();
    listen("a", (message) => {
      chunks.add(slabSnapshot().chunksInUse);
      return met.add(message).size > 0;
    });
    for (let i = 0; i < 100; i++) account.send("a", Buffer.from(`${i}`), "reply");
    expect([met.size, ...chunks]).toEqual([1, 0]);
  });

  it("reaches nobody when its subject is longer than any line, or too many are under way", () => {
    listen(">", () => true);
    expect(account.send("s".repeat(LINE_MAX + 1), Buffer.alloc(0))).toBe(false);
    const staged: Message[] = [];
    for (let next = stageHead({ subject: "a", reply: "" }, 0, 0); next !== null;) {
      staged.push(next);
      next = stageHead({ subject: "a", reply: "" }, 0, 0);
    }
    expect(staged.length).toBe(256);
    expect(account.send("a", Buffer.alloc(0))).toBe(false);
    for (const message of staged.reverse()) unstage(message);
    expect(account.send("a", Buffer.alloc(0))).toBe(true);
  });
});

describe("a receiver", () => {
  it("may not publish while a message is being delivered", () => {
    listen("b", () => true);
    listen("a", () => account.send("b", Buffer.alloc(0)));
    listen("a", () => true);
    expect(() => account.send("a", Buffer.alloc(0))).toThrow(
      "bug: nothing is published while a message is being delivered",
    );
    expect(account.send("b", Buffer.alloc(0))).toBe(true);
  });
});
