/**
 * A plan says where messages on one literal subject go: worked out once from the sublist, then reused until interest
 * changes. Plans are never changed after they are built, so one may be walked while subscriptions end.
 */
import type { Work } from "../base/work.ts";
import { Head, subjectIn, type HeadDialect, type Heads } from "./heads.ts";
import {
  isCrossing,
  RemoteInterest,
  type Crossing,
  type Interested,
  type Neighbour,
  type Subscription,
} from "./subscription.ts";
import { TIER_ORDER } from "./reach.ts";

const EMPTY: readonly never[] = [];
/** Receivers of a plan that is taken again without asking. */
const MEMORABLE_MAX = 16;

export class QueueGroup {
  readonly name: string;
  readonly locals: Subscription[] = [];
  /** All that have members, by rank. */
  candidates: readonly RemoteInterest[] = [];
  /** The candidates of the lowest rank. */
  remotes: RemoteInterest[] = [];
  remoteWeight = 0;
  /** Members behind routes and members here get messages in one turn; else those here come first. */
  isShared = false;
  /** Turns of the round robin among locals and among remotes. */
  localTurn = 0;
  remoteTurn = 0;
  /** Where shared: grows by the weight elsewhere with each message, up to that of all members. */
  sharedTurn = 0;

  constructor(name: string) {
    this.name = name;
  }
}

export class Plan implements Heads {
  /** No other plan of the server ever has it. */
  readonly number: number;
  readonly account: string;
  subjectLength: number;
  readonly hash: number;
  /** Which generation counter of the interest this depends on, and its value when the plan was built. */
  readonly bucket: number;
  readonly generation: number;
  readonly clientHead: Head;
  /** Where the client's head lies, once more: read for each message. */
  readonly headAt: number;
  headLength: number;
  readonly routeHead: Head | null;

  /** Subscriptions here without a queue group. */
  readonly locals: readonly Subscription[];
  /** Neighbours with at least one such subscription, in the order of their tiers. */
  readonly neighbours: readonly Neighbour[];
  readonly groups: readonly QueueGroup[];
  /** No neighbour but routes has any interest: what comes by one of them goes to none. */
  readonly endsHere: boolean;
  /** Ways into other accounts; null: none. A plan with them is not to be remembered: it is gone once it is carried out. */
  readonly crossings: readonly Crossing[] | null;
  /** The one subscription, where there is just one, and nothing else. */
  readonly single: Subscription | null;
  /** The same where its owner is a common one. */
  readonly direct: Subscription | null;
  /** Whether the owners of all `locals` are. */
  readonly areCommon: boolean;
  /** The one neighbour, where nobody else is interested. */
  readonly soleNeighbour: Neighbour | null;
  /** Nobody is interested. */
  readonly isEmpty: boolean;
  /** How many get a message: subscriptions and neighbours, and one for each queue group. */
  readonly fanout: number;
  /** Whether the next message may take it without asking again: those that take long do, so that their work is looked at. */
  readonly isMemorable: boolean;
  readonly work: Work;
  /** Where the subject's bytes lie. */
  readonly subjectAt: number;
  /** Length of the subject that the plan was built for. Its heads have room for the rest: see `setRest`. */
  private readonly builtLength: number;
  /** False: the subject is another one when it is looked up next, so that nothing may be remembered by this plan. */
  readonly isOfOneSubject: boolean;

  constructor(parts: PlanParts) {
    const { subject, account, interested, tokenRoom = 0 } = parts;
    this.builtLength = subject.length;
    this.isOfOneSubject = tokenRoom === 0;
    this.account = account;
    this.number = parts.work.nextPlan();
    this.subjectLength = subject.length;
    this.hash = parts.hash;
    this.bucket = parts.bucket;
    this.generation = parts.generation;
    const { locals, neighbours, groups, crossings, endsHere } = sortOut(interested);
    this.locals = locals.length === 0 ? EMPTY : locals;
    this.neighbours = nearestFirst(neighbours);
    this.groups = balanced(groups, start(parts));
    this.endsHere = endsHere;
    this.crossings = crossings.length === 0 ? null : crossings;
    const isSingle = this.locals.length === 1 && this.neighbours.length === 0 && this.groups.length === 0;
    this.single = isSingle && this.crossings === null ? this.locals[0]! : null;
    const isSole = this.locals.length === 0 && this.neighbours.length === 1 && this.groups.length === 0;
    this.soleNeighbour = isSole && this.crossings === null ? this.neighbours[0]! : null;
    this.areCommon = this.locals.every(({ owner }) => owner.isCommon === true);
    this.direct = this.areCommon ? this.single : null;
    this.isEmpty = interested.length === 0;
    this.fanout = this.locals.length + this.neighbours.length + this.groups.length;
    this.isMemorable = this.crossings === null && this.isOfOneSubject && interested.length <= MEMORABLE_MAX;
    this.work = parts.work;
    this.clientHead = new Head("HMSG", "", subject, tokenRoom);
    this.headAt = this.clientHead.at;
    this.headLength = this.clientHead.length;
    this.subjectAt = subjectIn(this.clientHead);
    this.routeHead = this.isSpoken("route") ? new Head("RMSG", `${account} `, subject, tokenRoom) : null;
  }

  private isSpoken(dialect: HeadDialect): boolean {
    const speaks = (neighbour: Neighbour): boolean => neighbour.dialect === dialect;
    return (
      this.neighbours.some(speaks) ||
      this.groups.some(({ candidates }) => candidates.some(({ neighbour }) => speaks(neighbour)))
    );
  }

  /** Gives the heads back. The plan may still be read until the next plan is built. */
  release(): void {
    this.clientHead.release();
    this.routeHead?.release();
  }

  /**
   * Makes this the plan for the subject that it was built for with what lies at `at` behind it. Only for plans that were built for
   * a prefix, which ends with a dot.
   */
  setRest(at: number, length: number): void {
    this.subjectLength = this.builtLength + length;
    this.clientHead.setRest(at, length);
    this.headLength = this.clientHead.length;
    this.routeHead?.setRest(at, length);
  }
}

export interface PlanParts {
  readonly subject: string;
  readonly account: string;
  readonly hash: number;
  readonly bucket: number;
  readonly generation: number;
  readonly interested: readonly Interested[];
  /** Carrying it out is counted there. */
  readonly work: Work;
  /** Counts the plans that are built. */
  readonly turn: number;
  /** Bytes for what follows a prefix; absent: none, this is the whole subject. */
  readonly tokenRoom?: number;
}

interface Receivers {
  readonly locals: Subscription[];
  readonly neighbours: Set<Neighbour>;
  readonly groups: Map<string, QueueGroup>;
  readonly crossings: Crossing[];
  endsHere: boolean;
}

/** One pass, since a subject may have a hundred thousand subscriptions that change between two messages. */
function sortOut(interested: readonly Interested[]): Receivers {
  const found: Receivers = {
    locals: [],
    neighbours: new Set(),
    groups: new Map(),
    crossings: [],
    endsHere: true,
  };
  const { locals, crossings } = found;
  let group: QueueGroup | null = null;
  for (let i = 0; i < interested.length; i++) {
    const item = interested[i]!;
    if (item instanceof RemoteInterest) addRemote(found, item);
    else if (item.queue !== null) {
      if (group === null || group.name !== item.queue) group = groupIn(found, item.queue);
      group.locals.push(item);
    } else if (isCrossing(item)) crossings.push(item);
    else locals.push(item);
  }
  return found;
}

function addRemote(found: Receivers, item: RemoteInterest): void {
  if (item.queue === null) found.neighbours.add(item.neighbour);
  else groupIn(found, item.queue).remotes.push(item);
  if (item.neighbour.tier !== "route") found.endsHere = false;
}

function groupIn({ groups }: Receivers, name: string): QueueGroup {
  let group = groups.get(name);
  if (group === undefined) groups.set(name, (group = new QueueGroup(name)));
  return group;
}

function nearestFirst(neighbours: ReadonlySet<Neighbour>): readonly Neighbour[] {
  if (neighbours.size === 0) return EMPTY;
  return [...neighbours].sort((a, b) => TIER_ORDER[a.tier] - TIER_ORDER[b.tier]);
}

/**
 * Where the round robin of queue groups begins, from 0 up to 1: elsewhere for each subject and each time, since many plans serve
 * one message only.
 */
function start(parts: PlanParts): number {
  return (Math.imul(parts.hash + parts.turn, 0x9e3779b1) >>> 0) / 2 ** 32;
}

function balanced(groups: ReadonlyMap<string, QueueGroup>, from: number): readonly QueueGroup[] {
  for (const group of groups.values()) {
    keepNearest(group);
    group.localTurn = Math.floor(from * group.locals.length);
    group.remoteTurn = Math.floor(from * group.remoteWeight);
    // Apart from the turns within, which begin at `from`.
    group.sharedTurn = Math.floor(((from * 4096) % 1) * (group.locals.length + group.remoteWeight));
  }
  return groups.size === 0 ? EMPTY : [...groups.values()];
}

function keepNearest(group: QueueGroup): void {
  if (group.remotes.length === 0) return;
  group.candidates = group.remotes.toSorted((a, b) => a.rank - b.rank);
  const { rank } = group.candidates[0]!;
  group.remotes = group.remotes.filter((one) => one.rank === rank);
  group.remoteWeight = group.remotes.reduce((sum, { weight }) => sum + weight, 0);
  group.isShared = rank === 0 && group.locals.length > 0;
}
