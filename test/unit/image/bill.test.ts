/** The list of what is in the image: complete, and the same for the same. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { billOfMaterials, type BillOptions, type Lockfile } from "../../../scripts/image-files/bill.ts";

const read = (name: string): string => readFileSync(new URL(`../../../${name}`, import.meta.url), "utf8");
const lockfile = JSON.parse(read("package-lock.json")) as Lockfile;
const { dependencies } = JSON.parse(read("package.json")) as { dependencies: Record<string, string> };

const OPTIONS: BillOptions = {
  name: "shoal",
  version: "1.2.3",
  license: "Apache-2.0",
  bundled: Object.keys(dependencies).map((name) => `node_modules/${name}`),
  lockfile,
  nodeVersion: "26.10.0",
  tini: { version: "0.19.0-1+b3", architecture: "arm64", sha256: "ab" },
  baseStatuses: ["Package: libc6\nVersion: 2.41-12\nArchitecture: arm64\n"],
};

it("has the server itself, its packages, Node.js, tini and the packages of the base image", () => {
  const { metadata, components, dependencies: graph } = billOfMaterials(OPTIONS);
  expect(metadata.component).toMatchObject({ name: "shoal", version: "1.2.3", type: "application" });
  const purls = components.map(({ purl }) => purl);
  for (const [name, version] of Object.entries(dependencies)) {
    expect(purls).toContain(`pkg:npm/${name.replace("@", "%40")}@${version}`);
  }
  expect(purls).toEqual(
    expect.arrayContaining([
      "pkg:generic/node@26.10.0",
      "pkg:deb/debian/tini@0.19.0-1%2Bb3?arch=arm64&distro=debian-12",
      "pkg:deb/debian/libc6@2.41-12?arch=arm64",
    ]),
  );
  expect(graph).toEqual([{ ref: "pkg:npm/shoal@1.2.3", dependsOn: purls }]);
  expect(components.find(({ name }) => name === "nkeys")).toMatchObject({
    group: "@nats-io",
    hashes: [{ alg: "SHA-512" }],
  });
});

it("has each package once, and is the same whatever the order of what it is made from", () => {
  const twice = [...OPTIONS.bundled, ...OPTIONS.bundled].reverse();
  expect(billOfMaterials({ ...OPTIONS, bundled: twice })).toEqual(billOfMaterials(OPTIONS));
});

it("names a bundled package that the lockfile does not know", () => {
  expect(() => billOfMaterials({ ...OPTIONS, bundled: ["node_modules/unheard-of"] })).toThrow(
    "node_modules/unheard-of is bundled",
  );
});
