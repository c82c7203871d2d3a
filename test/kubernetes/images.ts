/** The images that the tests of the cluster run. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { buildImage, docker } from "../support/docker.ts";
import { loadImages } from "../support/kubernetes.ts";

export const IMAGE = "shoal:test-kubernetes";
const WITNESS = "shoal-witness:test-kubernetes";
const PROMETHEUS = "prom/prometheus:v3.5.0";

export async function loadTestImages(): Promise<void> {
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    devDependencies: Record<string, string>;
  };
  const version = manifest.devDependencies["@nats-io/transport-node"]!;
  await buildImage(IMAGE);
  const folder = fileURLToPath(new URL("witness", import.meta.url));
  await buildImage(WITNESS, ["--build-arg", `CLIENT_VERSION=${version}`], folder);
  await docker("image", "inspect", PROMETHEUS).catch(() => docker("pull", PROMETHEUS));
  await loadImages(IMAGE, WITNESS, PROMETHEUS);
}
