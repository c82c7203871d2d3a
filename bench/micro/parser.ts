/** Reading a full window of messages whose meaning is thrown away. */
import { liveCell } from "../../src/base/live.ts";
import { READ_SIZE, READ_START } from "../../src/slab/layout.ts";
import { bytes } from "../../src/slab/memory.ts";
import { ClientParser, type ClientOperations } from "../../src/protocol/client-parser.ts";
import { RouteParser, type RouteOperations } from "../../src/protocol/route-parser.ts";
import { sink, type Case } from "./case.ts";

const PAYLOAD = "x".repeat(16);

export function parserCases(): Case[] {
  const client = (name: string, frame: (i: number) => string): Case => {
    return windowCase(name, new ClientParser(anyClient, limits), frame);
  };
  const route = (name: string, frame: (i: number) => string): Case => {
    return windowCase(name, new RouteParser(anyRoute, limits), frame);
  };
  return [
    client("PUB, the same head again", () => `PUB orders.new 16\r\n${PAYLOAD}\r\n`),
    client("PUB, another subject each time", (i) => `PUB orders.${1000 + (i % 1000)} 16\r\n${PAYLOAD}\r\n`),
    client("PUB with a reply, another each time", (i) => {
      return `PUB orders.new _INBOX.${100_000 + i} 16\r\n${PAYLOAD}\r\n`;
    }),
    client("HPUB, another subject each time", (i) => {
      return `HPUB orders.${1000 + (i % 1000)} 12 28\r\nNATS/1.0\r\n\r\n${PAYLOAD}\r\n`;
    }),
    client("pub in lower case, the unhurried way", () => `pub orders.new 16\r\n${PAYLOAD}\r\n`),
    client("PING", () => "PING\r\n"),
    route("RMSG, the same head again", () => `RMSG $G orders.new 16\r\n${PAYLOAD}\r\n`),
    route("RMSG, another subject each time", (i) => {
      return `RMSG $G orders.${1000 + (i % 1000)} 16\r\n${PAYLOAD}\r\n`;
    }),
  ];
}

const limits = liveCell({ maxPayloadBytes: 1024 * 1024, maxControlLineBytes: 4096 });

function windowCase(
  name: string,
  parser: { parse(at: number, end: number): number },
  frame: (i: number) => string,
): Case {
  const frames: string[] = [];
  let length = 0;
  for (let i = 0; ; i++) {
    const next = frame(i);
    if (length + next.length > READ_SIZE) break;
    frames.push(next);
    length += next.length;
  }
  const window = Buffer.from(frames.join(""), "latin1");
  const run = (count: number): number => {
    let done = 0;
    for (; done < count; done += frames.length) {
      bytes.set(window, READ_START);
      parser.parse(READ_START, READ_START + length);
    }
    return done;
  };
  return { name, run };
}

function counted(): true {
  sink.value++;
  return true;
}

const anyClient: ClientOperations = {
  isWaiting: false,
  mayBegin: counted,
  onPublish: counted,
  onPublishAgain: counted,
  onConnect: counted,
  onSubscribe: counted,
  onUnsubscribe: counted,
  onPing: counted,
  onPong: counted,
  onPeerError: counted,
};

const anyRoute: RouteOperations = {
  isWaiting: false,
  onRouted: counted,
  onRoutedAgain: counted,
  onConnect: counted,
  onInfo: counted,
  onPing: counted,
  onPong: counted,
  onInterest: counted,
  onInterestEnded: counted,
  onLeafInterest: counted,
  onLeafInterestEnded: counted,
  onPeerSaysError: counted,
  onPeerError: counted,
};
