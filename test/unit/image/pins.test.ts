/** What the image is made of is named by digest, and the script that looks the digests up asks a registry as registries want it. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { globSync, readFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { debianFile } from "../../../scripts/image-pins/debian.ts";
import { digestOf, parseImage } from "../../../scripts/image-pins/registry.ts";

const ROOT = join(import.meta.dirname, "../../..");
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");

async function served<T>(answer: RequestListener, act: (base: string) => Promise<T>): Promise<T> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    return await act(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

describe("files that name images", () => {
  it.each(globSync("{Dockerfile,test/**/Dockerfile}", { cwd: ROOT }))(
    "%s names its bases by digest",
    (file) => {
      const text = read(file);
      const args = new Map(
        [...text.matchAll(/^ARG (\w+_IMAGE)=(.*)$/gm)].map(([, name, value]) => [name!, value!]),
      );
      for (const value of args.values()) expect(value).toMatch(/^\S+:\S+@sha256:[0-9a-f]{64}$/);
      const stages = new Set([...text.matchAll(/^FROM .* AS (\w+)$/gm)].map(([, name]) => name!));
      for (const [, base] of text.matchAll(/^FROM (?:--platform=\S+ )?(\S+)/gm)) {
        const name = /^\$\{(\w+)\}$/.exec(base!)?.[1];
        expect(name === undefined ? stages.has(base!) : args.has(name)).toBe(true);
      }
    },
  );

  it("docker-compose.yml names what it does not build by digest", () => {
    const images = [...read("docker-compose.yml").matchAll(/^ +image: (.*)$/gm)].map(([, image]) => image!);
    expect(images).toHaveLength(3);
    for (const image of images.filter((one) => one !== "shoal")) {
      expect(image).toMatch(/^\$\{\w+_IMAGE:-\S+:\S+@sha256:[0-9a-f]{64}\}$/);
    }
  });

  it("tini has a checksum for each platform, and is unpacked only with it", () => {
    const sums = read("docker/tini.sha256").trim().split("\n");
    expect(sums.map((line) => /^[0-9a-f]{64} {2}tini_.*_(\w+)\.deb$/.exec(line)?.[1])).toEqual([
      "amd64",
      "arm64",
    ]);
    expect(read("Dockerfile")).toMatch(/sha256sum --check .*tini\.sha256 && dpkg-deb -x/);
  });

  it("a plain docker build fills the label of the version with that of the package", () => {
    const { version } = JSON.parse(read("package.json")) as { version: string };
    expect(read("Dockerfile")).toContain(`ARG VERSION=${version}\n`);
    expect(read("Dockerfile")).not.toMatch(/^ARG \w+=""?$/m);
  });
});

describe("a registry", () => {
  const INDEX = JSON.stringify({ schemaVersion: 2, manifests: [] });
  const DIGEST = `sha256:${createHash("sha256").update(INDEX).digest("hex")}`;

  it.each([
    ["node:26-slim", { registry: "registry-1.docker.io", repository: "library/node", tag: "26-slim" }],
    ["prom/prometheus:v3", { registry: "registry-1.docker.io", repository: "prom/prometheus", tag: "v3" }],
    ["gcr.io/distroless/cc:nonroot", { registry: "gcr.io", repository: "distroless/cc", tag: "nonroot" }],
    ["localhost:5000/a/b:1", { registry: "localhost:5000", repository: "a/b", tag: "1" }],
  ])("is found by the name %s", (text, image) => {
    expect(parseImage(text)).toEqual(image);
  });

  it("that asks for a token gets the one that it hands out", async () => {
    const digest = await served(
      (request, response) => {
        const url = new URL(request.url!, "http://registry");
        if (url.pathname === "/token") {
          expect(url.searchParams.get("scope")).toBe("repository:library/node:pull");
          response.end(JSON.stringify({ token: "T" }));
        } else if (request.headers.authorization === "Bearer T") {
          expect(url.pathname).toBe("/v2/library/node/manifests/26");
          expect(request.headers.accept).toContain("application/vnd.oci.image.index.v1+json");
          response.setHeader("docker-content-digest", DIGEST).end(INDEX);
        } else {
          const realm = `http://${request.headers.host}/token`;
          const challenge = `Bearer realm="${realm}",service="s",scope="repository:library/node:pull"`;
          response.writeHead(401, { "www-authenticate": challenge }).end();
        }
      },
      (base) => digestOf(parseImage("node:26"), base),
    );
    expect(digest).toBe(DIGEST);
  });

  it("that says another digest than that of what it sends is not believed", async () => {
    const asked = served(
      (_, response) => response.setHeader("docker-content-digest", `sha256:${"0".repeat(64)}`).end(INDEX),
      (base) => digestOf(parseImage("node:26"), base),
    );
    await expect(asked).rejects.toThrow(`what it sends is ${DIGEST}`);
  });

  it("that has no such tag is named", async () => {
    const asked = served(
      (_, response) => response.writeHead(404).end(),
      (base) => digestOf(parseImage("node:26"), base),
    );
    await expect(asked).rejects.toThrow(/library\/node\/manifests\/26: 404/);
  });
});

it("Debian's index tells the file that apt fetches, and its checksum", async () => {
  const index = "Package: tin\nVersion: 1\nSHA256: b\n\nPackage: tini\nVersion: 1:0.19-1\nSHA256: a\n";
  const file = await served(
    (_, response) => response.end(gzipSync(index)),
    (base) => debianFile(base, "bookworm", "arm64", "tini"),
  );
  expect(file).toEqual({ name: "tini_1%3a0.19-1_arm64.deb", sha256: "a" });
});
