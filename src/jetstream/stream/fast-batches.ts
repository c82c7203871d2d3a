/**
 * Fast batches: messages that are stored as they come, acknowledged some at a time and once at the end. What a message is, its reply says:
 *
 *     <prefix>.<batch>.<messages between acknowledgements>.<fail | ok>.<sequence>.<0 start | 1 append | 2 commit | 3 end | 4 ping>.$FI
 *
 * "ok": a gap is reported and the batch goes on; "fail": it ends there. Bounded: batches of a stream, and the time between two messages.
 */
import type { Clock } from "../../base/clock.ts";
import { ApiError, apiErrors, errorJson } from "../api-error.ts";
import { MessageHeaders } from "../headers.ts";
import type { Incoming } from "../host.ts";
import type { BatchBudget, BatchLimits } from "../server-limits.ts";

export const FAST_REPLY = ".$FI";

export interface FastBatchesHost {
  readonly clock: Clock;
  /** Level of the API. */
  readonly level: number;
  readonly limits: BatchLimits;
  /** Shared with all streams of the server. */
  readonly budget: BatchBudget;
  /** Throws `ApiError` where the stream takes no messages of batches. */
  check(message: Incoming): void;
  /** Stores the message; returns its sequence, or that it is a duplicate. Throws `ApiError`. */
  store(message: Incoming): { readonly sequence: number; readonly kind: "stored" | "duplicate" };
  answer(message: Incoming, payload: string): void;
  refuse(message: Incoming, error: ApiError): void;
  /** The head of an acknowledgement, up to the sequence. */
  ackHead(sequence: number): string;
}

interface Part {
  readonly id: string;
  readonly flow: number;
  readonly gapIsFine: boolean;
  readonly sequence: number;
  readonly operation: "start" | "append" | "commit" | "end" | "ping";
}

interface FastBatch {
  readonly gapIsFine: boolean;
  /** The client wants an acknowledgement after at most so many messages. */
  readonly flowMax: number;
  flow: number;
  /** Positions in the batch: the last message that came, and the last that was acknowledged. */
  last: number;
  acked: number;
  /** Last sequence in the stream; 0: nothing was stored. */
  streamSequence: number;
  timer: Disposable;
}

const OPERATIONS = ["start", "append", "commit", "end", "ping"] as const;
const ID_MAX = 64;
const FLOW_DEFAULT = 10;
const FLOW_LIMIT = 500;
const UINT16_MAX = 65_535;

export class FastBatches {
  private readonly host: FastBatchesHost;
  private readonly batches = new Map<string, FastBatch>();

  constructor(host: FastBatchesHost) {
    this.host = host;
  }

  take(message: Incoming): void {
    try {
      this.host.check(message);
      const part = readReply(message.reply);
      if (part === null) throw apiErrors.fastPatternInvalid();
      if (part.id.length > ID_MAX) throw apiErrors.fastIdInvalid();
      const batch = this.batches.get(part.id) ?? this.begin(part);
      this.checkLevel(message, part.id);
      this.rest(part.id, batch);
      if (part.operation === "ping") this.ping(message, part, batch);
      else this.append(message, part, batch);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.host.refuse(message, error);
    }
  }

  stop(): void {
    for (const id of [...this.batches.keys()]) this.end(id);
  }

  private begin({ id, sequence, operation, flow, gapIsFine }: Part): FastBatch {
    if (sequence !== 1 || operation === "ping") throw apiErrors.fastIdUnknown();
    if (!this.host.budget.hasRoom(this.batches.size)) throw apiErrors.fastInFlight();
    this.host.budget.opened();
    const first = this.batches.size > 0 ? 1 : Math.min(FLOW_LIMIT, flow);
    const batch: FastBatch = {
      gapIsFine,
      flowMax: flow,
      flow: first,
      last: 0,
      acked: 0,
      streamSequence: 0,
      timer: this.startTimer(id),
    };
    this.batches.set(id, batch);
    return batch;
  }

  private checkLevel({ body, headerLength }: Incoming, id: string): void {
    if (headerLength === 0) return;
    const level = MessageHeaders.of(body, headerLength).get("Nats-Required-Api-Level") ?? "";
    if (level === "" || Number(level) <= this.host.level) return;
    this.end(id);
    throw apiErrors.requiredApiLevel();
  }

  /** What the client has sent is confirmed once more, and gaps are reported. */
  private ping(message: Incoming, part: Part, batch: FastBatch): void {
    if (part.sequence > batch.last) {
      this.reportGap(message, batch.last + 1, part.sequence + 1);
      if (!batch.gapIsFine) {
        this.finish(message, part.id, batch);
        return;
      }
      batch.last = part.sequence;
      if (this.flowControl(message, batch)) return;
    }
    this.sendFlow(message, batch, batch.acked);
  }

  private append(message: Incoming, part: Part, batch: FastBatch): void {
    const expected = batch.last + 1;
    if (part.sequence !== expected) {
      this.reportGap(message, expected, part.sequence);
      if (!batch.gapIsFine || part.sequence < expected) {
        this.finish(message, part.id, batch);
        return;
      }
    }
    if (part.operation === "end") {
      this.finish(message, part.id, batch);
      return;
    }
    batch.last = part.sequence;
    if (part.sequence === 1 && part.operation !== "commit") this.sendFlow(message, batch, 0);
    try {
      this.store(message, part, batch);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.failed(message, part, batch, error);
    }
  }

  private store(message: Incoming, part: Part, batch: FastBatch): void {
    const { sequence, kind } = this.host.store(message);
    if (kind === "duplicate" && !batch.gapIsFine && part.sequence === 1 && part.operation === "commit") {
      const more = `,"duplicate": true,"batch":${JSON.stringify(part.id)},"count":1}`;
      this.end(part.id);
      this.host.answer(message, `${this.host.ackHead(sequence)}${more}`);
      return;
    }
    if (kind === "stored") batch.streamSequence = sequence;
    if (part.operation === "commit") this.finish(message, part.id, batch);
    else this.flowControl(message, batch);
  }

  private failed(message: Incoming, part: Part, batch: FastBatch, error: ApiError): void {
    if (!batch.gapIsFine && batch.last === 1) {
      this.end(part.id);
      throw error;
    }
    const shown = errorJson(error);
    this.host.answer(message, `{"type":"err","seq":${part.sequence},"error":${shown}}`);
    if (batch.gapIsFine && part.operation !== "commit") return;
    batch.last--;
    this.finish(message, part.id, batch);
  }

  private finish(message: Incoming, id: string, batch: FastBatch): void {
    this.end(id);
    const more = `,"batch":${JSON.stringify(id)},"count":${batch.last}}`;
    this.host.answer(message, `${this.host.ackHead(batch.streamSequence)}${more}`);
  }

  /** True: an acknowledgement of what came so far was due. The distance grows or shrinks with the number of batches. */
  private flowControl(message: Incoming, batch: FastBatch): boolean {
    if (batch.last < batch.acked + batch.flow) return false;
    batch.acked += Math.floor((batch.last - batch.acked) / batch.flow) * batch.flow;
    const share = Math.min(batch.flowMax, Math.max(1, Math.floor(FLOW_LIMIT / this.batches.size)));
    if (batch.flow < share) batch.flow = Math.min(share, batch.flow * 2);
    else if (batch.flow > share) batch.flow = Math.max(share, Math.floor(batch.flow / 2));
    this.sendFlow(message, batch, batch.acked);
    return true;
  }

  private sendFlow(message: Incoming, { flow }: FastBatch, sequence: number): void {
    this.host.answer(message, `{"type":"ack","seq":${sequence},"msgs":${flow}}`);
  }

  private reportGap(message: Incoming, expected: number, current: number): void {
    this.host.answer(message, `{"type":"gap","last_seq":${expected},"seq":${current}}`);
  }

  private rest(id: string, batch: FastBatch): void {
    batch.timer[Symbol.dispose]();
    batch.timer = this.startTimer(id);
  }

  private startTimer(id: string): Disposable {
    return this.host.clock.setTimer(this.host.limits.silenceMs, () => this.end(id));
  }

  private end(id: string): void {
    const batch = this.batches.get(id);
    if (batch === undefined) return;
    batch.timer[Symbol.dispose]();
    this.batches.delete(id);
    this.host.budget.closed();
  }
}

/** null: it is none. */
function readReply(reply: string): Part | null {
  const [id, flowText, gap, sequenceText, operationText] = reply
    .slice(0, -FAST_REPLY.length)
    .split(".")
    .slice(-5);
  const operation = OPERATIONS[/^\d$/.test(operationText ?? "") ? Number(operationText) : -1];
  if (id === undefined || operation === undefined || (gap !== "fail" && gap !== "ok")) return null;
  if (!/^\d{1,15}$/.test(sequenceText ?? "")) return null;
  const sequence = Number(sequenceText);
  if (sequence === 0 || (operation === "end" && sequence === 1)) return null;
  if (operation === "start" ? sequence !== 1 : operation === "append" && sequence === 1) return null;
  const flow = /^\d{1,15}$/.test(flowText ?? "") ? Number(flowText) : 0;
  return {
    id,
    flow: flow <= 0 ? FLOW_DEFAULT : Math.min(flow, UINT16_MAX),
    gapIsFine: gap === "ok",
    sequence,
    operation,
  };
}
