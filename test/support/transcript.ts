/**
 * Transcripts of the client protocol: the text format and its parser. Playing them is in transcript-player.ts.
 * A transcript says byte by byte what clients send (`C:`) and what the server must answer (`S:`); the format is
 * described in test/protocol/README.md. Nothing here touches a socket.
 */

export type Reply =
  /** Exactly these bytes. */
  | { kind: "bytes"; bytes: Buffer }
  /** Each of these, in any order. */
  | { kind: "unordered"; items: Buffer[] }
  /** One of these. */
  | { kind: "oneOf"; alternatives: Buffer[] }
  /** An INFO line whose fields match. */
  | { kind: "info"; fields: Record<string, unknown> }
  /** The server has closed the connection and nothing is left to read. */
  | { kind: "closed" }
  /** The server has closed the connection, perhaps in the middle of what it was sending. */
  | { kind: "cutOff" };

type ClientAct = "open" | "close" | "stop reading" | "read on";

export type Step =
  | { kind: "send"; connection: string; bytes: Buffer; line: number }
  | { kind: "act"; connection: string; act: ClientAct; line: number }
  /** More than one connection: the reply arrives at exactly one of them. */
  | { kind: "expect"; connections: string[]; reply: Reply; line: number }
  /** Lets the server read what was sent so far before more is sent. */
  | { kind: "pause"; line: number }
  | { kind: "signal"; signal: NodeJS.Signals; line: number };

export interface Transcript {
  name: string;
  file: string;
  line: number;
  /** nats.conf text, empty for a server with its defaults. */
  config: string;
  /** First version of nats-server that behaves so. */
  since: string | undefined;
  /** What shoal has not built yet: it has to refuse the configuration and say so. */
  needs: string | undefined;
  /** False for what depends on where the bytes are split. */
  splittable: boolean;
  /** nats-server is not asked, since it does not always answer alike. */
  isOfShoalAlone: boolean;
  steps: Step[];
}

interface Head {
  config: string[];
  since: string | undefined;
  needs: string | undefined;
  splittable: boolean;
  isOfShoalAlone: boolean;
}

const clientActs: readonly string[] = ["open", "close", "stop reading", "read on"] satisfies ClientAct[];

/** All sections (`## name`) of a file. Throws with file and line on anything it does not understand. */
export function parseTranscripts(text: string, file: string): Transcript[] {
  const transcripts: Transcript[] = [];
  const fileHead: Head = {
    config: [],
    since: undefined,
    needs: undefined,
    splittable: true,
    isOfShoalAlone: false,
  };
  let head = fileHead;
  let current: Transcript | undefined;
  for (const [index, content] of text.split("\n").entries()) {
    const line = index + 1;
    try {
      if (content.startsWith("## ")) {
        head = { ...fileHead, config: [...fileHead.config] };
        current = {
          name: content.slice(3).trim(),
          file,
          line,
          config: "",
          since: undefined,
          needs: undefined,
          splittable: true,
          isOfShoalAlone: false,
          steps: [],
        };
        transcripts.push(current);
      } else if (content.startsWith("#")) {
        readMark(content, head);
      } else if (content.trim() !== "") {
        if (current === undefined) throw new Error("a step before the first section");
        addStep(current.steps, parseStep(content, line));
      }
      if (current !== undefined) Object.assign(current, { ...head, config: head.config.join("\n") });
    } catch (error) {
      throw new Error(`${file}:${line}: ${(error as Error).message}`, { cause: error });
    }
  }
  return transcripts;
}

function readMark(content: string, head: Head): void {
  const mark = /^# (config|since|needs|whole|alone):? ?(.*)$/.exec(content);
  if (mark?.[1] === "config") head.config.push(mark[2]!);
  if (mark?.[1] === "since") head.since = mark[2]!;
  if (mark?.[1] === "needs") head.needs = mark[2]!;
  if (mark?.[1] === "whole") head.splittable = false;
  if (mark?.[1] === "alone") head.isOfShoalAlone = true;
}

function parseStep(content: string, line: number): Step {
  if (content === "--") return { kind: "pause", line };
  const signal = /^! (SIG\w+)$/.exec(content);
  if (signal) return { kind: "signal", signal: signal[1] as NodeJS.Signals, line };
  const client = /^C(\w*)(: |:$|\| )(.*)$/.exec(content);
  if (client) return clientStep(client[1]!, client[2]!, client[3]!, line);
  const server = /^(S\w*(?:,S\w*)*)(: |:$|\| |\*: |\?: )(.*)$/.exec(content);
  if (!server) throw new Error(`not a transcript line: ${content}`);
  const connections = server[1]!.split(",").map((name) => name.slice(1));
  return { kind: "expect", connections, reply: parseReply(server[2]!, server[3]!), line };
}

function clientStep(connection: string, mark: string, text: string, line: number): Step {
  if (mark === "| ") return { kind: "send", connection, bytes: unescape(text), line };
  const act = /^<([a-z ]+)>$/.exec(text)?.[1];
  if (act === undefined) return { kind: "send", connection, bytes: unescapeLine(text), line };
  if (!clientActs.includes(act)) throw new Error(`a client cannot <${act}>`);
  return { kind: "act", connection, act: act as ClientAct, line };
}

function parseReply(mark: string, text: string): Reply {
  if (mark === "| ") return { kind: "bytes", bytes: unescape(text) };
  if (mark === "*: ") return { kind: "unordered", items: [unescapeLine(text)] };
  if (mark === "?: ") return { kind: "oneOf", alternatives: text.split(" || ").map(unescapeLine) };
  if (text === "<closed>") return { kind: "closed" };
  if (text === "<cut off>") return { kind: "cutOff" };
  if (text.startsWith("INFO ")) {
    return { kind: "info", fields: JSON.parse(text.slice(5)) as Record<string, unknown> };
  }
  return { kind: "bytes", bytes: unescapeLine(text) };
}

/** Lines that belong together become one step: one packet to send, one stretch of bytes, one set in any order. */
function addStep(steps: Step[], step: Step): void {
  const last = steps.at(-1);
  if (step.kind === "send" && last?.kind === "send" && last.connection === step.connection) {
    last.bytes = Buffer.concat([last.bytes, step.bytes]);
  } else if (step.kind === "expect" && last?.kind === "expect" && sameConnections(step, last)) {
    if (!joined(last.reply, step.reply)) steps.push(step);
  } else {
    steps.push(step);
  }
}

function sameConnections(a: { connections: string[] }, b: { connections: string[] }): boolean {
  return a.connections.length === 1 && a.connections.join() === b.connections.join();
}

function joined(into: Reply, reply: Reply): boolean {
  if (into.kind === "bytes" && reply.kind === "bytes") into.bytes = Buffer.concat([into.bytes, reply.bytes]);
  else if (into.kind === "unordered" && reply.kind === "unordered") into.items.push(...reply.items);
  else return false;
  return true;
}

const unescapeLine = (text: string): Buffer => unescape(`${text}\\r\\n`);

/** Knows `\r \n \t \s \\ \xHH` and the repetition `\{text*count}`; everything else stands for itself in UTF-8. */
function unescape(text: string): Buffer {
  const parts: Buffer[] = [];
  for (const [token] of text.matchAll(/\\\{.+?\*\d+\}|\\x[0-9a-fA-F]{2}|\\.|[^\\]+|\\/gsu))
    parts.push(unescapeToken(token));
  return Buffer.concat(parts);
}

function unescapeToken(token: string): Buffer {
  if (!token.startsWith("\\")) return Buffer.from(token);
  const [, repeated = "", times] = /^\\\{(.+?)\*(\d+)\}$/s.exec(token) ?? [];
  if (times !== undefined) return Buffer.from(repeated.repeat(Number(times)));
  if (token.startsWith("\\x")) return Buffer.from(token.slice(2), "hex");
  const plain: Record<string, string> = { "\\r": "\r", "\\n": "\n", "\\t": "\t", "\\s": " ", "\\\\": "\\" };
  const byte = plain[token];
  if (byte === undefined) throw new Error(`unknown escape ${token}`);
  return Buffer.from(byte);
}

/** Bytes as a transcript would write them, cut where they become long. */
export function escapeBytes(bytes: Buffer): string {
  const shown = bytes.length > 600 ? Buffer.concat([bytes.subarray(0, 300), bytes.subarray(-300)]) : bytes;
  const text = Array.from(shown, (byte) => {
    if (byte === 0x0a) return "\\n\n";
    if (byte === 0x0d) return "\\r";
    if (byte === 0x5c) return "\\\\";
    return byte >= 0x20 && byte < 0x7f
      ? String.fromCharCode(byte)
      : `\\x${byte.toString(16).padStart(2, "0")}`;
  }).join("");
  return shown === bytes ? text : `${text} (${bytes.length} bytes, middle left out)`;
}
