/**
 * Where a stream takes messages from: the mirrored stream, or its sources. What is refused about them is in complete-origins.ts.
 * Names and hashes are those of nats-server, since they stand in stored headers and on the wire.
 */
import { hashName } from "../../base/base62.ts";
import {
  field,
  list,
  nested,
  optional,
  readObject,
  text,
  time,
  uint,
  type FieldCodec,
  type Shape,
} from "../codec.ts";

export interface SubjectTransform {
  readonly source: string;
  /** "": the source only filters. */
  readonly destination: string;
}

interface ExternalOrigin {
  /** Stands for `$JS.API`. */
  readonly api: string;
  /** Begins the subject that messages are delivered to; "": `$JS.M` or `$JS.S`. */
  readonly deliver: string;
}

/** A consumer that somebody has made for this, and where it delivers. */
interface OriginConsumer {
  readonly name: string;
  readonly deliverSubject: string;
}

export interface OriginConfig {
  readonly name: string;
  /** 0: from the first message. */
  readonly startSequence: number;
  /** RFC 3339; "": from the first message. */
  readonly startTime: string;
  readonly filter: string;
  readonly transforms: readonly SubjectTransform[];
  /** null: a stream of the same account. */
  readonly external: ExternalOrigin | null;
  /** null: one is made. */
  readonly consumer: OriginConsumer | null;
}

export const transformShape: Shape<SubjectTransform> = {
  source: field("src", text),
  destination: field("dest", text),
};

const external: Shape<ExternalOrigin> = { api: field("api", text), deliver: field("deliver", text) };
const consumer: Shape<OriginConsumer> = {
  name: optional("name", text),
  deliverSubject: optional("deliver_subject", text),
};

export const originShape: Shape<OriginConfig> = {
  name: field("name", text),
  startSequence: optional("opt_start_seq", uint),
  startTime: optional("opt_start_time", time),
  filter: optional("filter_subject", text),
  transforms: optional("subject_transforms", list(nested(transformShape) as FieldCodec<SubjectTransform>)),
  external: optional("external", nested(external)),
  consumer: optional("consumer", nested(consumer)),
};

/** `null` in a list of sources is read as a source without a name, which is refused as such. */
export const sourceCodec: FieldCodec<OriginConfig> = {
  zero: readObject(originShape, {}),
  read: (value) => readObject(originShape, value ?? {}),
  write: (value) => nested(originShape).write(value),
};

/** What tells sources apart, and names a position in the header `Nats-Stream-Source`: name, filters and destinations. */
export function originKey(origin: OriginConfig): string {
  const { transforms, filter } = origin;
  const asFilter = (subject: string): string => (subject === "" ? ">" : subject);
  const filters = transforms.length === 0 ? asFilter(filter) : joined(transforms, ({ source }) => source);
  const destinations = transforms.length === 0 ? ">" : joined(transforms, ({ destination }) => destination);
  const made = origin.consumer === null ? "" : `:C=${hashName(origin.consumer.name)}`;
  return `${qualifiedName(origin)}${made} ${filters} ${destinations}`;

  function joined(of: readonly SubjectTransform[], pick: (one: SubjectTransform) => string): string {
    return of.map((one) => asFilter(pick(one))).join("\f");
  }
}

/** Streams of other domains and accounts may have the same name. */
export function qualifiedName({ name, external: there }: OriginConfig): string {
  return there === null ? name : `${name}:${hashName(there.api)}`;
}
