/** Where messages of an origin go: into a mirror at the sequence and time that they have there, or into a stream with sources as new ones. */
import type { Transform } from "../../subject/transform.ts";
import { apiErrors, type ApiError } from "../api-error.ts";
import { withHeader, withoutHeader, withoutPrefix } from "../header-edits.ts";
import type { Incoming } from "../host.ts";
import { transformOf } from "../stream/config.ts";
import { originKey, type OriginConfig } from "../stream/origin-config.ts";
import { SOURCE_HEADER, type OriginPosition } from "../stream/origin-positions.ts";
import type { Stream } from "../stream/stream.ts";
import type { Delivered } from "./delivery.ts";
import type { Intake } from "./link.ts";

/** Headers about the stream where a message was published first, and about its batch, mean nothing here. */
const ELSEWHERE = ["Nats-Expected-", "Nats-Batch-"];

abstract class StreamIntake {
  protected readonly stream: Stream;
  private readonly transforms: readonly Transform[];
  private readonly whenStored: (call: () => void) => void;

  constructor(stream: Stream, origin: OriginConfig, whenStored: (call: () => void) => void) {
    this.stream = stream;
    this.whenStored = whenStored;
    this.transforms = origin.transforms.flatMap((one) => transformOf(one) ?? []);
  }

  whenDurable(call: () => void): void {
    this.whenStored(call);
  }

  protected subjectOf(subject: string): string {
    for (const transform of this.transforms) {
      const found = transform.match(subject, this.stream.host.random);
      if (found !== null) return found;
    }
    return subject;
  }

  /** The message under another subject, with other headers. */
  protected shown(message: Incoming, edit: (block: string) => string): Incoming {
    const { headerLength, body } = message;
    const subject = this.subjectOf(message.subject);
    const block =
      headerLength === 0 ? "" : Buffer.from(body.buffer, body.byteOffset, headerLength).toString("latin1");
    const edited = edit(ELSEWHERE.reduce(withoutPrefix, block));
    if (edited === block) return { subject, reply: "", headerLength, body };
    const whole = Buffer.concat([Buffer.from(edited, "latin1"), body.subarray(headerLength)]);
    return { subject, reply: "", headerLength: edited.length, body: whole };
  }
}

export class MirrorIntake extends StreamIntake implements Intake {
  get position(): OriginPosition {
    return { sequence: this.stream.store.last, identity: "" };
  }

  begin(sequence: number): ApiError | null {
    const { last } = this.stream.store;
    if (sequence < last)
      return apiErrors.mirrorSetupFailed(
        `the mirror is at sequence ${last}, but its origin has only ${sequence}: nothing is taken up to there`,
      );
    this.stream.passOver(sequence);
    return null;
  }

  take(message: Incoming, { sequence, timeNs }: Delivered): void {
    this.stream.takeOver(
      this.shown(message, (block) => block),
      { sequence, timeNs },
    );
  }
}

export class SourceIntake extends StreamIntake implements Intake {
  private readonly key: string;
  private readonly names: readonly string[];
  private identity = "";

  constructor(stream: Stream, origin: OriginConfig, whenStored: (call: () => void) => void) {
    super(stream, origin, whenStored);
    this.key = originKey(origin);
    this.names = this.key.split(" ");
  }

  get position(): OriginPosition {
    return this.stream.positions.of(this.key);
  }

  begin(_sequence: number, identity: string): null {
    this.identity = identity;
    return null;
  }

  /** A duplicate is passed over, and so is what the stream has already from before it was damaged. */
  take(message: Incoming, { sequence }: Delivered): void {
    const { positions } = this.stream;
    if (positions.hasTaken(this.key, sequence, this.identity)) {
      positions.pass(this.key, sequence);
      return;
    }
    const [name, filters, destinations] = this.names;
    const identity = this.identity === "" ? "" : ` ${this.identity}`;
    const value = `${name} ${sequence} ${filters} ${destinations} ${message.subject}${identity}`;
    const edited = this.shown(message, (block) =>
      withHeader(withoutHeader(block, SOURCE_HEADER), SOURCE_HEADER, value),
    );
    this.stream.takeOver(edited, null);
  }
}
