/**
 * The list of what is in the image, in CycloneDX's format: the packages that the bundle was made of, Node.js, tini, and what the
 * base image brings. Nothing in it differs from one run to the next.
 */

/** What package-lock.json says of a package. */
interface LockedPackage {
  readonly version: string;
  readonly license?: string;
  readonly integrity?: string;
}
export interface Lockfile {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

export interface BillOptions {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  /** Folders under node_modules, as in node_modules/pino. */
  readonly bundled: readonly string[];
  readonly lockfile: Lockfile;
  readonly nodeVersion: string;
  readonly tini: { readonly version: string; readonly architecture: string; readonly sha256: string };
  /** Files of /var/lib/dpkg/status.d in the base image. */
  readonly baseStatuses: readonly string[];
}

interface Component {
  readonly type: "library" | "application" | "platform";
  readonly "bom-ref": string;
  readonly group?: string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly cpe?: string;
  readonly licenses?: readonly object[];
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
}

export interface Bill {
  readonly bomFormat: "CycloneDX";
  readonly specVersion: "1.6";
  readonly version: 1;
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}

export function billOfMaterials(options: BillOptions): Bill {
  const { name, version, license } = options;
  const purl = `pkg:npm/${name}@${version}`;
  const main = component("application", name, version, purl, { licenses: licence(license) });
  const all = [
    ...options.bundled.map((folder) => npmPackage(folder, options.lockfile)),
    nodeRuntime(options.nodeVersion),
    tiniProgram(options.tini),
    ...options.baseStatuses.flatMap(basePackage),
  ];
  // one entry for a package that several others brought a copy of
  const components = [...new Map(all.map((one) => [one.purl, one])).values()].sort((a, b) =>
    a.purl < b.purl ? -1 : 1,
  );
  const dependsOn = components.map(({ "bom-ref": ref }) => ref);
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: { component: main },
    components,
    dependencies: [{ ref: main["bom-ref"], dependsOn }],
  };
}

function component(
  type: Component["type"],
  name: string,
  version: string,
  purl: string,
  more: Partial<Component>,
): Component {
  return { type, "bom-ref": purl, name, version, purl, ...more };
}

function npmPackage(folder: string, { packages }: Lockfile): Component {
  const locked = packages[folder];
  if (locked === undefined) throw new Error(`${folder} is bundled, and package-lock.json does not know it`);
  const full = folder.replace(/^.*node_modules\//, "");
  const [scope, name] = full.startsWith("@") ? (full.split("/") as [string, string]) : [undefined, full];
  const purl = `pkg:npm/${full.replace("@", "%40")}@${locked.version}`;
  const hash = /^sha512-(.*)$/.exec(locked.integrity ?? "")?.[1];
  return component("library", name, locked.version, purl, {
    ...(scope !== undefined && { group: scope }),
    ...(locked.license !== undefined && { licenses: licence(locked.license) }),
    ...(hash !== undefined && {
      hashes: [{ alg: "SHA-512", content: Buffer.from(hash, "base64").toString("hex") }],
    }),
  });
}

function nodeRuntime(version: string): Component {
  return component("platform", "node", version, `pkg:generic/node@${version}`, {
    cpe: `cpe:2.3:a:nodejs:node.js:${version}:*:*:*:*:*:*:*`,
    licenses: licence("MIT"),
  });
}

function tiniProgram({ version, architecture, sha256 }: BillOptions["tini"]): Component {
  const purl = `pkg:deb/debian/tini@${encodeURIComponent(version)}?arch=${architecture}&distro=debian-12`;
  return component("application", "tini", version, purl, {
    licenses: licence("MIT"),
    hashes: [{ alg: "SHA-256", content: sha256 }],
  });
}

/** The base image lists its Debian packages in one file each, in the form of dpkg's status. */
function basePackage(status: string): Component[] {
  const field = (key: string): string | undefined => new RegExp(`^${key}: (.*)$`, "m").exec(status)?.[1];
  const [name, version, architecture] = [field("Package"), field("Version"), field("Architecture")];
  if (name === undefined || version === undefined) return [];
  const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}`;
  return [
    component(
      "library",
      name,
      version,
      architecture === undefined ? purl : `${purl}?arch=${architecture}`,
      {},
    ),
  ];
}

/** An expression such as (MIT OR Apache-2.0) is no identifier. */
function licence(text: string): readonly object[] {
  return / /.test(text) ? [{ expression: text }] : [{ license: { id: text } }];
}
