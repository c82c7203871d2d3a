/**
 * Sends a stream as a backup: chunks to a subject, some of which may wait to be acknowledged, then an empty message with a status.
 * Messages are read as they are sent, one chunk in a turn, up to the last sequence when the backup was asked for: what goes meanwhile is
 * not in it, what comes is not either.
 */
import { nuid } from "../../base/base62.ts";
import type { StreamAssets } from "../assets.ts";
import { plainFrame, streamStart } from "../backup/s2-stream.ts";
import type { Incoming } from "../host.ts";
import { BACKUP_FORM } from "../stream/backup-form.ts";
import { contentsOf, type BackupContents } from "./backup-contents.ts";
import type { Json } from "./backup-form.ts";
import { archivePieces } from "./save-archive.ts";
import { tarPieces } from "./save-tar.ts";

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
  private readonly frames: Iterator<Buffer | null>;
  private readonly contents: BackupContents;
  private readonly ackSubject: string;
  private readonly listener: Disposable;
  private timer: Disposable | null = null;
  private pieces: Buffer[] = [];
  private length = 0;
  private isRead = false;
  private isDue = false;
  private isOver = false;
  private sent = 0;
  private acked = 0;

  constructor(options: SnapshotOptions) {
    this.options = options;
    const { assets, state, withConsumers } = options;
    const { stream } = assets;
    const { host } = stream;
    this.contents = contentsOf(assets, state, withConsumers ? "with consumers" : "messages alone");
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
    if (chunk === null) return this.workLater();
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

  /** Shorter than asked for: it is the last; null: the turn has done enough. */
  private nextChunk(bytes: number): Buffer | null {
    while (this.length < bytes && !this.isRead) {
      const next = this.frames.next();
      if (next.done === true) this.isRead = true;
      else if (next.value === null) return null;
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

  private *makeFrames(): Generator<Buffer | null> {
    yield streamStart();
    let pieces: Buffer[] = [];
    let length = 0;
    const { stream } = this.options.assets;
    const isOld = stream.config.metadata[BACKUP_FORM] !== undefined;
    for (const piece of isOld ? tarPieces(this.contents) : archivePieces(this.contents)) {
      if (piece === null) {
        yield null;
        continue;
      }
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
}

/** `no interest` as `No Interest`. */
function titled(text: string): string {
  return text.replaceAll(/\b[a-z]/g, (letter) => letter.toUpperCase());
}
