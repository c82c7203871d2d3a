/** What a registry has under a tag: its digest, by the registry's HTTP API (OCI distribution). Public images alone. */

const MEDIA_TYPES = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

/** An image as files name it: `name:tag`, with a digest or without. */
export interface ImageName {
  readonly registry: string;
  readonly repository: string;
  readonly tag: string;
}

export function parseImage(text: string): ImageName {
  const match = /^(?:([^/]+[.:][^/]*|localhost)\/)?([^:@]+):([^:@]+)$/.exec(text);
  if (match === null) throw new Error(`${text} is no name of an image with a tag`);
  const [, registry = "registry-1.docker.io", name, tag] = match as unknown as [
    string,
    string?,
    string?,
    string?,
  ];
  const isOfficial = match[1] === undefined && !name!.includes("/");
  return { registry, repository: isOfficial ? `library/${name}` : name!, tag: tag! };
}

/** `base` is the registry's URL; that of the image's name by default. */
export async function digestOf(image: ImageName, base = `https://${image.registry}`): Promise<string> {
  const url = `${base}/v2/${image.repository}/manifests/${image.tag}`;
  let answer = await fetch(url, { headers: { accept: MEDIA_TYPES } });
  if (answer.status === 401) {
    const token = await tokenFor(answer.headers.get("www-authenticate") ?? "", url);
    answer = await fetch(url, { headers: { accept: MEDIA_TYPES, authorization: `Bearer ${token}` } });
  }
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${answer.statusText}`);
  const bytes = await answer.arrayBuffer();
  const hash = Buffer.from(await crypto.subtle.digest("SHA-256", bytes)).toString("hex");
  const said = answer.headers.get("docker-content-digest");
  if (said !== null && said !== `sha256:${hash}`) {
    throw new Error(`${url}: the registry says ${said}, what it sends is sha256:${hash}`);
  }
  return `sha256:${hash}`;
}

/** The registry says where it hands out tokens, and for what. */
async function tokenFor(challenge: string, url: string): Promise<string> {
  const fields = new Map([...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key!, value!]));
  const realm = fields.get("realm");
  if (realm === undefined) throw new Error(`${url}: 401, and nothing is said of where to get a token`);
  const asked = new URL(realm);
  for (const key of ["service", "scope"]) {
    const value = fields.get(key);
    if (value !== undefined) asked.searchParams.set(key, value);
  }
  const answer = await fetch(asked);
  if (!answer.ok) throw new Error(`${asked.href}: ${answer.status} ${answer.statusText}`);
  const { token, access_token: accessToken } = (await answer.json()) as {
    token?: string;
    access_token?: string;
  };
  const text = token ?? accessToken;
  if (text === undefined) throw new Error(`${asked.href}: an answer without a token`);
  return text;
}
