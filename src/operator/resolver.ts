/** Where tokens of accounts come from: memory, a directory, or a web server. Whoever asks verifies what it gets. */

export interface Resolver {
  /** The token of an account, by its public nkey; null: there is none. The promise is never rejected. */
  fetch(name: string): string | null | Promise<string | null>;
  /** Keeps a token that was verified; absent: the resolver only reads. */
  store?(name: string, jwt: string): void;
  /** Resolves when what was to be kept is kept; absent: it is at once. */
  settled?(): Promise<void>;
}

/** Holds what the configuration names. */
export class MemoryResolver implements Resolver {
  private readonly tokens = new Map<string, string>();

  fetch(name: string): string | null {
    return this.tokens.get(name) ?? null;
  }

  store(name: string, jwt: string): void {
    this.tokens.set(name, jwt);
  }
}
