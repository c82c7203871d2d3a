/** A fault of an option that shows only when a part does what the option asks for. */

/** What an option asks for cannot be done. */
export class OptionRefused extends Error {
  /** The option, as `section.name` of the configuration. */
  readonly field: string;

  constructor(field: string, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.field = field;
  }
}

/** Does what an option asks for. Where that fails, a reload says where the option stands. */
export function askedBy<T>(field: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new OptionRefused(field, error);
  }
}
