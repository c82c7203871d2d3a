/**
 * What the servers of a cluster have agreed on: which streams and consumers there are, and who keeps them. A deterministic state machine:
 * each server applies the same operations, written as nats-server writes them, and comes to the same state.
 */
import { unpackWholeBlock, unpackWholeStream } from "../../compress/whole.ts";
import type { PeerId } from "../../raft/messages.ts";
import { ApiError } from "../api-error.ts";
import { readObject, writeObject } from "../codec.ts";
import { consumerShape, type ConsumerConfig } from "../consumer/config.ts";
import { decodeJson, encodeJson, OperationCode } from "../group/operations.ts";
import { streamShape, type StreamConfig } from "../stream/config.ts";
import { packBlock } from "./literal-block.ts";

type Json = Record<string, unknown>;

/** Bytes of a snapshot, or of the assignment of a consumer, unpacked. */
const UNPACKED_MAX = 256 * 1024 * 1024 - 1;

/** The servers that keep a stream or a consumer. */
export interface GroupAssignment {
  readonly name: string;
  readonly peers: readonly PeerId[];
  readonly storage: "file" | "memory";
  readonly cluster: string;
  /** Leads first; "": any may. */
  readonly preferred: PeerId;
  /** Its members agree on what happens, even where there is but one: it had more, or is to have more. Absent: by their number. */
  readonly isShared?: boolean;
  /** It is being changed; absent: it is not. `peers` are all that keep something meanwhile. */
  readonly desired?: DesiredPeers;
  /** What a nats-server says of it beside that; absent: nothing. It is handed on as it came. */
  readonly others?: Json;
}

interface DesiredPeers {
  /** Those that are to keep it in the end. */
  readonly peers: readonly PeerId[];
  /** Those that kept it when the change began. */
  readonly members: readonly PeerId[];
  readonly others?: Json;
}

/** Whether the servers that keep it agree on what happens to it, as members of a group. */
export function isShared({ peers, isShared: isMarked, desired }: GroupAssignment): boolean {
  return peers.length > 1 || isMarked === true || desired !== undefined;
}

interface Asked {
  /** The client that asked, as the request told of it. */
  readonly client: Json;
  /** The subject of the request, and where its answer is awaited; "": nowhere. */
  readonly subject: string;
  readonly reply: string;
}

export interface StreamAssignment extends Asked {
  readonly account: string;
  /** RFC 3339: which of all streams that had the name. */
  readonly created: string;
  readonly config: StreamConfig;
  readonly group: GroupAssignment;
  /** Where replicas ask for messages that they lack. */
  readonly sync: string;
}

export interface ConsumerAssignment extends Asked {
  readonly account: string;
  readonly stream: string;
  readonly name: string;
  readonly created: string;
  readonly config: ConsumerConfig;
  readonly group: GroupAssignment;
}

export interface PlacedStream {
  assignment: StreamAssignment;
  readonly consumers: Map<string, ConsumerAssignment>;
}

/** What an operation was about. */
export interface AssignmentChange {
  readonly kind: "assigned" | "removed";
  readonly account: string;
  readonly stream: string;
  /** "": the stream itself. */
  readonly consumer: string;
  /** The request that has led to it. */
  readonly asked: Asked;
  readonly isUpdate: boolean;
  /** Nothing of this name was there before. */
  readonly isNew: boolean;
  /** The names of consumers that have gone with their stream. */
  readonly consumers: readonly string[];
}

export class Assignments {
  /** By account, and name. */
  private readonly accounts = new Map<string, Map<string, PlacedStream>>();

  stream(account: string, name: string): PlacedStream | undefined {
    return this.accounts.get(account)?.get(name);
  }

  streamsOf(account: string): ReadonlyMap<string, PlacedStream> {
    return this.accounts.get(account) ?? NO_STREAMS;
  }

  *all(): Generator<PlacedStream, void> {
    for (const streams of this.accounts.values()) yield* streams.values();
  }

  /** A stream and its mirrors; none where it has no mirror. */
  alternatesOf(
    account: string,
    name: string,
  ): readonly { readonly name: string; readonly cluster: string }[] {
    const found = [...this.streamsOf(account).values()].flatMap(({ assignment: { config, group } }) =>
      config.name === name || config.mirror?.name === name
        ? [{ name: config.name, cluster: group.cluster }]
        : [],
    );
    return found.length === 1 ? [] : found;
  }

  /** null: it changes nothing. "unknown": it is no operation that this server knows. */
  apply(data: Uint8Array): AssignmentChange | "unknown" | null {
    switch (data[0]) {
      case OperationCode.ASSIGN_STREAM:
      case OperationCode.UPDATE_STREAM:
        return this.assignStream(readStream(decodeJson(data)), data[0] === OperationCode.UPDATE_STREAM);
      case OperationCode.REMOVE_STREAM:
        return this.removeStream(readStream(decodeJson(data)));
      case OperationCode.ASSIGN_CONSUMER:
        return this.assignConsumer(readConsumer(decodeJson(data)));
      case OperationCode.ASSIGN_PACKED_CONSUMER:
        return this.assignConsumer(readConsumer(unpackJson(data)));
      case OperationCode.REMOVE_CONSUMER:
        return this.removeConsumer(readConsumer(decodeJson(data)));
      default:
        return "unknown";
    }
  }

  snapshot(): Uint8Array {
    const streams = [...this.all()].map(({ assignment, consumers }) => ({
      ...streamJson(assignment, "kept"),
      Consumers: [...consumers.values()].map((one) => consumerJson(one, "kept")),
    }));
    if (streams.length === 0) return new Uint8Array(0);
    return packBlock(Buffer.from(JSON.stringify(streams), "latin1"));
  }

  /** Takes the place of everything. False: it cannot be read. */
  install(data: Uint8Array): boolean {
    this.accounts.clear();
    if (data.length === 0) return true;
    const bytes = unpackWholeBlock(data, UNPACKED_MAX);
    if (bytes === undefined) return false;
    const streams = parseList(bytes);
    if (streams === undefined) return false;
    for (const each of streams) {
      const assignment = readStream(each);
      if (assignment === undefined) return false;
      this.assignStream(assignment, false);
      for (const one of (each["Consumers"] as Json[] | null) ?? []) {
        const consumer = readConsumer({ ...one, stream: assignment.config.name });
        if (consumer === undefined) return false;
        this.assignConsumer(consumer);
      }
    }
    return true;
  }

  private assignStream(
    assignment: StreamAssignment | undefined,
    isUpdate: boolean,
  ): AssignmentChange | "unknown" | null {
    if (assignment === undefined) return "unknown";
    const { account, config } = assignment;
    let streams = this.accounts.get(account);
    if (streams === undefined) this.accounts.set(account, (streams = new Map<string, PlacedStream>()));
    const there = streams.get(config.name);
    if (isUpdate && there === undefined) return null;
    const isNew = there?.assignment.created !== assignment.created;
    if (isNew) streams.set(config.name, { assignment, consumers: new Map() });
    else there.assignment = assignment;
    return { ...changeOf(assignment, config.name, ""), kind: "assigned", isUpdate, isNew };
  }

  /** One that was made later under the same name stays. */
  private removeStream(asked: StreamAssignment | undefined): AssignmentChange | "unknown" | null {
    if (asked === undefined) return "unknown";
    const { account, config, created } = asked;
    const there = this.stream(account, config.name);
    if (there === undefined || Date.parse(created) < Date.parse(there.assignment.created)) return null;
    this.accounts.get(account)!.delete(config.name);
    const consumers = [...there.consumers.keys()];
    return { ...changeOf(asked, config.name, ""), kind: "removed", isUpdate: false, consumers };
  }

  private assignConsumer(assignment: ConsumerAssignment | undefined): AssignmentChange | "unknown" | null {
    if (assignment === undefined) return "unknown";
    const { account, stream, name } = assignment;
    const there = this.stream(account, stream);
    if (there === undefined) return null;
    const isUpdate = there.consumers.has(name);
    there.consumers.set(name, assignment);
    return { ...changeOf(assignment, stream, name), kind: "assigned", isUpdate, isNew: !isUpdate };
  }

  private removeConsumer(asked: ConsumerAssignment | undefined): AssignmentChange | "unknown" | null {
    if (asked === undefined) return "unknown";
    const { account, stream, name, created, group } = asked;
    const consumers = this.stream(account, stream)?.consumers;
    const there = consumers?.get(name);
    if (there === undefined || (there.group.name !== group.name && there.created !== created)) return null;
    consumers!.delete(name);
    return { ...changeOf(asked, stream, name), kind: "removed", isUpdate: false };
  }
}

/** The names of consumers that lists and counts show: not those that servers made for mirrors and sources. */
export function publicNames({ consumers }: Pick<PlacedStream, "consumers">): string[] {
  return [...consumers.values()].flatMap(({ name, config }) => (config.direct ? [] : [name]));
}

const NO_STREAMS: ReadonlyMap<string, PlacedStream> = new Map();

function changeOf(asked: Asked & { readonly account: string }, stream: string, consumer: string) {
  return { account: asked.account, stream, consumer, asked, isNew: false, consumers: [] };
}

export function encodeStream(assignment: StreamAssignment, what: "assign" | "update" | "remove"): Uint8Array {
  const { ASSIGN_STREAM, UPDATE_STREAM, REMOVE_STREAM } = OperationCode;
  const code = { assign: ASSIGN_STREAM, update: UPDATE_STREAM, remove: REMOVE_STREAM }[what];
  return encodeJson(code, streamJson(assignment, "asked"));
}

export function encodeConsumer(assignment: ConsumerAssignment, what: "assign" | "remove"): Uint8Array {
  const { ASSIGN_CONSUMER, REMOVE_CONSUMER } = OperationCode;
  return encodeJson(what === "assign" ? ASSIGN_CONSUMER : REMOVE_CONSUMER, consumerJson(assignment, "asked"));
}

/** "kept": without what belongs to the request alone. */
type Form = "asked" | "kept";

function streamJson(
  { client, account, created, config, group, sync, subject, reply }: StreamAssignment,
  form: Form,
) {
  return {
    client: clientJson(client, account, form),
    created,
    stream: writeObject(streamShape, config),
    group: groupJson(group),
    sync,
    ...(form === "asked" ? { subject, reply } : {}),
  };
}

function consumerJson(assignment: ConsumerAssignment, form: Form) {
  const { client, account, created, name, stream, config, group, subject, reply } = assignment;
  return {
    client: clientJson(client, account, form),
    created,
    name,
    stream,
    consumer: writeObject(consumerShape, config),
    group: groupJson(group),
    ...(form === "asked" ? { subject, reply } : {}),
  };
}

function clientJson(client: Json, account: string, form: Form): Json {
  const whole = accountOf(client) === account ? client : { acc: account };
  if (form === "asked") return whole;
  const { acc, svc, cluster } = whole;
  return { acc, ...(svc === undefined ? {} : { svc }), ...(cluster === undefined ? {} : { cluster }) };
}

function groupJson(group: GroupAssignment): Json {
  const { name, peers, storage, cluster, preferred, desired, isShared: isMarked, others } = group;
  return {
    ...others,
    name,
    peers,
    store: storage,
    ...(cluster === "" ? {} : { cluster }),
    ...(preferred === "" ? {} : { preferred }),
    ...(isMarked === true ? { shared: true } : {}),
    ...(desired === undefined ? {} : { desired: desiredJson(desired) }),
  };
}

function desiredJson({ peers, members, others }: DesiredPeers): Json {
  return { ...others, peers, members };
}

function readStream(json: Json | undefined): StreamAssignment | undefined {
  const group = readGroup(json?.["group"]);
  const client = json?.["client"];
  if (json === undefined || group === undefined || !isRecord(client)) return undefined;
  const config = readConfig(() => readObject(streamShape, json["stream"]));
  if (config === undefined) return undefined;
  return {
    ...askedOf(json, client),
    account: accountOf(client),
    created: textOf(json["created"]),
    config,
    group,
    sync: textOf(json["sync"]),
  };
}

function readConsumer(json: Json | undefined): ConsumerAssignment | undefined {
  const group = readGroup(json?.["group"]);
  const client = json?.["client"];
  if (json === undefined || group === undefined || !isRecord(client)) return undefined;
  const config = readConfig(() => readObject(consumerShape, json["consumer"]));
  if (config === undefined) return undefined;
  return {
    ...askedOf(json, client),
    account: accountOf(client),
    stream: textOf(json["stream"]),
    name: textOf(json["name"]),
    created: textOf(json["created"]),
    config,
    group,
  };
}

function readConfig<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof ApiError) return undefined;
    throw error;
  }
}

function readGroup(value: unknown): GroupAssignment | undefined {
  if (!isRecord(value) || !Array.isArray(value["peers"])) return undefined;
  const { name, peers, store, cluster, preferred, shared, desired, ...others } = value;
  return {
    name: textOf(name),
    peers: (peers as unknown[]).map(textOf),
    storage: store === "memory" ? "memory" : "file",
    cluster: textOf(cluster),
    preferred: textOf(preferred),
    ...(shared === true ? { isShared: true } : {}),
    ...readDesired(desired),
    ...keptOf(others),
  };
}

function readDesired(value: unknown): { readonly desired?: DesiredPeers } {
  if (!isRecord(value)) return {};
  const { peers, members, ...others } = value;
  if (!Array.isArray(peers) || !Array.isArray(members)) return {};
  return { desired: { peers: peers.map(textOf), members: members.map(textOf), ...keptOf(others) } };
}

function keptOf(others: Json): { readonly others?: Json } {
  return Object.keys(others).length === 0 ? {} : { others };
}

function askedOf(json: Json, client: Json): Asked {
  return { client, subject: textOf(json["subject"]), reply: textOf(json["reply"]) };
}

/** The account that the asset belongs to. */
export function accountOf(client: Json): string {
  return textOf(client["svc"]) || textOf(client["acc"]);
}

/** undefined: it is no JSON object behind a code, packed as a stream. */
function unpackJson(data: Uint8Array): Json | undefined {
  const content = unpackWholeStream(data.subarray(1), UNPACKED_MAX);
  return content === undefined ? undefined : decodeJson(Buffer.concat([data.subarray(0, 1), content]));
}

/** undefined: it is no list of objects. */
function parseList(bytes: Uint8Array): Json[] | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString("latin1"));
    return Array.isArray(value) && value.every(isRecord) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
