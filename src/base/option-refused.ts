/** Errors that show only when a part applies an option. */

/** An option cannot be applied. */
export class OptionRefused extends Error {
  /** The option, as `section.name` of the configuration. */
  readonly field: string;

  constructor(field: string, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.field = field;
  }
}

/** Runs `act` for an option. If that fails, a reload names the option's position in the file. */
export function askedBy<T>(field: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new OptionRefused(field, error);
  }
}
