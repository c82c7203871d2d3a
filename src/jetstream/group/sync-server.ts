/**
 * The leader's side of a catch-up: sends the messages that a copy lacks, with gaps as ranges, and no more at a time than the copy has
 * taken. See catch-up.ts.
 *
 * Bounded: SESSIONS_MAX copies at a time, WINDOW_BYTES unacknowledged for each.
 */
import { randomToken } from "../../base/base62.ts";
import type { Stream } from "../stream/stream.ts";
import type { GroupTransport } from "./group.ts";
import { encodeJson, encodeMessage, OperationCode } from "./operations.ts";

const WINDOW_BYTES = 4 * 1024 * 1024;
const SESSIONS_MAX = 8;
/** The copy has taken nothing for so long: it is gone, or asks again. */
const SILENT_MS = 10_000;
const NOTHING = new Uint8Array(0);
/** Messages that a turn sends. */
const PER_TURN = 500;

interface SyncServerHost {
  readonly stream: Stream;
  readonly transport: GroupTransport;
  readonly subject: string;
}

interface Session {
  readonly inbox: string;
  next: number;
  readonly last: number;
  outstanding: number;
  movedMs: number;
  readonly acks: string;
  readonly ear: Disposable;
}

export class SyncServer {
  private readonly host: SyncServerHost;
  private ear: Disposable | null = null;
  private readonly sessions = new Map<string, Session>();

  constructor(host: SyncServerHost) {
    this.host = host;
  }

  start(): void {
    const { transport, subject } = this.host;
    this.ear ??= transport.listen(subject, (_subject, reply, payload) => this.begin(payload, reply));
  }

  stop(): void {
    this.ear?.[Symbol.dispose]();
    this.ear = null;
    for (const peer of [...this.sessions.keys()]) this.end(peer);
  }

  private begin(payload: Uint8Array, inbox: string): void {
    const request = readRequest(payload);
    const { stream, transport } = this.host;
    // a copy that wants more than there is has seen a leader that had more
    if (request === null || inbox === "" || request.last > stream.store.last) return;
    this.endSilent();
    this.end(request.peer);
    if (this.sessions.size >= SESSIONS_MAX) return;
    const acks = `$JSC.ACK.${randomToken(stream.host.random)}`;
    const session: Session = {
      inbox,
      next: request.first,
      last: request.last,
      outstanding: 0,
      movedMs: stream.host.clock.nowMs(),
      acks,
      ear: transport.listen(`${acks}.*`, (subject) => this.acknowledged(request.peer, session, subject)),
    };
    this.sessions.set(request.peer, session);
    this.send(request.peer, session);
  }

  private acknowledged(peer: string, session: Session, subject: string): void {
    const bytes = Number(subject.slice(subject.lastIndexOf(".") + 1));
    if (!Number.isSafeInteger(bytes)) return;
    session.outstanding = Math.max(0, session.outstanding - bytes);
    session.movedMs = this.host.stream.host.clock.nowMs();
    this.send(peer, session);
  }

  private send(peer: string, session: Session): void {
    const { stream, transport } = this.host;
    const { store } = stream;
    if (this.sessions.get(peer) !== session) return;
    for (let left = PER_TURN; session.outstanding < WINDOW_BYTES; left--) {
      if (session.next > session.last) {
        transport.send(session.inbox, "", NOTHING);
        this.end(peer);
        return;
      }
      if (left === 0) {
        stream.host.soon(() => this.send(peer, session));
        return;
      }
      const at = store.next(session.next, null, session.last);
      const to = at === 0 ? session.last + 1 : at;
      if (to > session.next) {
        const range = { First: session.next, Num: to - session.next };
        transport.send(session.inbox, "", encodeJson(OperationCode.DELETE_RANGE, range));
        session.next = to;
        continue;
      }
      const view = store.read(at);
      if (view === null) {
        // it is damaged here: the copy has to get it from another leader
        this.end(peer);
        return;
      }
      const { subject, timeNs, headerLength, body } = view;
      const message = encodeMessage({ after: at, timeNs, subject, reply: "", headerLength, body });
      session.outstanding += message.length;
      session.next = at + 1;
      transport.send(session.inbox, `${session.acks}.${message.length}`, message);
    }
  }

  private end(peer: string): void {
    this.sessions.get(peer)?.ear[Symbol.dispose]();
    this.sessions.delete(peer);
  }

  private endSilent(): void {
    const nowMs = this.host.stream.host.clock.nowMs();
    for (const [peer, { movedMs }] of this.sessions) if (nowMs - movedMs > SILENT_MS) this.end(peer);
  }
}

function readRequest(payload: Uint8Array): { peer: string; first: number; last: number } | null {
  try {
    const json = JSON.parse(Buffer.from(payload).toString("latin1")) as Record<string, unknown>;
    const { peer } = json;
    const first = json["first_seq"];
    const last = json["last_seq"];
    if (typeof peer !== "string" || !isSequence(first) || !isSequence(last)) return null;
    return { peer, first, last };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return null;
    throw error;
  }
}

const isSequence = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
