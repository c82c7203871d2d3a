/** Who may connect as a client: the users of the configuration and those of its directory, which is watched. */
import { Authenticator } from "../auth/authenticator.ts";
import type { CalloutWorld } from "../auth/callout/callout.ts";
import type { Clock } from "../base/clock.ts";
import type { Logger } from "../base/logger.ts";
import type { Prepared } from "../base/prepared.ts";
import type { Config } from "../config/config.ts";
import { authenticationOptions, calloutProblems } from "./slices/known-users.ts";
import type { ReloadPart } from "./reload.ts";
import { UsersDirectory } from "./users-directory.ts";

export class ClientUsers implements ReloadPart, Disposable {
  readonly authenticator: Authenticator;
  private config: Config;
  private directory: UsersDirectory | null;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private onChange: (() => void) | null = null;

  /** Throws where the directory cannot be read. */
  constructor(config: Config, logger: Logger, callouts: CalloutWorld) {
    this.config = config;
    this.clock = callouts.clock;
    this.logger = logger;
    this.directory = this.openDirectory(config);
    this.authenticator = new Authenticator(this.optionsFor(config, this.directory), callouts);
  }

  /** Calls `onChange` after each change from now on: who is connected is to be looked at again. */
  watch(onChange: () => void): void {
    this.onChange = onChange;
    this.watchDirectory();
  }

  prepare(next: Config): Prepared {
    const directory = this.openDirectory(next);
    const options = this.optionsFor(next, directory);
    return {
      apply: () => {
        this.directory?.[Symbol.dispose]();
        this.directory = directory;
        this.config = next;
        this.watchDirectory();
        this.authenticator.reconfigure(options);
        this.onChange?.();
      },
    };
  }

  [Symbol.dispose](): void {
    this.onChange = null;
    this.directory?.[Symbol.dispose]();
    this.authenticator[Symbol.dispose]();
  }

  private openDirectory({ authorization: { usersDir } }: Config): UsersDirectory | null {
    return usersDir === null ? null : new UsersDirectory(usersDir, this.clock, this.logger);
  }

  private optionsFor(
    config: Config,
    directory: UsersDirectory | null,
  ): ReturnType<typeof authenticationOptions> {
    const options = authenticationOptions(config, directory?.passwords ?? new Map<string, string>());
    for (const problem of calloutProblems(options, config)) this.logger.error(problem);
    return options;
  }

  private watchDirectory(): void {
    this.directory?.watch(() => {
      this.authenticator.reconfigure(this.optionsFor(this.config, this.directory));
      this.logger.info("Users have changed", { event: "users_changed" });
      this.onChange?.();
    });
  }
}
