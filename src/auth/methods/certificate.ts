/**
 * Maps a certificate to a user (`verify_and_map`), as nats-server 2.15 does: by e-mail addresses, DNS names and URIs of the
 * alternative names, then by the subject as a distinguished name, then by the subject as Go prints it.
 */
import type { X509Certificate } from "node:crypto";

interface Attribute {
  /** "CN", "OU" …; case does not matter. */
  readonly type: string;
  readonly value: string;
}

/** Several attributes at one level are a set. */
type Rdn = readonly Attribute[];

/** The last one is the outermost, as in "CN=www,O=example,C=org". */
type DistinguishedName = readonly Rdn[];

interface AlternativeNames {
  readonly emails: readonly string[];
  readonly dnsNames: readonly string[];
  readonly uris: readonly string[];
}

/** Types that nats-server compares; a subject with others is not compared. */
const COMPARED = ["CN", "OU", "O", "DC", "L", "ST", "STREET", "POSTALCODE", "C", "SERIALNUMBER", "UID"];
/** In Go's order, innermost first. */
const PRINTED = ["SERIALNUMBER", "CN", "POSTALCODE", "STREET", "ST", "L", "OU", "O", "C"];
/** Go keeps only the last attribute of these types. */
const SINGLE = new Set(["SERIALNUMBER", "CN"]);
const OIDS: Readonly<Record<string, string>> = {
  EMAILADDRESS: "1.2.840.113549.1.9.1",
  DC: "0.9.2342.19200300.100.1.25",
  UID: "0.9.2342.19200300.100.1.1",
};
const PRINTABLE = /^[A-Za-z0-9 '()+,./:=?*&-]*$/;
const NAMES = /(\w[\w ]*):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g;

/**
 * The first of `users` that the certificate names. `find` looks a name up, `names` lists all of them, for names that are
 * distinguished names in another order or spelling.
 */
export function mappedUser<U>(
  certificate: X509Certificate,
  find: (name: string) => U | undefined,
  names: () => Iterable<string>,
): U | undefined {
  const { emails, dnsNames, uris } = alternativeNames(certificate);
  for (const name of [...emails, ...dnsNames, ...uris]) {
    const found = find(name);
    if (found !== undefined) return found;
  }
  const subject = subjectOf(certificate);
  const isComparable = subject.flat().every(({ type }) => COMPARED.includes(type.toUpperCase()));
  const name = isComparable && subject.length > 0 ? nameOf(subject, [...names()]) : undefined;
  if (name !== undefined) return find(name);
  const printed = printedNames(subject);
  return find(printed.withDomain) ?? find(printed.plain);
}

/** As Go prints a subject: what monitoring shows. */
export function printedSubject(certificate: X509Certificate): string {
  const subject = subjectOf(certificate);
  const others = subject
    .flat()
    .filter(({ type }) => !PRINTED.includes(type.toUpperCase()))
    .map(({ type, value }) => printOther(type, value));
  return [printedNames(subject).plain, ...others].filter((part) => part !== "").join(",");
}

export function alternativeNames({ subjectAltName }: X509Certificate): AlternativeNames {
  const names: Record<string, string[]> = {};
  for (const [, kind = "", value = ""] of (subjectAltName ?? "").matchAll(NAMES)) {
    (names[kind] ??= []).push(value.startsWith('"') ? (JSON.parse(value) as string) : value);
  }
  return { emails: names["email"] ?? [], dnsNames: names["DNS"] ?? [], uris: names["URI"] ?? [] };
}

/** Equal attribute by attribute; failing that, with levels in another order. */
function nameOf(subject: DistinguishedName, names: readonly string[]): string | undefined {
  const parsed = names.map((name) => ({ name, dn: parseDistinguishedName(name) }));
  const sameLength = parsed.filter(({ dn }) => dn !== null && dn.length === subject.length);
  const equal = sameLength.find(({ dn }) => dn!.every((rdn, i) => equalRdns(rdn, subject[i]!)));
  return (equal ?? sameLength.find(({ dn }) => isPermutation(dn!, subject)))?.name;
}

function isPermutation(a: DistinguishedName, b: DistinguishedName): boolean {
  const left = [...b];
  return a.every((rdn) => {
    const at = left.findIndex((other) => equalRdns(rdn, other));
    if (at === -1) return false;
    left.splice(at, 1);
    return true;
  });
}

function equalRdns(a: Rdn, b: Rdn): boolean {
  const has = (rdn: Rdn, { type, value }: Attribute): boolean =>
    rdn.some((one) => one.type.toUpperCase() === type.toUpperCase() && one.value === value);
  return a.length === b.length && a.every((one) => has(b, one)) && b.every((one) => has(a, one));
}

/** Node prints a level on each line, the outermost first. */
function subjectOf({ subject }: X509Certificate): DistinguishedName {
  if (!subject) return []; // without a subject there is none
  return parseDistinguishedName(subject.split("\n").toReversed().join(",")) ?? [];
}

/** RFC 4514, without values in BER; null: it is none. */
function parseDistinguishedName(text: string): DistinguishedName | null {
  const rdns: Attribute[][] = [];
  let rdn: Attribute[] = [];
  for (const [part, end] of splitName(text)) {
    const attribute = readAttribute(part);
    if (attribute === null) return null;
    rdn.push(attribute);
    if (end === "+") continue;
    rdns.push(rdn);
    rdn = [];
  }
  return rdn.length === 0 ? rdns : null;
}

/** Pieces between unescaped commas and plus signs, with the sign that ends each. */
function* splitName(text: string): Generator<[string, string]> {
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === "," || text[i] === "+") {
      yield [text.slice(from, i), text[i]!];
      from = i + 1;
    }
  }
  if (from < text.length) yield [text.slice(from), ""];
}

function readAttribute(part: string): Attribute | null {
  const equals = part.indexOf("=");
  const type = part.slice(0, Math.max(0, equals)).trim();
  const raw = part.slice(equals + 1).replace(/^ +/, "");
  if (type === "" || raw.startsWith("#")) return null;
  const bytes: Buffer[] = [];
  // Spaces at the end count only if they are escaped.
  for (const [match, special, hex] of raw.replace(/((?:^|[^\\])(?:\\\\)*) +$/, "$1").matchAll(ESCAPE)) {
    if (hex !== undefined) bytes.push(Buffer.from(hex, "hex"));
    else if (special === undefined && match.startsWith("\\")) return null;
    else bytes.push(Buffer.from(special ?? match));
  }
  return { type, value: Buffer.concat(bytes).toString() };
}

const ESCAPE = /\\([ "#+,;<=>\\])|\\([\da-fA-F]{2})|\\|[^\\]+/g;

/** As Go prints it, without and with domain components. */
function printedNames(subject: DistinguishedName): { readonly plain: string; readonly withDomain: string } {
  const all = subject.toReversed().flat();
  const parts = PRINTED.flatMap((type) => {
    const values = all.filter((one) => one.type.toUpperCase() === type).map(({ value }) => value);
    const kept = SINGLE.has(type) ? values.slice(-1) : values;
    return kept.length === 0 ? [] : [kept.map((value) => `${type}=${escapeValue(value)}`).join("+")];
  });
  const domain = all.filter(({ type }) => type.toUpperCase() === "DC").map(({ value }) => `DC=${value}`);
  return { plain: parts.join(","), withDomain: [...parts, ...domain].join(",") };
}

function escapeValue(value: string): string {
  return value.replace(/[,+"\\<>;]|^[ #]| $/g, (char) => `\\${char}`);
}

/** Go has no names for the rest: the type's number, and the value in DER. */
function printOther(type: string, value: string): string {
  const oid = OIDS[type.toUpperCase()] ?? type;
  const bytes = Buffer.from(value);
  if (bytes.length > 127) return `${oid}=${escapeValue(value)}`;
  const tag = PRINTABLE.test(value) ? 0x13 : 0x0c;
  return `${oid}=#${Buffer.concat([Buffer.from([tag, bytes.length]), bytes]).toString("hex")}`;
}
