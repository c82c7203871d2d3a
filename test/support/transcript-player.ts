/**
 * Plays a transcript against a running server and throws at the first byte that differs, naming file, line, what was
 * expected and what came. Every transcript ends with PING and PONG on each connection still open, so that a reply
 * that the transcript does not mention is a failure too.
 */
import { untilAny, TranscriptConnection } from "./transcript-connection.ts";
import { escapeBytes, type Reply, type Step, type Transcript } from "./transcript.ts";

export interface PlayOptions {
  host: string;
  port: number;
  /** How the client's bytes are cut into packets. */
  split: "whole" | "every byte";
  /** Needed by transcripts with a `! SIGNAL` line. */
  signal?: (signal: NodeJS.Signals) => void;
}

/** Above this a packet is sent whole, as a write per byte would take minutes. */
const SPLIT_BYTES_MAX = 8192;

/** How often a play is given up because a write came too late for Node to read the server's last words. */
const LOST_REPLIES_MAX = 3;

export async function playTranscript(transcript: Transcript, options: PlayOptions): Promise<void> {
  for (let lostReplies = 0; ; lostReplies += 1) {
    const play = new Play(options, transcript.steps.some(isAboutPings));
    try {
      return await playSteps(transcript, play);
    } catch (error) {
      if (!play.lostReplies() || lostReplies === LOST_REPLIES_MAX) throw error;
    } finally {
      play.destroy();
    }
  }
}

const isAboutPings = (step: Step): boolean =>
  step.kind === "expect" && step.reply.kind === "bytes" && step.reply.bytes.includes("PING\r\n");

async function playSteps(transcript: Transcript, play: Play): Promise<void> {
  for (const step of transcript.steps) {
    await locate(`${transcript.file}:${step.line}`, () => play.step(step));
  }
  await locate(`${transcript.file}:${transcript.line}, its end`, () => play.finish());
}

async function locate(where: string, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    (error as Error).message = `${where}: ${(error as Error).message}`;
    throw error;
  }
}

class Play {
  private readonly options: PlayOptions;
  private readonly isAboutPings: boolean;
  private readonly connections = new Map<string, TranscriptConnection>();
  /** Greetings of connections that have had no step yet: only the first step can ask for them. */
  private readonly greetings = new Map<TranscriptConnection, Buffer>();
  /** Those that the server has closed because the transcript says so. */
  private readonly ended = new Set<TranscriptConnection>();
  /** Carries the round trips of pauses. */
  private bystander: TranscriptConnection | undefined;

  constructor(options: PlayOptions, aboutPings: boolean) {
    this.options = options;
    this.isAboutPings = aboutPings;
  }

  async step(step: Step): Promise<void> {
    switch (step.kind) {
      case "send":
        return this.send(await this.greeted(step.connection), step.bytes);
      case "act":
        return this.act(await this.connection(step.connection), step.act);
      case "expect":
        return this.expect(
          await Promise.all(step.connections.map((name) => this.connection(name))),
          step.reply,
        );
      case "pause":
        return this.pause();
      case "signal":
        if (this.options.signal === undefined) throw new Error("this server takes no signals");
        return this.options.signal(step.signal);
    }
  }

  /** The first round shows that all was processed, the second that it made nothing arrive anywhere. */
  async finish(): Promise<void> {
    const open = [...this.connections.values()].filter((each) => !each.clientClosed && !this.ended.has(each));
    for (const connection of open) connection.ignoresPings = true;
    for (const connection of [...open, ...open]) await roundTrip(connection);
    for (const connection of this.connections.values()) {
      dropLeadingPings(connection);
      if (connection.received.length > 0 && !connection.clientClosed)
        throw differs("nothing more", connection.received);
    }
    if (this.bystander) open.push(this.bystander);
    await Promise.all(open.map((connection) => connection.close()));
  }

  lostReplies(): boolean {
    return [...this.connections.values()].some((connection) => connection.writeFailed);
  }

  destroy(): void {
    for (const connection of this.connections.values()) connection.destroy();
    this.bystander?.destroy();
  }

  private async connection(name: string): Promise<TranscriptConnection> {
    const known = this.connections.get(name);
    if (known) return known;
    const connection = await this.open();
    this.connections.set(name, connection);
    return connection;
  }

  private async greeted(name: string): Promise<TranscriptConnection> {
    const connection = await this.connection(name);
    this.greetings.delete(connection);
    return connection;
  }

  private async open(): Promise<TranscriptConnection> {
    const connection = await TranscriptConnection.open(this.options.host, this.options.port);
    connection.ignoresPings = !this.isAboutPings;
    this.greetings.set(connection, await takeLine(connection, "the greeting INFO"));
    return connection;
  }

  private send(connection: TranscriptConnection, bytes: Buffer): Promise<void> {
    return connection.send(bytes, bytes.length > SPLIT_BYTES_MAX ? "whole" : this.options.split);
  }

  private async act(connection: TranscriptConnection, act: (Step & { kind: "act" })["act"]): Promise<void> {
    if (act === "close") await connection.close();
    if (act === "stop reading") connection.stopReading();
    if (act === "read on") connection.readOn();
  }

  private async pause(): Promise<void> {
    this.bystander ??= await this.open();
    await roundTrip(this.bystander);
  }

  private async expect(connections: TranscriptConnection[], reply: Reply): Promise<void> {
    if (reply.kind !== "info") for (const each of connections) this.greetings.delete(each);
    const [connection] = connections;
    if (connections.length > 1 || connection === undefined) return expectAtOne(connections, reply);
    switch (reply.kind) {
      case "bytes":
        return expectOneOf(connection, [reply.bytes]).then(() => {});
      case "oneOf":
        return expectOneOf(connection, reply.alternatives).then(() => {});
      case "unordered":
        return expectUnordered(connection, reply.items);
      case "info": {
        const line = this.greetings.get(connection) ?? (await takeLine(connection, "an INFO line"));
        this.greetings.delete(connection);
        return matchInfo(line, reply.fields);
      }
      case "closed":
        await connection.until(
          "the server to close",
          () => connection.serverClosed || dropLeadingPings(connection).received.length > 0,
        );
        if (connection.received.length > 0) throw differs("<closed>", connection.received);
        this.ended.add(connection);
        return;
      case "cutOff":
        await connection.until("the server to close", () => connection.serverClosed);
        connection.take(connection.received.length);
        this.ended.add(connection);
    }
  }
}

async function roundTrip(connection: TranscriptConnection): Promise<void> {
  await connection.send(Buffer.from("PING\r\n"), "whole");
  await expectOneOf(connection, [Buffer.from("PONG\r\n")]);
}

async function takeLine(connection: TranscriptConnection, what: string): Promise<Buffer> {
  const hasLine = (): boolean => dropLeadingPings(connection).received.includes("\r\n");
  await connection.until(what, () => hasLine() || connection.serverClosed);
  const end = connection.received.indexOf("\r\n");
  if (end < 0) throw differs(what, connection.received, connection);
  return connection.take(end + 2);
}

/** Waits for as long as the bytes received could still become one of the alternatives. */
async function expectOneOf(connection: TranscriptConnection, alternatives: Buffer[]): Promise<Buffer> {
  const wanted = alternatives.map(escapeBytes).join(" or ");
  const complete = (): Buffer | undefined =>
    alternatives.find((each) => startsWith(connection.received, each));
  const possible = (): boolean => {
    if (alternatives.some((each) => startsWith(each, connection.received))) return true;
    return (
      alternatives.some((each) => connection.dropPing(divergence(each, connection.received))) && possible()
    );
  };
  try {
    const isDecided = (): boolean => complete() !== undefined || !possible() || complete() !== undefined;
    await connection.until(wanted, () => isDecided() || connection.serverClosed);
  } catch {
    throw differs(wanted, connection.received, connection);
  }
  const found = complete();
  if (found === undefined) throw differs(wanted, connection.received, connection);
  connection.take(found.length);
  return found;
}

async function expectUnordered(connection: TranscriptConnection, items: Buffer[]): Promise<void> {
  const left = [...items];
  while (left.length > 0) {
    const found = await expectOneOf(connection, left);
    left.splice(left.indexOf(found), 1);
  }
}

async function expectAtOne(connections: TranscriptConnection[], reply: Reply): Promise<void> {
  if (reply.kind !== "bytes")
    throw new Error("only exact bytes can be expected at one of several connections");
  const isThere = (connection: TranscriptConnection): boolean =>
    startsWith(dropLeadingPings(connection).received, reply.bytes);
  await untilAny(connections, escapeBytes(reply.bytes), () => connections.some(isThere));
  connections.find(isThere)?.take(reply.bytes.length);
}

function dropLeadingPings(connection: TranscriptConnection): TranscriptConnection {
  while (connection.dropPing(0)) continue;
  return connection;
}

/** Where the two differ first. */
function divergence(a: Buffer, b: Buffer): number {
  let at = 0;
  while (at < a.length && at < b.length && a[at] === b[at]) at++;
  return at;
}

const startsWith = (bytes: Buffer, prefix: Buffer): boolean =>
  bytes.subarray(0, prefix.length).equals(prefix);

function differs(wanted: string, got: Buffer, connection?: TranscriptConnection): Error {
  const end = connection?.serverClosed ? "<closed>" : "";
  return new Error(`replies differ\n--- expected\n${wanted}\n--- received\n${escapeBytes(got)}${end}\n---`);
}

/**
 * Each field as JSON, a string starting with `~` as a regular expression, `<absent>` for a field that must be missing.
 * `<keys>` lists all names in their order; a name ending in `?` may be missing.
 */
function matchInfo(line: Buffer, fields: Record<string, unknown>): void {
  const text = line.toString();
  if (!text.startsWith("INFO {")) throw differs("INFO", line);
  const info = JSON.parse(text.slice(5)) as Record<string, unknown>;
  for (const [name, wanted] of Object.entries(fields)) {
    const got = name === "<keys>" ? Object.keys(info) : info[name];
    if (!fieldMatches(got, wanted)) {
      throw new Error(
        `INFO field ${name}: expected ${JSON.stringify(wanted)}, received ${JSON.stringify(got)} in ${text}`,
      );
    }
  }
}

function fieldMatches(got: unknown, wanted: unknown): boolean {
  if (wanted === "<absent>") return got === undefined;
  if (typeof wanted === "string" && wanted.startsWith("~")) {
    return (
      (typeof got === "string" || typeof got === "number") && new RegExp(wanted.slice(1)).test(String(got))
    );
  }
  if (Array.isArray(wanted) && Array.isArray(got)) {
    const present = wanted.filter(
      (name) => !String(name).endsWith("?") || got.includes(String(name).slice(0, -1)),
    );
    return JSON.stringify(got) === JSON.stringify(present.map((name) => String(name).replace(/\?$/, "")));
  }
  return JSON.stringify(got) === JSON.stringify(wanted);
}
