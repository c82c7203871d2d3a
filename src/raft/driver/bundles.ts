/**
 * Messages to one peer that travel together: heartbeats of all groups that this server leads, and answers to them. Both ends are shoals.
 * A bundle is a sign of life of its sender as well, and may have no messages.
 *
 *     8 bytes  the sender
 *     8 bytes  its process
 *     each     u16 length of the subject, u16 length of the reply, u32 length of the message; subject, reply, message
 */
import type { PeerId } from "../messages.ts";
import { PEER_ID_BYTES, peerBytes, readPeer } from "../wire.ts";

const SENDER_BYTES = 16;
const HEAD_BYTES = 8;
/** Where a bundle is sent before its time: below any limit of payloads. */
const BUNDLE_BYTES = 256 * 1024;

/** A subject of shoals alone. */
export const bundleSubject = (peer: PeerId): string => `$SHOAL.RAFT.${peer}`;

export interface BundledMessage {
  readonly from: PeerId;
  readonly subject: string;
  readonly reply: string;
  readonly bytes: Uint8Array;
}

interface Filling {
  readonly frames: Uint8Array[];
  bytes: number;
}

export class Bundles {
  private readonly sender: Uint8Array;
  private readonly send: (peer: PeerId, bundle: Uint8Array) => void;
  private readonly filling = new Map<PeerId, Filling>();

  /** `process`: eight characters. */
  constructor(id: PeerId, process: string, send: (peer: PeerId, bundle: Uint8Array) => void) {
    this.sender = Buffer.concat([peerBytes(id), peerBytes(process)]);
    this.send = send;
  }

  get isEmpty(): boolean {
    return this.filling.size === 0;
  }

  add(peers: readonly PeerId[], subject: string, reply: string, bytes: Uint8Array): void {
    const frame = Buffer.allocUnsafe(HEAD_BYTES + subject.length + reply.length + bytes.length);
    frame.writeUInt16LE(subject.length, 0);
    frame.writeUInt16LE(reply.length, 2);
    frame.writeUInt32LE(bytes.length, 4);
    frame.write(subject, HEAD_BYTES, "latin1");
    frame.write(reply, HEAD_BYTES + subject.length, "latin1");
    frame.set(bytes, HEAD_BYTES + subject.length + reply.length);
    for (const peer of peers) {
      const filling = this.filling.get(peer) ?? { frames: [this.sender], bytes: 0 };
      this.filling.set(peer, filling);
      filling.frames.push(frame);
      filling.bytes += frame.length;
      if (filling.bytes >= BUNDLE_BYTES) this.flushTo(peer, filling);
    }
  }

  /** A sign of life goes to each, with what waits for it. */
  pulse(peers: Iterable<PeerId>): void {
    for (const peer of peers)
      this.flushTo(peer, this.filling.get(peer) ?? { frames: [this.sender], bytes: 0 });
  }

  flush(): void {
    for (const [peer, filling] of this.filling) this.flushTo(peer, filling);
  }

  private flushTo(peer: PeerId, { frames }: Filling): void {
    this.filling.delete(peer);
    this.send(peer, Buffer.concat(frames));
  }
}

/** Undefined: it is no bundle. */
export function senderOf(
  bundle: Uint8Array,
): { readonly peer: PeerId; readonly process: string } | undefined {
  if (bundle.length < SENDER_BYTES) return undefined;
  return { peer: readPeer(bundle), process: readPeer(bundle, PEER_ID_BYTES) };
}

/** Ends where the bytes are no bundle. */
export function* unbundled(bundle: Uint8Array): Generator<BundledMessage> {
  const memory = Buffer.from(bundle.buffer, bundle.byteOffset, bundle.length);
  if (memory.length < SENDER_BYTES) return;
  const from = readPeer(memory);
  for (let at = SENDER_BYTES; at + HEAD_BYTES <= memory.length;) {
    const replyAt = at + HEAD_BYTES + memory.readUInt16LE(at);
    const bytesAt = replyAt + memory.readUInt16LE(at + 2);
    const end = bytesAt + memory.readUInt32LE(at + 4);
    if (end > memory.length) return;
    yield {
      from,
      subject: memory.toString("latin1", at + HEAD_BYTES, replyAt),
      reply: memory.toString("latin1", replyAt, bytesAt),
      bytes: memory.subarray(bytesAt, end),
    };
    at = end;
  }
}
