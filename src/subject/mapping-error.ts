/** What can be wrong with a source or a destination of a mapping, in the words of nats-server 2.15. */

const INVALID = "invalid mapping destination";

export const PROBLEMS = {
  badSubject: "invalid subject",
  badDestination: `${INVALID}: invalid transform`,
  unusedWildcards: `${INVALID}: not using all of the token wildcard(s)`,
  unknownFunction: `${INVALID}: unknown function`,
  outOfRange: `${INVALID}: wildcard index out of range`,
  tooFewArguments: `${INVALID}: not enough arguments passed to the function`,
  badArgument: `${INVALID}: function argument is invalid or in the wrong format`,
  tooManyArguments: `${INVALID}: too many arguments passed to the function`,
  notReversible: `${INVALID}: the only mapping function allowed for import transforms is {{Wildcard()}}`,
} as const;

/** Thrown while mappings are read, never for a message. */
export class MappingError extends Error {
  override readonly name = "MappingError";

  constructor(problem: string, token = "") {
    super(token === "" ? problem : `${problem} in ${token}`);
  }
}
