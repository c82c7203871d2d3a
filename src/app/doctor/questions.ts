/**
 * Asks all servers through a client of the system account. Servers that are not known are found by the routes of those that are: once all of
 * them have answered, and nobody else has for a moment, all are found.
 *
 * Bounds: the given time for each question, ANSWERS_MAX answers.
 */
import type { Clock } from "../../base/clock.ts";
import { parseJson } from "../../base/json.ts";
import type { GatherHost, Told } from "../../doctor/gather.ts";
import { routedIds } from "../../doctor/reading.ts";
import type { SystemClient } from "./client.ts";

const ANSWERS_MAX = 1024;
/** For servers behind gateways and leaf connections, of which no route tells. */
const QUIET_MS = 250;

const NO_RESPONDERS = "no server listens to this user's questions: it has to belong to the system account";

type Json = Readonly<Record<string, unknown>>;

export interface QuestionsOptions {
  readonly client: Pick<SystemClient, "ask" | "untilClosed">;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

export function questionsTo(options: QuestionsOptions): GatherHost {
  return {
    everybody: (kind, asked, expected) =>
      Promise.race([collect(options, kind, asked, expected), options.client.untilClosed()]),
  };
}

async function collect(
  { client, timeoutMs, clock }: QuestionsOptions,
  kind: string,
  asked: object,
  expected: number | null,
): Promise<readonly Told[]> {
  const { promise, resolve, reject } = Promise.withResolvers<readonly Told[]>();
  const answers = new Map<string, Told>();
  let quiet: Disposable | null = null;
  const end = (): void => {
    quiet?.[Symbol.dispose]();
    resolve([...answers.values()]);
  };
  const deadline = clock.setTimer(timeoutMs, end);
  const question = client.ask(`$SYS.REQ.SERVER.PING.${kind}`, asked, (answer) => {
    if (answer === "no responders") return reject(new Error(NO_RESPONDERS));
    const told = readTold(answer);
    if (told === null) return;
    answers.set(told.id, told);
    if (answers.size >= (expected ?? ANSWERS_MAX)) return end();
    quiet?.[Symbol.dispose]();
    if (expected === null && areAllKnown(answers)) quiet = clock.setTimer(QUIET_MS, end);
  });
  try {
    return await promise;
  } finally {
    deadline[Symbol.dispose]();
    question[Symbol.dispose]();
  }
}

function areAllKnown(answers: ReadonlyMap<string, Told>): boolean {
  for (const { data } of answers.values())
    if (data !== null && routedIds(data).some((id) => !answers.has(id))) return false;
  return true;
}

/** null: it is not an answer of a server. */
function readTold(payload: Buffer): Told | null {
  const answer = recordOf(parseJson(payload.toString("utf8")));
  const server = recordOf(answer?.["server"]);
  if (answer === null || server === null) return null;
  const { id, name } = server;
  if (typeof id !== "string" || typeof name !== "string") return null;
  const error = recordOf(answer["error"])?.["description"];
  return { id, name, data: recordOf(answer["data"]), error: typeof error === "string" ? error : "" };
}

function recordOf(value: unknown): Json | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : null;
}
