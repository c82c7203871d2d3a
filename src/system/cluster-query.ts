/**
 * Sends a request to all servers of the cluster in the system account. Bounds: ANSWERS_MAX answers per request, collected for the
 * given time at most; QUESTIONS_MAX requests at a time.
 */
import { assert } from "../base/assert.ts";
import type { Clock } from "../base/clock.ts";
import { randomInt, type Random } from "../base/random.ts";
import type { Account } from "../core/account.ts";
import type { MonitorSource } from "../monitor/source.ts";
import { Listener, type Heard } from "../core/listener.ts";
import { parseJson } from "../base/json.ts";

const ANSWERS_MAX = 1024;
const QUESTIONS_MAX = 64;

/** The unchecked answer of a server. */
export interface ServerAnswer {
  readonly server: Readonly<Record<string, unknown>> & { readonly id: string; readonly name: string };
  /** For STATSZ: the field `statsz`. undefined: the server has answered with an error. */
  readonly data: unknown;
  /** What the error says; "": there is none. */
  readonly error: string;
}

interface Asked {
  readonly subject: string;
  /** The request ends after this many answers. */
  readonly expected: number;
  readonly timeoutMs: number;
  readonly options: object;
}

interface Question {
  readonly answers: Map<string, ServerAnswer>;
  readonly expected: number;
  end(): void;
}

export interface ClusterQueryWorld {
  readonly source: MonitorSource;
  readonly system: Account;
  readonly clock: Clock;
  readonly random: Random;
  readonly serverHash: string;
}

export class ClusterQuery implements Disposable {
  private readonly world: ClusterQueryWorld;
  private readonly inbox: string;
  private readonly questions = new Map<string, Question>();
  private listener: Listener | null = null;

  constructor(world: ClusterQueryWorld) {
    this.world = world;
    this.inbox = `$SYS._INBOX.${world.serverHash}`;
  }

  /** Resolves with the answers in the order of their arrival, one per server. Rejects if too many requests are pending. */
  ask({ subject: asked, expected, timeoutMs, options }: Asked): Promise<ServerAnswer[]> {
    const { system, clock, random } = this.world;
    if (this.questions.size >= QUESTIONS_MAX)
      return Promise.reject(
        new Error(`${QUESTIONS_MAX} requests to the cluster are already waiting for answers`),
      );
    this.listen();
    const subject = `${this.inbox}.${randomInt(random, 2 ** 31).toString(36)}${this.questions.size}`;
    return new Promise((resolve) => {
      const answers = new Map<string, ServerAnswer>();
      const end = (): void => {
        timer[Symbol.dispose]();
        this.questions.delete(subject);
        resolve([...answers.values()]);
      };
      const timer = clock.setTimer(timeoutMs, end);
      this.questions.set(subject, { answers, expected, end });
      assert(this.questions.size <= QUESTIONS_MAX, "pending requests stay within their bound");
      system.send(asked, Buffer.from(JSON.stringify(options)), subject);
    });
  }

  /** Ends pending requests with the answers so far. */
  [Symbol.dispose](): void {
    for (const question of [...this.questions.values()]) question.end();
    if (this.listener !== null) this.world.system.unsubscribe(this.listener);
  }

  /** Subscribes before the first request, so that other servers learn of the subscription before they see the request. */
  private listen(): void {
    if (this.listener !== null) return;
    this.listener = new Listener(`${this.inbox}.*`, (heard) => this.take(heard));
    this.world.system.subscribe(this.listener);
  }

  private take({ subject, payload }: Heard): void {
    const question = this.questions.get(subject);
    const answer = question === undefined ? null : readAnswer(payload);
    if (question === undefined || answer === null) return;
    question.answers.set(answer.server.id, answer);
    assert(question.answers.size <= ANSWERS_MAX, "answers to one request stay within their bound");
    if (question.answers.size >= Math.min(question.expected, ANSWERS_MAX)) question.end();
  }
}

/** null: it is malformed. */
function readAnswer(payload: Uint8Array): ServerAnswer | null {
  const told = parseJson(Buffer.from(payload).toString("utf8"));
  if (!isRecord(told)) return null;
  const { server, data, statsz, error } = told;
  if (!isRecord(server)) return null;
  const { id, name } = server;
  if (typeof id !== "string" || typeof name !== "string") return null;
  const description = isRecord(error) ? error["description"] : "";
  return {
    server: { ...server, id, name },
    data: statsz ?? data ?? undefined,
    error: typeof description === "string" ? description : "",
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
