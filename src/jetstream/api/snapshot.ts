/**
 * Sends a stream as a backup: chunks to a subject, some of which may wait to be acknowledged, then an empty message with a status.
 * Messages are read as they are sent, one chunk in a turn, up to the last sequence when the backup was asked for: what goes meanwhile is
 * not in it, what comes is not either.
 */
import { nuid } from "../../base/base62.ts";
import { archiveStart, END_OF_ARCHIVE, writeEntry } from "../backup/archive.ts";
import { plainFrame, streamStart } from "../backup/s2-stream.ts";
import { publicConsumers, type StreamAssets } from "../assets.ts";
import { writeObject } from "../codec.ts";
import { consumerShape } from "../consumer/config.ts";
import type { Consumer } from "../consumer/consumer.ts";
import type { Incoming } from "../host.ts";

type Json = Record<string, unknown>;

export interface SnapshotOptions {
  readonly assets: StreamAssets;
  /** nats-server's `state` of the stream. */
  readonly state: Json;
  readonly to: string;
  readonly chunkBytes: number;
  /** Chunks that are sent and not acknowledged. */
  readonly chunksMax: number;
  readonly withConsumers: boolean;
  /** `problem`: why it ended; "": all was sent. */
  readonly ended: (problem: string) => void;
}

/** Bytes of a frame, unpacked. */
const FRAME_BYTES = 64 * 1024;
/**
 * The `nats` tool subscribes to the chunks once it has the answer to its request, and drops those that come earlier: it has this time
 * for that.
 */
const START_MS = 250;
/** How long nobody may acknowledge a chunk. */
const FLOW_MS = 5000;
/** How long nobody may listen at the beginning. */
const INTEREST_MS = 2000;
const DONE = "NATS/1.0 204\r\n\r\n";
const EMPTY = new Uint8Array(0);

export class Snapshot {
  private readonly options: SnapshotOptions;
  private readonly frames: Iterator<Buffer>;
  private readonly ackSubject: string;
  private readonly listener: Disposable;
  private timer: Disposable | null = null;
  private readonly lastSequence: number;
  private pieces: Buffer[] = [];
  private length = 0;
  private isRead = false;
  private isDue = false;
  private isOver = false;
  private sent = 0;
  private acked = 0;

  constructor(options: SnapshotOptions) {
    this.options = options;
    const { stream } = options.assets;
    const { host } = stream;
    this.lastSequence = stream.store.last;
    this.frames = this.makeFrames();
    this.ackSubject = `$JS.SNAPSHOT.ACK.${stream.config.name}.${nuid(host.random)}`;
    this.listener = host.listen(`${this.ackSubject}.>`, (message) => this.onAck(message));
    this.await(START_MS, () => {
      if (host.isAwaited(options.to)) this.workLater();
      else this.await(INTEREST_MS, () => (host.isAwaited(options.to) ? this.workLater() : this.giveUp()));
    });
  }

  /** The server stops. */
  stop(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.timer?.[Symbol.dispose]();
    this.listener[Symbol.dispose]();
  }

  private onAck(_message: Incoming): void {
    this.acked = Math.min(this.acked + 1, this.sent);
    this.workLater();
  }

  private workLater(): void {
    if (this.isDue || this.isOver) return;
    this.isDue = true;
    this.options.assets.stream.host.soon(() => {
      this.isDue = false;
      if (!this.isOver) this.work();
    });
  }

  /** Sends one chunk. */
  private work(): void {
    const { assets, to, chunkBytes, chunksMax } = this.options;
    const { host } = assets.stream;
    if (this.sent > 0 && !host.isAwaited(to)) return this.giveUp();
    if (this.sent - this.acked >= chunksMax)
      return this.await(FLOW_MS, () => this.finish("no flow response"));
    const chunk = this.nextChunk(chunkBytes);
    if (chunk.length < chunkBytes) {
      if (chunk.length > 0) host.send({ subject: to, reply: "", headers: "", payload: chunk });
      return this.finish("");
    }
    this.sent++;
    const reply = `${this.ackSubject}.${chunk.length}.${this.sent}`;
    host.send({ subject: to, reply, headers: "", payload: chunk });
    this.await(FLOW_MS, () => this.finish("no flow response"));
    this.workLater();
  }

  private giveUp(): void {
    this.finish("no interest");
  }

  private finish(problem: "" | "no interest" | "no flow response"): void {
    if (this.isOver) return;
    this.stop();
    const { to, ended, assets } = this.options;
    const headers = problem === "" ? DONE : `NATS/1.0 408 ${titled(problem)}\r\n\r\n`;
    assets.stream.host.send({ subject: to, reply: "", headers, payload: EMPTY });
    ended(problem);
  }

  private await(ms: number, call: () => void): void {
    this.timer?.[Symbol.dispose]();
    this.timer = this.options.assets.stream.host.clock.setTimer(ms, call);
  }

  /** Shorter than asked for: it is the last. */
  private nextChunk(bytes: number): Buffer {
    while (this.length < bytes && !this.isRead) {
      const next = this.frames.next();
      if (next.done === true) this.isRead = true;
      else {
        this.pieces.push(next.value);
        this.length += next.value.length;
      }
    }
    const all = Buffer.concat(this.pieces);
    const chunk = all.subarray(0, bytes);
    const rest = all.subarray(chunk.length);
    this.pieces = rest.length === 0 ? [] : [rest];
    this.length = rest.length;
    return chunk;
  }

  private *makeFrames(): Generator<Buffer> {
    yield streamStart();
    let pieces: Buffer[] = [];
    let length = 0;
    for (const piece of this.makeArchive()) {
      pieces.push(piece);
      length += piece.length;
      if (length < FRAME_BYTES) continue;
      const all = Buffer.concat(pieces);
      let at = 0;
      for (; all.length - at >= FRAME_BYTES; at += FRAME_BYTES)
        yield plainFrame(all.subarray(at, at + FRAME_BYTES));
      pieces = at === all.length ? [] : [all.subarray(at)];
      length = all.length - at;
    }
    if (length > 0) yield plainFrame(Buffer.concat(pieces));
  }

  private *makeArchive(): Generator<Buffer> {
    const { assets, state, withConsumers } = this.options;
    const { store, host } = assets.stream;
    const nowNs = host.nowNs();
    const file = (name: string, content: Json): Buffer =>
      writeEntry({
        name,
        timeNs: nowNs,
        sequence: 0,
        headerLength: 0,
        body: Buffer.from(JSON.stringify(content), "latin1"),
      });
    const consumers = withConsumers ? publicConsumers(assets) : [];
    yield archiveStart();
    yield file("state.json", { ...state, consumer_count: consumers.length });
    for (const consumer of consumers) yield file(`consumers/${consumer.name}`, this.consumerOf(consumer));
    for (let at = store.next(1, null, this.lastSequence); at !== 0;) {
      const view = store.read(at);
      if (view !== null) {
        const { subject: name, timeNs, sequence, headerLength, body } = view;
        yield writeEntry({ name, timeNs, sequence, headerLength, body });
      }
      at = at >= this.lastSequence ? 0 : store.next(at + 1, null, this.lastSequence);
    }
    yield writeEntry(END_OF_ARCHIVE);
  }

  private consumerOf({ parts, config }: Consumer): Json {
    const { delivered, floor, pending } = parts.state;
    const most = this.lastSequence;
    const position = ({ consumer, stream }: { consumer: number; stream: number }): Json => ({
      consumer_seq: consumer,
      stream_seq: delivered.consumer === 0 ? stream : Math.min(stream, most),
    });
    const waits = [...pending].filter(([sequence]) => sequence <= most);
    const again = [...parts.state.redelivered()].filter(([sequence]) => sequence <= most);
    return {
      config: writeObject(consumerShape, config),
      state: {
        delivered: position(delivered),
        ack_floor: position(floor),
        ...(waits.length === 0
          ? {}
          : {
              pending: Object.fromEntries(
                waits.map(([sequence, { consumerSequence, timeMs }]) => [
                  sequence,
                  { Sequence: consumerSequence, Timestamp: Math.round(timeMs) * 1e6 },
                ]),
              ),
            }),
        ...(again.length === 0 ? {} : { redelivered: Object.fromEntries(again) }),
      },
    };
  }
}

/** `no interest` as `No Interest`. */
function titled(text: string): string {
  return text.replaceAll(/\b[a-z]/g, (letter) => letter.toUpperCase());
}
