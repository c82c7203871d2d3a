/** How claims compare subjects: token by token, where a wildcard covers what stands in its place, be it another wildcard or not. */

/** Whether each token of `subject` is covered by that of `other`. */
export function isContainedIn(subject: string, other: string): boolean {
  const own = subject.split(".");
  const others = other.split(".");
  if (own.length > others.length && others.at(-1) !== ">") return false;
  if (own.length < others.length) return false;
  for (const [index, token] of others.entries()) {
    if (index === others.length - 1 && token === ">") return true;
    if (token !== own[index] && token !== "*") return false;
  }
  return true;
}

/** As claims see it: `a.>` and `a.*` have one, `>.a` has none. */
export function hasWildcardToken(subject: string): boolean {
  return (
    subject === ">" ||
    subject === "*" ||
    subject.endsWith(".>") ||
    subject.endsWith(".*") ||
    subject.startsWith("*.") ||
    subject.includes(".*.")
  );
}
