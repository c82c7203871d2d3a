/**
 * The end of a change of a group's members. Whoever leads the group tells the leader of the meta group that the members are those that
 * were wanted; that one writes it down, and the servers that are no members any more drop what they have.
 *
 *     {"account", "stream", "consumer", "group", "peers"} ─▶ $SHOAL.META.SETTLED
 */
import type { PeerId } from "../../raft/messages.ts";
import type { GroupTransport } from "../group/group.ts";
import {
  encodeConsumer,
  encodeStream,
  type ConsumerAssignment,
  type StreamAssignment,
} from "./assignments.ts";
import type { MetaGroup } from "./meta-group.ts";

const SUBJECT = "$SHOAL.META.SETTLED";
/** Nobody asked for it, so nobody is answered. */
const UNASKED = { client: {}, subject: "", reply: "" };

export class Settling {
  private readonly transport: GroupTransport;
  private readonly meta: MetaGroup;
  private readonly ear: Disposable;

  constructor(transport: GroupTransport, meta: MetaGroup) {
    this.transport = transport;
    this.meta = meta;
    this.ear = transport.listen(SUBJECT, (_subject, _reply, payload) => {
      const told = readSettled(payload);
      if (told !== null && meta.leads) meta.whenSettled(() => this.write(told));
    });
  }

  stop(): void {
    this.ear[Symbol.dispose]();
  }

  /** May be told more than once. */
  tell(assignment: StreamAssignment | ConsumerAssignment): void {
    const { account, group } = assignment;
    const told: Settled = {
      account,
      stream: "name" in assignment ? assignment.stream : assignment.config.name,
      consumer: "name" in assignment ? assignment.name : "",
      group: group.name,
      peers: group.desired?.peers ?? [],
    };
    this.transport.send(SUBJECT, "", Buffer.from(JSON.stringify(told), "latin1"));
  }

  private write({ account, stream, consumer, group, peers }: Settled): void {
    const { meta } = this;
    const placed = meta.assignments.stream(account, stream);
    const found = consumer === "" ? placed?.assignment : placed?.consumers.get(consumer);
    if (found?.group.desired === undefined || found.group.name !== group) return;
    const { desired, ...before } = found.group;
    if (!hasSamePeers(desired.peers, peers)) return; // others are wanted by now
    const settled = { ...UNASKED, group: { ...before, peers: desired.peers } };
    if ("name" in found) meta.propose(encodeConsumer({ ...found, ...settled }, "assign"));
    else meta.propose(encodeStream({ ...found, ...settled }, "update"));
  }
}

interface Settled {
  readonly account: string;
  readonly stream: string;
  /** "": the stream itself. */
  readonly consumer: string;
  readonly group: string;
  readonly peers: readonly PeerId[];
}

function hasSamePeers(a: readonly PeerId[], b: readonly PeerId[]): boolean {
  return a.length === b.length && a.every((peer) => b.includes(peer));
}

function readSettled(payload: Uint8Array): Settled | null {
  try {
    const json = JSON.parse(Buffer.from(payload).toString("latin1")) as Partial<
      Record<keyof Settled, unknown>
    >;
    const { account, stream, consumer, group, peers } = json;
    const texts = [account, stream, consumer, group];
    if (!texts.every((one) => typeof one === "string") || !Array.isArray(peers)) return null;
    return json as Settled;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return null;
    throw error;
  }
}
