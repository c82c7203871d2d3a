/**
 * A stream that cannot be written: publishers are refused, and a later attempt to write is made until one succeeds. Nobody is told that
 * anything was kept.
 */
import { assert } from "../../base/assert.ts";
import type { DiskError } from "../../store/disk.ts";
import { apiErrors, errorJson } from "../api-error.ts";
import type { AccountHost } from "../host.ts";
import type { CommitAnswer } from "./held-answers.ts";

const RETRY_MS = 1000;

export interface WriteFailureOptions {
  /** Name of the stream. */
  readonly name: string;
  readonly host: AccountHost;
  /** Writes what waits; calls `begin` again if that fails. */
  readonly attempt: () => void;
}

export class WriteFailure {
  /** Text of the error; "": all is well. */
  problem = "";
  private readonly options: WriteFailureOptions;
  private retry: Disposable | null = null;

  constructor(options: WriteFailureOptions) {
    this.options = options;
  }

  /** The publishers of what was not written get an error. */
  begin(error: DiskError, answers: readonly CommitAnswer[]): void {
    const { host, name } = this.options;
    if (this.problem === "")
      host.logger.error("a stream cannot be written: publishers are refused until it can", {
        stream: name,
        account: host.name,
        error: error.message,
      });
    this.problem = error.message;
    const shown = errorJson(apiErrors.insufficientStorage());
    const payload = Buffer.from(`{"error":${shown},"stream":${JSON.stringify(name)},"seq":0}`, "latin1");
    for (const { reply } of answers) host.send({ subject: reply, reply: "", headers: "", payload });
    this.stop();
    this.retry = host.clock.setTimer(RETRY_MS, () => this.tryAgain());
  }

  stop(): void {
    this.retry?.[Symbol.dispose]();
    this.retry = null;
  }

  private tryAgain(): void {
    const { host, name, attempt } = this.options;
    assert(this.problem !== "", "a stream is tried again after it failed");
    this.problem = "";
    attempt();
    if (this.problem === "") host.logger.info("the stream can be written again", { stream: name });
  }
}
