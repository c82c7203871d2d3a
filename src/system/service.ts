/**
 * The server in the system account: answers the requests of `$SYS.REQ.…`, and publishes its statistics and events.
 *
 * Bounds: REQUESTS_MAX requests wait, with REQUEST_BYTES_MAX of payload each; further ones get no answer. Accounts are served fairly: one
 * request of each account at a time and ANSWERING_MAX in all, besides those of the system account. An answer is made in pieces, one per
 * round of the event loop, so that messages are served in between.
 */
import { breaksSharedState } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { FairQueue } from "../base/fair-queue.ts";
import type { Logger } from "../base/logger.ts";
import type { Random } from "../base/random.ts";
import type { Account } from "../core/account.ts";
import type { MessageTrace } from "../protocol/message-trace.ts";
import type { Endpoints } from "../monitor/endpoints.ts";
import { compactPieces } from "../monitor/json.ts";
import { BadQuery } from "../monitor/query.ts";
import { ProcessUsage } from "../monitor/usage.ts";
import type { Answers } from "./answers.ts";
import { ClusterQuery, type ServerAnswer } from "./cluster-query.ts";
import { CommandRefused, COMMANDS, type Command, type CommandWorld } from "./commands.ts";
import { Events } from "./events.ts";
import { StatusBeat } from "./status-beat.ts";
import { Listener, type Heard } from "../core/listener.ts";
import { BadRequest, isMeant, numberOf, readOptions, Refusal, type Options } from "./options.ts";
import { serverStats } from "./server-stats.ts";
import { fromByteString } from "../protocol/info.ts";
import { Stamp } from "./stamp.ts";
import { sendTrace, type TraceSender } from "./traces.ts";
import { userInfo, type UserOf } from "./user-info.ts";
import type { MessageOrigin } from "../protocol/message.ts";

const REQUESTS_MAX = 1024;
const REQUEST_BYTES_MAX = 64 * 1024;
const BAD_REQUEST = 400;
const ANSWERING_MAX = 4;
/** A larger answer is repeated with a shorter list. */
const ANSWER_BYTES_MAX = 8 * 1024 * 1024;
/** Bytes of an answer that are produced at most to measure it. */
const MEASURED_BYTES_MAX = 8 * ANSWER_BYTES_MAX;
const ACCOUNT_REQUEST = "$SYS.REQ.ACCOUNT.";

const SERVER_KINDS = (
  "IDZ STATSZ VARZ SUBSZ CONNZ ROUTEZ GATEWAYZ LEAFZ ACCOUNTZ JSZ HEALTHZ EXPVARZ IPQUEUESZ RAFTZ " +
  "PROFILEZ MEMBERZ"
).split(" ");
const ACCOUNT_KINDS = "SUBSZ CONNZ LEAFZ JSZ INFO STATZ CONNS".split(" ");

export interface SystemWorld extends CommandWorld {
  /** The client that sent it; null: it is not connected to this server. */
  clientOf(origin: MessageOrigin | null): UserOf | null;
  readonly system: Account;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** A token of subjects that identifies this server. */
  readonly serverHash: string;
  /** Loaded at the first use. */
  endpoints(): Promise<Endpoints>;
}

interface Request {
  readonly heard: Heard;
  readonly answer: Answer;
}

type Answer = (heard: Heard) => void | Promise<void>;

export class SystemService implements Disposable {
  readonly events: Events;
  /** Requests without an answer, because too many waited or they were too large. */
  requestsDropped = 0;
  private readonly world: SystemWorld;
  private readonly stamp: Stamp;
  private readonly usage: ProcessUsage;
  private readonly heartbeat: StatusBeat;
  private readonly queries: ClusterQuery;
  private readonly listeners: Listener[] = [];
  private readonly userListeners: Listener[] = [];
  /** By requesting account. */
  private readonly waiting = new FairQueue<Request>({ all: REQUESTS_MAX, lane: REQUESTS_MAX });
  /** Accounts with a request in progress. */
  private readonly answering = new Set<string>();
  private readonly serve = (): void => {
    this.isScheduled = false;
    for (;;) {
      const next = this.waiting.shiftFrom(this.mayServe);
      if (next === undefined) return;
      this.answering.add(next.lane);
      void this.answerNext(next.lane, next.item);
    }
  };
  private readonly mayServe = (lane: string): boolean => !this.answering.has(lane) && this.hasRoomFor(lane);
  private isScheduled = false;
  private isStopped = false;
  private loaded: Promise<Answers> | null = null;

  constructor(world: SystemWorld) {
    const { source, clock, system } = world;
    this.world = world;
    this.stamp = new Stamp(source, clock);
    this.usage = new ProcessUsage(source.facts().startedMs, () => clock.nowMs());
    this.events = new Events({ ...world, stamp: this.stamp });
    const subject = `$SYS.SERVER.${this.id}.STATSZ`;
    this.heartbeat = new StatusBeat(clock, () => {
      if (system.interest.covers(subject)) this.send(subject, this.stats());
    });
    this.queries = new ClusterQuery(world);
    this.listen();
  }

  trace(account: TraceSender, trace: MessageTrace): void {
    sendTrace(account, trace, this.stamp);
  }

  /** Members of the cluster have joined or left. */
  membersChanged(): void {
    this.heartbeat.hasten();
  }

  lameDuck(): void {
    this.send(`$SYS.SERVER.${this.id}.LAMEDUCK`, this.stamp.next());
  }

  /**
   * Asks every server of the cluster, this one included, for one of `SERVER_KINDS`. Resolves when `expected` have answered, or after
   * `timeoutMs`, with the answers there are.
   */
  clusterQuery(
    kind: string,
    timeoutMs: number,
    expected = this.clusterSize,
    options: object = {},
  ): Promise<ServerAnswer[]> {
    return this.queries.ask({ subject: `$SYS.REQ.SERVER.PING.${kind}`, expected, timeoutMs, options });
  }

  /** Asks every server of the cluster for the figures of its accounts, those without a connection there as well. */
  accountsQuery(timeoutMs: number, expected: number): Promise<ServerAnswer[]> {
    const options = { include_unused: true };
    return this.queries.ask({ subject: "$SYS.REQ.ACCOUNT.PING.STATZ", expected, timeoutMs, options });
  }

  /** Sends a request to one server. null: no answer in time. */
  async serverQuery(
    id: string,
    kind: string,
    timeoutMs: number,
    options: object,
  ): Promise<ServerAnswer | null> {
    const subject = `$SYS.REQ.SERVER.${id}.${kind}`;
    const [answer = null] = await this.queries.ask({ subject, expected: 1, timeoutMs, options });
    return answer;
  }

  /** The server shuts down: other servers are told at once. */
  [Symbol.dispose](): void {
    if (this.isStopped) return;
    this.isStopped = true;
    this.events.flush();
    this.send(`$SYS.SERVER.${this.id}.SHUTDOWN`, this.stamp.next());
    this.waiting.clear();
    for (const listener of this.listeners) this.world.system.unsubscribe(listener);
    for (const listener of this.userListeners) this.world.system.interest.remove(listener);
    for (const part of [this.events, this.heartbeat, this.queries]) part[Symbol.dispose]();
  }

  private get clusterSize(): number {
    return 1 + (this.world.source.cluster?.snapshot()?.peers.length ?? 0);
  }

  private get id(): string {
    return this.world.source.facts().id;
  }

  private listen(): void {
    const { system } = this.world;
    const on = (subject: string, answer: Answer): void => {
      const listener = new Listener(subject, (heard) => this.queue(heard, answer));
      this.listeners.push(listener);
      system.subscribe(listener);
    };
    on("$SYS.REQ.SERVER.PING", (heard) => this.answerStats(heard));
    for (const kind of SERVER_KINDS) {
      const answer: Answer = (heard) => this.answerServer(kind, heard);
      on(`$SYS.REQ.SERVER.PING.${kind}`, answer);
      on(`$SYS.REQ.SERVER.${this.id}.${kind}`, answer);
    }
    for (const kind of ACCOUNT_KINDS)
      on(`$SYS.REQ.ACCOUNT.*.${kind}`, (heard) => this.answerAccount(kind, heard));
    for (const [kind, act] of COMMANDS)
      on(`$SYS.REQ.SERVER.${this.id}.${kind}`, (heard) => this.command(heard, act));
    // Other servers do not get these: only the server of the user's connection knows the answer.
    const user: Answer = ({ reply, origin }) => {
      const client = this.world.clientOf(origin);
      if (client === null) return;
      const data = userInfo(client, this.world.clock.nowMs());
      this.send(reply, { server: this.stamp.next(), data });
    };
    for (const subject of ["$SYS.REQ.USER.INFO", "$SYS.REQ.USER.*.INFO"]) {
      const listener = new Listener(subject, (heard) => this.queue(heard, user), "here");
      this.userListeners.push(listener);
      system.interest.add(listener);
    }
  }

  private queue(heard: Heard, answer: Answer): void {
    const isTooLarge = heard.payload.length > REQUEST_BYTES_MAX;
    if (isTooLarge || this.waiting.push(this.laneOf(heard), { heard, answer }) !== null)
      this.requestsDropped++;
    if (this.isScheduled) return;
    this.isScheduled = true;
    setImmediate(this.serve);
  }

  /** The requesting account; for a request of another server, the account that the request is about. */
  private laneOf({ origin, subject }: Heard): string {
    if (origin !== null) return origin.account.name;
    const about = subject.startsWith(ACCOUNT_REQUEST) ? subject.split(".", 4)[3] : undefined;
    return about === undefined || about === "PING" ? this.world.system.name : about;
  }

  /** The system account has its own capacity. */
  private hasRoomFor(lane: string): boolean {
    const own = this.world.system.name;
    return lane === own || this.answering.size - (this.answering.has(own) ? 1 : 0) < ANSWERING_MAX;
  }

  private async answerNext(lane: string, { heard, answer }: Request): Promise<void> {
    try {
      await answer(heard);
    } catch (error) {
      const { code, description } = problemOf(error);
      if (code === 0) this.logFailure(heard, error);
      if (breaksSharedState(error)) throw error;
      const data = code === BAD_REQUEST || error instanceof CommandRefused ? {} : { data: null };
      this.send(heard.reply, {
        server: this.stamp.next(),
        ...data,
        error: { code: code || 500, description },
      });
    }
    this.answering.delete(lane);
    setImmediate(this.serve);
  }

  private async answerServer(kind: string, heard: Heard): Promise<void> {
    const { name, host, id } = this.world.source.facts();
    if (kind === "IDZ") return this.send(heard.reply, { name, host, id });
    if (kind === "STATSZ") return this.answerStats(heard);
    return this.answerWith(heard, async (options) => (await this.answers()).ofServer(kind, options));
  }

  private async answerAccount(kind: string, heard: Heard): Promise<void> {
    const name = fromByteString(heard.subject.split(".")[3] ?? "");
    if (kind === "CONNS") return this.answerConnections(name, heard.reply);
    return this.answerWith(heard, async (options) => (await this.answers()).ofAccount(kind, name, options));
  }

  /** Without a reply subject the statistics are published. */
  private answerStats({ payload, reply }: Heard): void {
    if (!isMeant(readOptions(payload), this.world.source)) return;
    if (reply === "") this.heartbeat.beatNow();
    else this.send(reply, this.stats());
  }

  private answerConnections(name: string, reply: string): void {
    const account = this.world.source.accounts.get(name);
    if (account !== undefined && account.connections > 0)
      this.send(reply, this.events.connectionsOf(account));
  }

  /** A server that is not addressed or has nothing to report stays silent. */
  private async answerWith(
    { payload, reply }: Heard,
    give: (options: Options) => Promise<object | null>,
  ): Promise<void> {
    if (reply === "") return;
    let options = readOptions(payload);
    if (!isMeant(options, this.world.source)) return;
    for (;;) {
      const data = await give(options);
      if (data === null || this.isStopped) return;
      const told = await this.inPieces({ server: this.stamp.next(), data });
      if (this.isStopped) return;
      if (typeof told !== "number") return void this.world.system.send(reply, told);
      const limit = Math.floor((numberOf(data as Options, "limit") * ANSWER_BYTES_MAX * 0.9) / told);
      if (limit < 1) throw new Refusal(`the answer of ${told} bytes or more is too large`);
      options = { ...options, limit };
    }
  }

  /** The bytes of the answer; if it is too large, only their number, which may be too low. */
  private async inPieces(answer: object): Promise<Uint8Array | number> {
    const answers = await this.answers();
    const pieces: Buffer[] = [];
    let byteCount = 0;
    for (const text of compactPieces(answer)) {
      const piece = Buffer.from(text);
      byteCount += piece.length;
      if (byteCount > MEASURED_BYTES_MAX || this.isStopped) break;
      if (byteCount <= ANSWER_BYTES_MAX) pieces.push(piece);
      else pieces.length = 0;
      await answers.nextTurn();
    }
    return byteCount <= ANSWER_BYTES_MAX ? Buffer.concat(pieces) : byteCount;
  }

  private async command({ payload, reply }: Heard, act: Command): Promise<void> {
    const options = readOptions(payload);
    if (!isMeant(options, this.world.source)) return;
    await act(options, this.world);
    this.send(reply, { server: this.stamp.next() });
  }

  private answers(): Promise<Answers> {
    this.loaded ??= Promise.all([import("./answers.ts"), this.world.endpoints()]).then(
      ([{ Answers }, endpoints]) => new Answers(endpoints, this.world.source),
    );
    return this.loaded;
  }

  private stats(): object {
    return { server: this.stamp.next(), statsz: serverStats(this.world.source, this.usage) };
  }

  private send(subject: string, body: object): void {
    if (subject !== "") this.world.system.send(subject, Buffer.from(JSON.stringify(body)));
  }

  private logFailure({ subject }: Heard, error: unknown): void {
    const stack = error instanceof Error ? error.stack : undefined;
    this.world.logger.error("A request to the system account failed", {
      subject,
      error: String(error),
      stack,
    });
  }
}

/** 0: the requester is not at fault. */
function problemOf(error: unknown): { code: number; description: string } {
  const description = error instanceof Error ? error.message : String(error);
  if (error instanceof BadRequest) return { code: BAD_REQUEST, description };
  const isExpected = error instanceof BadQuery || error instanceof Refusal || error instanceof CommandRefused;
  return isExpected ? { code: 500, description } : { code: 0, description: "internal error" };
}
