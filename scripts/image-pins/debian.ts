/** The checksums of a package in Debian's index of packages. */
import { gunzipSync } from "node:zlib";

export interface DebianFile {
  readonly name: string;
  readonly sha256: string;
}

/** `archive` is the URL of a mirror, as in http://deb.debian.org/debian. */
export async function debianFile(
  archive: string,
  suite: string,
  architecture: string,
  name: string,
): Promise<DebianFile> {
  const url = `${archive}/dists/${suite}/main/binary-${architecture}/Packages.gz`;
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${answer.statusText}`);
  const text = gunzipSync(await answer.arrayBuffer()).toString();
  const entry = text.split("\n\n").find((one) => one.startsWith(`Package: ${name}\n`));
  const field = (key: string): string | undefined => entry?.match(new RegExp(`^${key}: (.*)$`, "m"))?.[1];
  const [version, sha256] = [field("Version"), field("SHA256")];
  if (version === undefined || sha256 === undefined) throw new Error(`${url} has no ${name}`);
  // apt names the files that it fetches so; an epoch's colon is written as %3a
  return { name: `${name}_${version.replace(":", "%3a")}_${architecture}.deb`, sha256 };
}
