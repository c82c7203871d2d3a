/**
 * Rules for subjects. Inside the server a subject is a byte string: one character per byte (latin1), so that any bytes
 * that a client sends come out again unchanged. Only what is shown to people is decoded as UTF-8.
 */

/** True when every token is non-empty and `>` stands last; wildcards are allowed. Blanks cannot come this far. */
export function isValidSubject(subject: string): boolean {
  if (subject.length === 0) return false;
  let tokenStart = 0;
  for (let i = 0; i <= subject.length; i++) {
    const code = i === subject.length ? 0x2e : subject.charCodeAt(i);
    if (code !== 0x2e) continue;
    if (i === tokenStart) return false;
    if (i - tokenStart === 1 && subject[tokenStart] === ">" && i !== subject.length) return false;
    tokenStart = i + 1;
  }
  return true;
}

/** True when a token is empty: no message on such a subject reaches anyone, `>` included. */
export function hasEmptyToken(subject: string): boolean {
  return subject === "" || subject.startsWith(".") || subject.endsWith(".") || subject.includes("..");
}

/** True when the subject has a token that is `*` or `>`. */
export function hasWildcard(subject: string): boolean {
  for (let i = 0; i < subject.length; i++) {
    const c = subject.charCodeAt(i);
    if (c !== 0x2a && c !== 0x3e) continue;
    const opens = i === 0 || subject.charCodeAt(i - 1) === 0x2e;
    const closes = i + 1 === subject.length || subject.charCodeAt(i + 1) === 0x2e;
    if (opens && closes) return true;
  }
  return false;
}

/** Valid and without wildcards: what a message may be published to. */
export function isValidLiteralSubject(subject: string): boolean {
  return isValidSubject(subject) && !hasWildcard(subject);
}

/** True when the pattern (with wildcards) covers the literal subject. The plain rule; `Sublist` is the fast one. */
export function subjectMatches(pattern: string, subject: string): boolean {
  const p = pattern.split(".");
  const s = subject.split(".");
  for (let i = 0; i < p.length; i++) {
    if (p[i] === ">" && i === p.length - 1) return s.length > i;
    if (i >= s.length) return false;
    if (p[i] !== "*" && p[i] !== s[i]) return false;
  }
  return p.length === s.length;
}

/** True when a literal subject can exist that both patterns cover. */
export function subjectsMeet(one: string, other: string): boolean {
  const a = one.split(".");
  const b = other.split(".");
  for (let i = 0; i < a.length && i < b.length; i++) {
    if (a[i] === ">" || b[i] === ">") return true;
    if (a[i] !== "*" && b[i] !== "*" && a[i] !== b[i]) return false;
  }
  return a.length === b.length;
}

/** The pattern's wildcards stand for the subject's wildcards, too: `a.>` covers `a.*` and `a.>`; `a.*` does not cover `a.>`. */
export function subjectCovers(pattern: string, subject: string): boolean {
  if (!hasWildcard(subject)) return subjectMatches(pattern, subject);
  const p = pattern.split(".");
  const s = subject.split(".");
  for (let i = 0; i < p.length; i++) {
    if (p[i] === ">") return s.length > i;
    if (i >= s.length || s[i] === ">") return false;
    if (p[i] !== "*" && p[i] !== s[i]) return false;
  }
  return p.length === s.length;
}
