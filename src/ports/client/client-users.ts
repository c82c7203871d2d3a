/** The users that may connect as clients: those of the configuration and those of its directory, which is watched. */
import { Authenticator, type AuthenticationOptions } from "../../auth/authenticator.ts";
import type { CalloutHost } from "../../auth/callout/callout.ts";
import type { JwtMethod } from "../../auth/methods/jwt.ts";
import type { Clock } from "../../base/clock.ts";
import type { Logger } from "../../base/logger.ts";
import type { Prepared } from "../../base/prepared.ts";
import { UsersDirectory } from "./users-directory.ts";

export interface ClientUsersOptions {
  /** null: there is no directory of users. */
  readonly usersDir: string | null;
  /** The authentication options, given the passwords of the directory by user. */
  authentication(passwords: ReadonlyMap<string, string>): AuthenticationOptions;
  /** What they are over WebSocket; null: there is no WebSocket. */
  overWebSocket(usual: AuthenticationOptions): AuthenticationOptions | null;
  /** What they are for leaf nodes; null: none are taken. */
  forLeafNodes(usual: AuthenticationOptions): AuthenticationOptions | null;
  /** What will not work, though it is no error. */
  problems(authentication: AuthenticationOptions): readonly string[];
}

export class ClientUsers implements Disposable {
  readonly authenticator: Authenticator;
  /** Decides about clients over WebSocket. */
  readonly webSocketAuthenticator: Authenticator;
  /** Decides about leaf nodes. */
  readonly leafAuthenticator: Authenticator;
  private options: ClientUsersOptions;
  private directory: UsersDirectory | null;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private onChange: (() => void) | null = null;

  /** `jwt`: decides about clients in operator mode. Throws where the directory cannot be read. */
  constructor(
    options: ClientUsersOptions,
    logger: Logger,
    callouts: CalloutHost,
    jwt: JwtMethod | null = null,
  ) {
    this.options = options;
    this.clock = callouts.clock;
    this.logger = logger;
    this.directory = this.openDirectory(options);
    const users = this.usersOf(options, this.directory);
    this.authenticator = new Authenticator(users, callouts, jwt);
    const overWebSocket = options.overWebSocket(users);
    this.webSocketAuthenticator =
      overWebSocket === null ? this.authenticator : new Authenticator(overWebSocket, callouts, jwt);
    const forLeafNodes = options.forLeafNodes(users);
    this.leafAuthenticator =
      forLeafNodes === null ? this.authenticator : new Authenticator(forLeafNodes, callouts, jwt);
  }

  /** Calls `onChange` after each change from now on: connected clients have to be checked again. */
  watch(onChange: () => void): void {
    this.onChange = onChange;
    this.watchDirectory();
  }

  prepare(next: ClientUsersOptions): Prepared {
    const directory = this.openDirectory(next);
    const users = this.usersOf(next, directory);
    return {
      apply: () => {
        this.directory?.[Symbol.dispose]();
        this.directory = directory;
        this.options = next;
        this.watchDirectory();
        this.reconfigure(users);
        this.onChange?.();
      },
    };
  }

  [Symbol.dispose](): void {
    this.onChange = null;
    this.directory?.[Symbol.dispose]();
    this.authenticator[Symbol.dispose]();
    this.webSocketAuthenticator[Symbol.dispose]();
    this.leafAuthenticator[Symbol.dispose]();
  }

  private reconfigure(users: AuthenticationOptions): void {
    this.authenticator.reconfigure(users);
    const overWebSocket = this.options.overWebSocket(users);
    if (overWebSocket !== null) this.webSocketAuthenticator.reconfigure(overWebSocket);
    const forLeafNodes = this.options.forLeafNodes(users);
    if (forLeafNodes !== null) this.leafAuthenticator.reconfigure(forLeafNodes);
  }

  private openDirectory({ usersDir }: ClientUsersOptions): UsersDirectory | null {
    return usersDir === null ? null : new UsersDirectory(usersDir, this.clock, this.logger);
  }

  private usersOf(options: ClientUsersOptions, directory: UsersDirectory | null): AuthenticationOptions {
    const users = options.authentication(directory?.passwords ?? new Map<string, string>());
    for (const problem of options.problems(users)) this.logger.error(problem);
    return users;
  }

  private watchDirectory(): void {
    this.directory?.watch(() => {
      this.reconfigure(this.usersOf(this.options, this.directory));
      this.logger.info("Users have changed", { event: "users_changed" });
      this.onChange?.();
    });
  }
}
