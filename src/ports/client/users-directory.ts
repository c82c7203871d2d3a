/**
 * Passwords of users from a directory, as Kubernetes mounts a Secret: a file for each user, named as the user, that holds the
 * password or its bcrypt hash. Names that begin with a dot are skipped: Kubernetes keeps its own there and exchanges all files at
 * once by a link of such a name. Read at the start, whenever the system tells of a change, and every ten seconds, since not
 * every file system tells. What cannot be read leaves the users as they were.
 */
import { readdirSync, readFileSync, statSync, watch, type FSWatcher } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";

const READ_EVERY_MS = 10_000;
/** Changes come in a bunch: all files, then the link. */
const SETTLE_MS = 50;
const USERS_MAX = 10_000;
const PASSWORD_BYTES_MAX = 4096;

export class UsersDirectory implements Disposable {
  /** By user. */
  passwords: ReadonlyMap<string, string>;
  private readonly path: string;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private watcher: FSWatcher | null = null;
  private timer: Disposable | null = null;
  private problem = "";

  /** Throws where the directory cannot be read. */
  constructor(path: string, clock: Clock, logger: Logger) {
    this.path = path;
    this.clock = clock;
    this.logger = logger;
    this.passwords = readPasswords(path);
  }

  /** Calls `onChange` after each change. */
  watch(onChange: () => void): void {
    const readIn = (delayMs: number): void => {
      this.timer?.[Symbol.dispose]();
      this.timer = this.clock.setTimer(delayMs, () => {
        readIn(READ_EVERY_MS);
        if (this.hasChanged()) onChange();
      });
    };
    readIn(READ_EVERY_MS);
    this.watcher = watch(this.path, { persistent: false }, () => readIn(SETTLE_MS));
    this.watcher.on("error", (error) => this.tell(error.message));
  }

  [Symbol.dispose](): void {
    this.timer?.[Symbol.dispose]();
    this.watcher?.close();
  }

  private hasChanged(): boolean {
    try {
      const passwords = readPasswords(this.path);
      this.problem = "";
      if (isDeepStrictEqual(passwords, this.passwords)) return false;
      this.passwords = passwords;
      return true;
    } catch (error) {
      this.tell(error instanceof Error ? error.message : String(error));
      return false;
    }
  }

  /** Once for each problem. */
  private tell(problem: string): void {
    if (problem === this.problem) return;
    this.problem = problem;
    this.logger.error("The directory of users cannot be read, users stay as they were", {
      directory: this.path,
      problem,
    });
  }
}

function readPasswords(path: string): ReadonlyMap<string, string> {
  const names = readdirSync(path).filter((name) => !name.startsWith("."));
  if (names.length > USERS_MAX) throw new Error(`more than ${USERS_MAX} files in ${path}`);
  const passwords = new Map<string, string>();
  for (const name of names.toSorted()) {
    const file = join(path, name);
    const { size } = statSync(file);
    if (size > PASSWORD_BYTES_MAX) throw new Error(`${file} is too long for a password: ${size} bytes`);
    const password = readFileSync(file, "utf8").replace(/\r?\n$/, "");
    if (password === "") throw new Error(`${file} is empty: it should hold the password of user ${name}`);
    passwords.set(name, password);
  }
  return passwords;
}
