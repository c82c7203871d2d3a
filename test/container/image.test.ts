/** The image on a real engine: what is in it, what it needs, how it starts, serves and ends. */
import { readFileSync } from "node:fs";
import { connect } from "@nats-io/transport-node";
import { beforeAll, describe, expect, it, vi } from "vitest";
import type { Bill } from "../../scripts/image-files/bill.ts";
import { Container, RESTRICTED, buildImage, docker } from "../support/docker.ts";
import { RawConnection } from "../support/raw-connection.ts";

const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  dependencies: Record<string, string>;
};
const TAG = "shoal:test-image";
const BUILD = ["SOURCE_DATE_EPOCH=0", "VERSION=0.0.1", "REVISION=abc"].flatMap((arg) => ["--build-arg", arg]);
let image = "";

beforeAll(async () => {
  image = await buildImage(TAG, BUILD);
}, 600_000);

const get = async (address: string, path: string): Promise<Response> =>
  fetch(`http://${address}:8222${path}`);

async function started(...args: readonly string[]): Promise<{ container: Container; address: string }> {
  const container = await Container.start(...RESTRICTED, ...args);
  const address = await container.address();
  await vi.waitFor(async () => expect((await get(address, "/healthz")).status).toBe(200), {
    timeout: 30_000,
    interval: 50,
  });
  return { container, address };
}

describe("what is in the image", () => {
  it("is the same for the same source", { timeout: 600_000 }, async () => {
    const again = await buildImage(`${TAG}-again`, ["--no-cache", ...BUILD]);
    expect(again).toBe(image);
  });

  it("says what it is, by the labels of the OCI, and whose user it runs as, by number", async () => {
    const config = JSON.parse(await docker("inspect", "--format", "{{json .Config}}", TAG)) as {
      Labels: Record<string, string>;
      User: string;
      ExposedPorts: object;
    };
    expect(config.Labels).toMatchObject({
      "org.opencontainers.image.title": "shoal",
      "org.opencontainers.image.licenses": "Apache-2.0",
      "org.opencontainers.image.version": "0.0.1",
      "org.opencontainers.image.revision": "abc",
    });
    for (const text of Object.values(config.Labels)) expect(text).not.toBe("");
    expect(config.User).toBe("65532:65532");
    expect(Object.keys(config.ExposedPorts).sort()).toEqual(["4222/tcp", "6222/tcp", "8222/tcp"]);
  });

  it.each(["/bin/sh", "/bin/bash", "/busybox/sh", "/usr/bin/apt-get", "/usr/bin/dpkg", "/usr/bin/npm"])(
    "has no %s",
    async (program) => {
      await expect(docker("run", "--rm", "--entrypoint", program, TAG)).rejects.toThrow(
        /no such file or directory/,
      );
    },
  );

  it.each([
    ["amd64", 62],
    ["arm64", 183],
  ])("brings a first process made for %s", { timeout: 600_000 }, async (platform, machine) => {
    const stage = `${TAG}-${platform}-build`;
    await buildImage(stage, ["--platform", `linux/${platform}`, "--target", "build"]);
    const read = `fs.readFileSync("/build/tini/usr/bin/tini-static").readUInt16LE(18)`;
    // e_machine of the ELF header; this stage is the builder's own platform, whatever it makes
    expect(await docker("run", "--rm", stage, "node", "-p", read)).toBe(String(machine));
  });

  it("lists its packages", async () => {
    await using container = await Container.start(...RESTRICTED, TAG);
    const bill = JSON.parse(
      await container.node(`process.stdout.write(fs.readFileSync("/shoal/sbom.cdx.json"))`),
    ) as Bill;
    expect(bill.bomFormat).toBe("CycloneDX");
    expect(bill.metadata.component).toMatchObject({ name: "shoal", type: "application" });
    const purls = bill.components.map(({ purl }) => purl.replace(/@[^@]*$/, ""));
    for (const name of Object.keys(manifest.dependencies)) {
      expect(purls).toContain(`pkg:npm/${name.replace("@", "%40")}`);
    }
    // of the page, and of the image
    expect(purls).toEqual(
      expect.arrayContaining(["pkg:npm/uplot", "pkg:generic/node", "pkg:deb/debian/tini"]),
    );
    const node = bill.components.find(({ name }) => name === "node")!;
    expect(`v${node.version}`).toBe((await container.node("console.log(process.version)")).trim());
    const tini = await container.node(
      `console.log(require("crypto").createHash("sha256").update(fs.readFileSync("/shoal/tini")).digest("hex"))`,
    );
    expect(bill.components.find(({ name }) => name === "tini")!.hashes).toEqual([
      { alg: "SHA-256", content: tini },
    ]);
  });
});

describe("docker run without arguments", () => {
  it("serves clients, routes and monitoring, turns healthy, and ends at SIGTERM with 0", async () => {
    const { container, address } = await started(TAG);
    await using _ = container;
    const varz = (await (await get(address, "/varz")).json()) as {
      port: number;
      http_port: number;
      cluster: { cluster_port: number };
    };
    expect([varz.port, varz.http_port, varz.cluster.cluster_port]).toEqual([4222, 8222, 6222]);
    await vi.waitFor(async () => expect(await container.inspect(".State.Health.Status")).toBe("healthy"), {
      timeout: 60_000,
      interval: 200,
    });
    await docker("stop", "--time", "60", container.id);
    expect(await container.inspect(".State.ExitCode")).toBe(0);
  });

  it("takes every option from the environment and from arguments", async () => {
    const { container, address } = await started(
      "--env",
      "SHOAL__MAX_PAYLOAD=2048",
      TAG,
      "--config",
      "/shoal/shoal.conf",
      "--name",
      "one",
    );
    await using _ = container;
    expect(await (await get(address, "/varz")).json()).toMatchObject({
      max_payload: 2048,
      server_name: "one",
    });
  });

  it("names what is wrong with an option, and exits with 1", async () => {
    await using container = await Container.start(TAG, "--prot", "1");
    expect(Number(await docker("wait", container.id))).toBe(1);
    await expect(docker("run", "--rm", TAG, "--prot", "1")).rejects.toThrow(/--prot/);
  });

  it("is healthy without monitoring when it greets clients", async () => {
    await using container = await Container.start(...RESTRICTED, TAG, "--port", "4222");
    await vi.waitFor(async () => expect(await container.inspect(".State.Health.Status")).toBe("healthy"), {
      timeout: 60_000,
      interval: 200,
    });
  });

  it("reaps the children that others leave behind", async () => {
    await using container = await Container.start(...RESTRICTED, TAG);
    // the grandchild ends after its parent has: only the first process can take it up
    await container.node(`
      const { spawn } = require("node:child_process");
      const wait = "process.stdin.resume(); process.stdin.on('end', () => process.exit())";
      spawn(process.execPath, ["-e", wait], { detached: true, stdio: ["pipe", "ignore", "ignore"] }).unref();
      process.exit()`);
    const states = `fs.readdirSync("/proc").filter(Number).map((pid) => {
      try { return fs.readFileSync("/proc/" + pid + "/stat", "utf8").split(") ")[1][0] } catch { return "" }
    }).join("")`;
    await vi.waitFor(
      async () => expect(await container.node(`console.log(${states})`)).toMatch(/^[SR]{3}$/),
      {
        timeout: 30_000,
        interval: 200,
      },
    );
  });
});

describe("a volume for streams", () => {
  it("is one that the server may write to, and keeps what was acknowledged when the container is killed", async () => {
    const volume = (await docker("volume", "create")).trim();
    const args = ["--volume", `${volume}:/data`, TAG, "-js", "-sd", "/data", "--http_port", "8222"];
    try {
      {
        const { container, address } = await started(...args);
        await using _ = container;
        const client = await connect({ servers: `${address}:4222` });
        const config = JSON.stringify({ name: "orders", subjects: ["orders.>"] });
        await client.request("$JS.API.STREAM.CREATE.orders", config, { timeout: 20_000 });
        for (let i = 1; i <= 100; i++) {
          const answer = await client.request(`orders.${i}`, "hello", { timeout: 20_000 });
          expect(answer.json<{ seq: number }>().seq).toBe(i);
        }
        await docker("kill", container.id);
        await client.close();
      }
      const { container, address } = await started(...args);
      await using _ = container;
      const client = await connect({ servers: `${address}:4222` });
      const info = await client.request("$JS.API.STREAM.INFO.orders", "", { timeout: 20_000 });
      expect(info.json<{ state: object }>().state).toMatchObject({ messages: 100, last_seq: 100 });
      await client.close();
    } finally {
      await docker("volume", "rm", volume);
    }
  });
});

describe("128 MiB of memory", () => {
  it("are enough under load with readers that do not read", { timeout: 240_000 }, async () => {
    const { container, address } = await started("--memory=128m", "--memory-swap=128m", TAG);
    await using _ = container;
    const connection = (): Promise<RawConnection> => RawConnection.greeted(4222, {}, address);
    const stalled = await Promise.all(Array.from({ length: 20 }, connection));
    for (const one of stalled) {
      one.send("SUB load 1\r\n");
      one.stopReading();
    }
    const reader = await connection();
    reader.send("SUB load.done 1\r\nPING\r\n");
    await reader.until("PONG", () => reader.text.includes("PONG"));
    const writers = await Promise.all(Array.from({ length: 4 }, connection));
    const frame = Buffer.from(`PUB load 8192\r\n${"x".repeat(8192)}\r\n`.repeat(16));
    await Promise.all(
      writers.map(async (writer) => {
        for (let n = 0; n < 500; n++) await new Promise((resolve) => writer.socket.write(frame, resolve));
        writer.send("PUB load.done 2\r\nok\r\n");
      }),
    );
    await reader.until(
      "all that was sent was taken",
      () => reader.text.split("MSG load.done 1 2\r\nok").length === 5,
    );
    expect(await container.inspect(".State.OOMKilled")).toBe(false);
    expect(await container.inspect(".RestartCount")).toBe(0);
    const varz = (await (await get(address, "/varz")).json()) as { slow_consumers: number; in_msgs: number };
    expect(varz.in_msgs).toBe(4 * (500 * 16 + 1));
    expect(varz.slow_consumers).toBeGreaterThan(0);
  });
});
