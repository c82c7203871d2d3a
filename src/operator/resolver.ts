/** Where tokens of accounts come from: memory, a directory, or a web server. Whoever asks verifies what it gets. */

export interface Resolver {
  /** The token of an account, by its public nkey; null: there is none. The promise is never rejected. */
  fetch(name: string): string | null | Promise<string | null>;
  /** The same, but only what is kept here: nobody is asked. */
  kept(name: string): string | null;
  /** Keeps a token that was verified; absent: the resolver only reads. */
  store?(name: string, jwt: string): void;
  /** Resolves when what was to be kept is kept; absent: it is at once. */
  settled?(): Promise<void>;
  /**
   * A reload: the configuration names these tokens now, and what lies elsewhere may have changed. Resolves with what is left to do for
   * accounts that are in force: nothing, to fetch them again, or to end those that are not here any more as well. Never rejected.
   */
  reload(preload: readonly PreloadedToken[]): Promise<AfterReload>;
}

export interface PreloadedToken {
  readonly account: string;
  readonly jwt: string;
}

export type AfterReload = "nothing" | "fetch again" | "fetch again or end";

/** Holds what the configuration names. */
export class MemoryResolver implements Resolver {
  private tokens = new Map<string, string>();

  fetch(name: string): string | null {
    return this.kept(name);
  }

  kept(name: string): string | null {
    return this.tokens.get(name) ?? null;
  }

  store(name: string, jwt: string): void {
    this.tokens.set(name, jwt);
  }

  reload(preload: readonly PreloadedToken[]): Promise<AfterReload> {
    this.tokens = new Map(preload.map(({ account, jwt }) => [account, jwt]));
    return Promise.resolve("fetch again or end");
  }
}
