/**
 * The server in the system account: answers the requests of `$SYS.REQ.…`, tells the others how it is, and what happens here.
 *
 * Bounds: REQUESTS_MAX requests wait, with REQUEST_BYTES_MAX of payload each, further ones get no answer; they are answered one
 * after the other, each in a round of its own, so that messages get their turn in between.
 */
import { breaksSharedState } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Random } from "../base/random.ts";
import type { Account } from "../core/account.ts";
import type { Endpoints } from "../monitor/endpoints.ts";
import { BadQuery } from "../monitor/query.ts";
import { Usage } from "../monitor/usage.ts";
import type { Answers } from "./answers.ts";
import { ClusterQuery, type ServerAnswer } from "./cluster-query.ts";
import { CommandRefused, COMMANDS, type Command, type CommandWorld } from "./commands.ts";
import { Events } from "./events.ts";
import { Heartbeat } from "./heartbeat.ts";
import { Listener, type Heard } from "../core/listener.ts";
import { BadRequest, isMeant, numberOf, readOptions, Refusal, type Options } from "./options.ts";
import { serverStats } from "./server-stats.ts";
import { fromByteString } from "../protocol/info.ts";
import { Stamp } from "./stamp.ts";
import { userInfo } from "./user-info.ts";

const REQUESTS_MAX = 1024;
const REQUEST_BYTES_MAX = 64 * 1024;
const BAD_REQUEST = 400;
/** A larger answer is given again with a shorter list. */
const ANSWER_BYTES_MAX = 8 * 1024 * 1024;

const SERVER_KINDS = (
  "IDZ STATSZ VARZ SUBSZ CONNZ ROUTEZ GATEWAYZ LEAFZ ACCOUNTZ JSZ HEALTHZ EXPVARZ IPQUEUESZ RAFTZ " +
  "PROFILEZ MEMBERZ"
).split(" ");
const ACCOUNT_KINDS = "SUBSZ CONNZ LEAFZ JSZ INFO STATZ CONNS".split(" ");

export interface SystemWorld extends CommandWorld {
  readonly system: Account;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** One token that names this server to the others. */
  readonly serverHash: string;
  /** Loaded when they are needed first. */
  endpoints(): Promise<Endpoints>;
}

type Answer = (heard: Heard) => void | Promise<void>;

export class SystemService implements Disposable {
  readonly events: Events;
  /** Requests that get no answer, since too many wait or they are too large. */
  requestsDropped = 0;
  private readonly world: SystemWorld;
  private readonly stamp: Stamp;
  private readonly usage: Usage;
  private readonly heartbeat: Heartbeat;
  private readonly queries: ClusterQuery;
  private readonly listeners: Listener[] = [];
  private readonly userListeners: Listener[] = [];
  private readonly waiting: { readonly heard: Heard; readonly answer: Answer }[] = [];
  private isAnswering = false;
  private isStopped = false;
  private loaded: Promise<Answers> | null = null;

  constructor(world: SystemWorld) {
    const { source, clock, system } = world;
    this.world = world;
    this.stamp = new Stamp(source, clock);
    this.usage = new Usage(source.facts().startedMs, () => clock.nowMs());
    this.events = new Events({ ...world, stamp: this.stamp });
    const subject = `$SYS.SERVER.${this.id}.STATSZ`;
    this.heartbeat = new Heartbeat(clock, () => {
      if (system.interest.covers(subject)) this.send(subject, this.stats());
    });
    this.queries = new ClusterQuery(world);
    this.listen();
  }

  /** Others in the cluster have come or gone. */
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

  /** Asks one server. null: no answer in time. */
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

  /** The server goes: the others hear of it at once. */
  [Symbol.dispose](): void {
    if (this.isStopped) return;
    this.isStopped = true;
    this.events.flush();
    this.send(`$SYS.SERVER.${this.id}.SHUTDOWN`, this.stamp.next());
    this.waiting.length = 0;
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
    // Other servers do not hear of these: only the one that the user is connected to knows the answer.
    const user: Answer = ({ reply, origin }) => {
      const data = userInfo(origin);
      if (data !== null) this.send(reply, { server: this.stamp.next(), data });
    };
    for (const subject of ["$SYS.REQ.USER.INFO", "$SYS.REQ.USER.*.INFO"]) {
      const listener = new Listener(subject, (heard) => this.queue(heard, user), "here");
      this.userListeners.push(listener);
      system.interest.add(listener);
    }
  }

  private queue(heard: Heard, answer: Answer): void {
    if (this.waiting.length >= REQUESTS_MAX || heard.payload.length > REQUEST_BYTES_MAX) {
      this.requestsDropped++;
      return;
    }
    this.waiting.push({ heard, answer });
    if (this.isAnswering) return;
    this.isAnswering = true;
    setImmediate(() => void this.answerNext());
  }

  private async answerNext(): Promise<void> {
    const next = this.waiting.shift();
    if (next === undefined) {
      this.isAnswering = false;
      return;
    }
    const { heard, answer } = next;
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
    setImmediate(() => void this.answerNext());
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

  /** Without a reply subject it goes to all who listen. */
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

  /** Who is not meant, or has nothing to say, is silent. */
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
      const told = Buffer.from(JSON.stringify({ server: this.stamp.next(), data }));
      if (told.length <= ANSWER_BYTES_MAX) return void this.world.system.send(reply, told);
      const limit = Math.floor((numberOf(data as Options, "limit") * ANSWER_BYTES_MAX * 0.9) / told.length);
      if (limit < 1) throw new Refusal(`the answer of ${told.length} bytes is too large`);
      options = { ...options, limit };
    }
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

/** 0: not the fault of whoever asks. */
function problemOf(error: unknown): { code: number; description: string } {
  const description = error instanceof Error ? error.message : String(error);
  if (error instanceof BadRequest) return { code: BAD_REQUEST, description };
  const isExpected = error instanceof BadQuery || error instanceof Refusal || error instanceof CommandRefused;
  return isExpected ? { code: 500, description } : { code: 0, description: "internal error" };
}
